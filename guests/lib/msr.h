/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers, with the #GP of a missing one caught. */
/* Names the few that several guests use. */
#ifndef GUESTS_LIB_MSR_H
#define GUESTS_LIB_MSR_H

#include <stdbool.h>
#include <stdint.h>

#define MSR_TSC		 0x10u
#define MSR_APIC_BASE	 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_EFER	 0xc0000080u

/* False if the access faulted. */
bool msr_read(uint32_t index, uint64_t *val);
bool msr_write(uint32_t index, uint64_t val);

#endif
