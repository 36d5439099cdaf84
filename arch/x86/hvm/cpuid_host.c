/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's own CPUID. */
/* Holds no policy. */
#include "arch/x86/hvm/cpuid_host.h"

static void execute(uint32_t leaf, uint32_t sub, struct cpuid_regs *out)
{
	__asm__ volatile("cpuid"
			 : "=a"(out->eax), "=b"(out->ebx), "=c"(out->ecx), "=d"(out->edx)
			 : "a"(leaf), "c"(sub));
}

void cpuid_host_read(uint32_t leaf, uint32_t sub, struct cpuid_regs *out)
{
	execute(leaf & 0x80000000u, 0, out);
	if (leaf > out->eax) {
		*out = (struct cpuid_regs){ 0 };
		return;
	}
	execute(leaf, sub, out);
}
