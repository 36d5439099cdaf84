/* SPDX-License-Identifier: BSD-2-Clause */
/* A host memory of FAKE_RAM bytes for tests of what stands on arch/paging.h. */
/* Maps nothing: everything is readable. */
#ifndef TESTS_UNIT_FAKES_FAKE_PAGING_H
#define TESTS_UNIT_FAKES_FAKE_PAGING_H

#include "hv/lib/types.h"

#define FAKE_RAM (64ul * MIB)

/* Once per test: fresh memory with old content in it. */
void fake_paging_reset(void);
extern bool fake_paging_fail; /* paging_direct_add says -ENOMEM */

#endif
