/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of known rate that a PC may have: HPET, ACPI PM timer, PIT. */
/* What is done with them is clock_calibrate's. */
#ifndef ARCH_X86_IRQ_CLOCK_REF_H
#define ARCH_X86_IRQ_CLOCK_REF_H

#include "arch/x86/irq/clock_calibrate.h"

#define CLOCK_REFS_MAX 3u

/* Starts those that ACPI shows (the PIT is always taken to be there), best first; their count. */
unsigned int clock_ref_list(struct clock_counter refs[CLOCK_REFS_MAX]);

#endif
