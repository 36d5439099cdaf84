/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits of the architectural registers as a guest sees them, and short reads of those registers. */
/* The host's own control registers are arch/x86/cpu's. */
#ifndef ARCH_X86_HVM_X86_BITS_H
#define ARCH_X86_HVM_X86_BITS_H

#include "arch/hvm.h"
#include "arch/x86/cpu/x86.h"
#include "hv/vcpu.h"

#define X86_RFLAGS_FIXED BIT(1)
#define X86_RFLAGS_IOPL	 (3ul << 12)

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
