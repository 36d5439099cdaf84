/* SPDX-License-Identifier: BSD-2-Clause */
/* A local APIC without interrupts and an XCR0 without hardware, for tests of their neighbours. */
/* Remembers MMIO accesses and CR8. */
#ifndef TESTS_UNIT_FAKES_FAKE_LAPIC_H
#define TESTS_UNIT_FAKES_FAKE_LAPIC_H

#include "arch/x86/hvm/vlapic.h"

extern struct fake_lapic {
	uint32_t offset;
	uint32_t val;
	unsigned int reads, writes;
	uint64_t cr8;
	unsigned int masks; /* calls of vlapic_send_mask */
} fake_lapic;

#endif
