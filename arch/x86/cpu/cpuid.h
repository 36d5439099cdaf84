/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID instruction of the executing CPU. */
/* What a guest is told is arch/x86/hvm/cpuid. */
#ifndef ARCH_X86_CPU_CPUID_H
#define ARCH_X86_CPU_CPUID_H

#include "hv/lib/types.h"

struct cpuid_regs {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

static inline struct cpuid_regs cpuid_read(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* As cpuid_read, but zeros if the leaf lies beyond the last one of its range (0 or 80000000h). */
static inline struct cpuid_regs cpuid_read_checked(uint32_t leaf, uint32_t subleaf)
{
	if (cpuid_read(leaf & 0x80000000u, 0).eax < leaf) {
		return (struct cpuid_regs){ 0 };
	}
	return cpuid_read(leaf, subleaf);
}

#endif
