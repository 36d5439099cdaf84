/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypervisor pages from the host's allocator; a page's hpa is its address. */
/* Guest chunks are not here. */
#ifndef TESTS_UNIT_FAKES_FAKE_PAGE_H
#define TESTS_UNIT_FAKES_FAKE_PAGE_H

extern unsigned long fake_page_limit; /* allocations that still succeed; ~0: all */
extern unsigned long fake_page_live;  /* allocated and not freed */
extern unsigned long fake_page_free;  /* bytes that page_stats reports as free */

#endif
