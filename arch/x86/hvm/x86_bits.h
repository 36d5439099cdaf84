/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits of the architectural registers as a guest sees them, and short reads of those registers. */
/* The host's own control registers are arch/x86/cpu's. */
#ifndef ARCH_X86_HVM_X86_BITS_H
#define ARCH_X86_HVM_X86_BITS_H

#include "arch/hvm.h"
#include "hv/vcpu.h"

/* SDM Vol. 3A, "Control Registers". */
#define X86_CR0_PE BIT(0)
#define X86_CR0_MP BIT(1)
#define X86_CR0_EM BIT(2)
#define X86_CR0_TS BIT(3)
#define X86_CR0_ET BIT(4)
#define X86_CR0_NE BIT(5)
#define X86_CR0_WP BIT(16)
#define X86_CR0_AM BIT(18)
#define X86_CR0_NW BIT(29)
#define X86_CR0_CD BIT(30)
#define X86_CR0_PG BIT(31)

#define X86_CR4_VME	   BIT(0)
#define X86_CR4_PVI	   BIT(1)
#define X86_CR4_TSD	   BIT(2)
#define X86_CR4_DE	   BIT(3)
#define X86_CR4_PSE	   BIT(4)
#define X86_CR4_PAE	   BIT(5)
#define X86_CR4_MCE	   BIT(6)
#define X86_CR4_PGE	   BIT(7)
#define X86_CR4_PCE	   BIT(8)
#define X86_CR4_OSFXSR	   BIT(9)
#define X86_CR4_OSXMMEXCPT BIT(10)
#define X86_CR4_UMIP	   BIT(11)
#define X86_CR4_FSGSBASE   BIT(16)
#define X86_CR4_PCIDE	   BIT(17)
#define X86_CR4_OSXSAVE	   BIT(18)
#define X86_CR4_SMEP	   BIT(20)
#define X86_CR4_SMAP	   BIT(21)

#define X86_EFER_SCE   BIT(0)
#define X86_EFER_LME   BIT(8)
#define X86_EFER_LMA   BIT(10)
#define X86_EFER_NXE   BIT(11)
#define X86_EFER_FFXSR BIT(14)

#define X86_RFLAGS_FIXED BIT(1)
#define X86_RFLAGS_IF	 BIT(9)
#define X86_RFLAGS_DF	 BIT(10)
#define X86_RFLAGS_IOPL	 (3ul << 12)
#define X86_RFLAGS_VM	 BIT(17)
#define X86_RFLAGS_AC	 BIT(18)

/* Attributes of struct hvm_segment. */
#define X86_SEG_TYPE	  0xfu
#define X86_SEG_CODE	  0x8u
#define X86_SEG_DPL(attr) (((unsigned int)(attr) >> 5) & 3)
#define X86_SEG_P	  0x80u
#define X86_SEG_L	  0x200u
#define X86_SEG_DB	  0x400u

static inline uint64_t x86_reg(const struct vcpu *v, enum hvm_reg r)
{
	return hvm->get_reg(v, r);
}

/* The backends keep the CPL in SS.DPL (SDM Vol. 3C, "Checks on Guest Segment Registers"). */
static inline unsigned int x86_cpl(const struct vcpu *v)
{
	struct hvm_segment ss;

	hvm->get_seg(v, HVM_SS, &ss);
	return X86_SEG_DPL(ss.attr);
}

#endif
