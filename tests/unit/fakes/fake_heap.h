/* SPDX-License-Identifier: BSD-2-Clause */
/* Knobs of the fake heap. */
/* The heap's own contract is hv/base/heap.h. */
#ifndef TESTS_UNIT_FAKES_FAKE_HEAP_H
#define TESTS_UNIT_FAKES_FAKE_HEAP_H

extern unsigned long fake_heap_limit; /* allocations that still succeed; ~0: all */
extern unsigned long fake_heap_live;  /* allocated and not freed */

#endif
