/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that C has no words for: MSRs, control registers, CPUID, TSC; their bits and numbers. */
/* One per function, no policy. Ports are arch/pio.h's. */
#ifndef ARCH_X86_CPU_X86_H
#define ARCH_X86_CPU_X86_H

#include "hv/lib/types.h"

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)

#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)
#define EFER_SVME  BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSR BIT(14)
#define EFER_TCE   BIT(15)

#define RFLAGS_CF BIT(0)
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)

#define MSR_TSC		    0x10u
#define MSR_APIC_BASE	    0x1bu
#define MSR_TSC_ADJUST	    0x3bu
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_SYSENTER_CS	    0x174u
#define MSR_SYSENTER_ESP    0x175u
#define MSR_SYSENTER_EIP    0x176u
#define MSR_PAT		    0x277u
#define MSR_TSC_DEADLINE    0x6e0u
#define MSR_X2APIC_FIRST    0x800u
#define MSR_X2APIC_LAST	    0x8ffu
#define MSR_SPEC_CTRL	    0x48u
#define SPEC_CTRL_IBRS	    BIT(0)
#define MSR_PRED_CMD	    0x49u
#define MSR_EFER	    0xc0000080u
#define MSR_STAR	    0xc0000081u
#define MSR_LSTAR	    0xc0000082u
#define MSR_CSTAR	    0xc0000083u
#define MSR_SFMASK	    0xc0000084u
#define MSR_FS_BASE	    0xc0000100u
#define MSR_GS_BASE	    0xc0000101u
#define MSR_KERNEL_GS_BASE  0xc0000102u
#define MSR_TSC_AUX	    0xc0000103u

struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct x86_cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct x86_cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* As x86_cpuid, but zeros if the leaf lies beyond the last one of its range (0 or 80000000h). */
static inline struct x86_cpuid x86_cpuid_checked(uint32_t leaf, uint32_t subleaf)
{
	if (x86_cpuid(leaf & 0x80000000u, 0).eax < leaf) {
		return (struct x86_cpuid){ 0 };
	}
	return x86_cpuid(leaf, subleaf);
}

static inline uint64_t x86_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32))
			 : "memory");
}

/* False if the MSR does not exist (#GP): for probing only. */
static inline bool x86_rdmsr_safe(uint32_t msr, uint64_t *val)
{
	uint32_t lo = 0, hi = 0;
	uint8_t ok = 0;

	__asm__ volatile("1: rdmsr\n\t"
			 "movb $1, %[ok]\n"
			 "2:\n\t"
			 ".pushsection .extable, \"a\"\n\t"
			 ".quad 1b, 2b\n\t"
			 ".popsection"
			 : "+a"(lo), "+d"(hi), [ok] "+q"(ok)
			 : "c"(msr));
	*val = (uint64_t)hi << 32 | lo;
	return ok != 0;
}

#define X86_CR(n)                                                                                  \
	static inline uint64_t x86_read_cr##n(void)                                                \
	{                                                                                          \
		uint64_t val;                                                                      \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(val) : : "memory");                  \
		return val;                                                                        \
	}                                                                                          \
	static inline void x86_write_cr##n(uint64_t val)                                           \
	{                                                                                          \
		__asm__ volatile("movq %0, %%cr" #n : : "r"(val) : "memory");                      \
	}
X86_CR(0)
X86_CR(2)
X86_CR(3)
X86_CR(4)

static inline void x86_invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

#endif
