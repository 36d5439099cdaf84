/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a vCPU's registers to the instruction emulator. */
/* General registers are shared, not copied. */
#include "arch/x86/hvm/guest_regs.h"

#include "arch/x86/hvm/x86_bits.h"

_Static_assert((int)INSN_ES == (int)HVM_ES && (int)INSN_CS == (int)HVM_CS &&
		       (int)INSN_SS == (int)HVM_SS && (int)INSN_DS == (int)HVM_DS &&
		       (int)INSN_FS == (int)HVM_FS && (int)INSN_GS == (int)HVM_GS,
	       "both in the order of the instruction encoding");

void guest_regs_load(struct vcpu *v, struct insn_regs *regs)
{
	regs->gpr = v->gprs;
	regs->rip = x86_reg(v, HVM_RIP);
	regs->rflags = x86_reg(v, HVM_RFLAGS);
	for (unsigned int i = 0; i < INSN_SEGMENTS; i++) {
		struct hvm_segment seg;

		hvm->get_seg(v, (enum hvm_seg)i, &seg);
		regs->segment_base[i] = seg.base;
	}
}
