/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a vCPU's registers to the instruction emulator. */
/* General registers are shared, not copied. */
#ifndef ARCH_X86_HVM_GUEST_REGS_H
#define ARCH_X86_HVM_GUEST_REGS_H

#include "arch/x86/hvm/insn.h"

struct vcpu;

/* RIP, RFLAGS and segment bases as they are now; regs->gpr is v's own array. */
void guest_regs_load(struct vcpu *v, struct insn_regs *regs);

#endif
