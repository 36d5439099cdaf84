/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns on x87, SSE and, where it exists, AVX. */
/* Saves no state. */
#include "guests/hostile/fpu.h"
#include "guests/lib/cpu.h"

#define CR0_MP	       0x2u
#define CR0_EM	       0x4u
#define CR0_TS	       0x8u
#define CR4_OSFXSR     0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_OSXSAVE    0x40000u
#define CPUID1_XSAVE   (1u << 26)
#define CPUID1_AVX     (1u << 28)

void fpu_init(void)
{
	uint32_t ecx = cpu_cpuid(1, 0).ecx;

	cpu_write_cr0((cpu_read_cr0() | CR0_MP) & ~(uint64_t)(CR0_EM | CR0_TS));
	cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	__asm__ volatile("fninit");
	if (ecx & CPUID1_XSAVE) {
		cpu_write_cr4(cpu_read_cr4() | CR4_OSXSAVE);
		__asm__ volatile("xsetbv" ::"c"(0), "a"(ecx & CPUID1_AVX ? 7 : 3), "d"(0));
	}
}
