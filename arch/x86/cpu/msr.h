/* SPDX-License-Identifier: BSD-2-Clause */
/* Access to model-specific registers of the executing CPU, and the numbers used in more than one room. */
/* Does not survive a #GP: the caller knows that the register exists. */
#ifndef ARCH_X86_CPU_MSR_H
#define ARCH_X86_CPU_MSR_H

#include "hv/lib/types.h"

#define MSR_APIC_BASE	 0x1bu
#define MSR_TSC_ADJUST	 0x3bu
#define MSR_MCG_CAP	 0x179u
#define MSR_MCG_STATUS	 0x17au
#define MSR_MCG_CTL	 0x17bu
#define MSR_MC0_CTL	 0x400u /* CTL, STATUS, ADDR, MISC of bank 0; four further per bank */
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC	 0x800u /* plus the xAPIC register's offset / 16 */
#define MSR_EFER	 0xc0000080u

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t lo;
	uint32_t hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void msr_write(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32))
			 : "memory");
}

#endif
