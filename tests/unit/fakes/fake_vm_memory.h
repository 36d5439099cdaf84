/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/vm_memory for tests of the balloon device: counts what was asked for, by page. */
/* Has no memory. */
#ifndef TESTS_UNIT_FAKES_FAKE_VM_MEMORY_H
#define TESTS_UNIT_FAKES_FAKE_VM_MEMORY_H

#include "hv/lib/types.h"

#define FAKE_PAGES 4096u /* page numbers noted */

extern unsigned int fake_taken[FAKE_PAGES], fake_given[FAKE_PAGES]; /* how often */
extern unsigned int fake_moves; /* calls, of any page; the test sets it back */

void fake_vm_memory_reset(void);

#endif
