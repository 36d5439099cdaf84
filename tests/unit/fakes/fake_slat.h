/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level entries for host tests: an address, rights in bits 2:0, a large page's bit 7, as EPT has them. */
/* No processor reads them. */
#ifndef TESTS_UNIT_FAKES_FAKE_SLAT_H
#define TESTS_UNIT_FAKES_FAKE_SLAT_H

#include "arch/x86/hvm/slat.h"

/* With pages of 1 GiB or without. */
struct slat_format fake_slat_format(bool large_1g);

#endif
