/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest registers and segments in the VMCS, behind hvm_ops. */
/* Validity is checked above; here only what VMX itself demands is added. */
#ifndef ARCH_X86_VMX_VMX_REG_H
#define ARCH_X86_VMX_VMX_REG_H

#include "arch/hvm.h"
#include "arch/x86/hvm/x86_bits.h"

/* Exceptions that exit. #DB and #AC: their delivery can raise them again without end, inside one
 * instruction, where no interrupt comes in. #MC is the host's. */
#define VMX_EXCEPTIONS (BIT(1) | BIT(17) | BIT(18))

#define VMX_DR6_RESET 0xffff0ff0ul

/* Bits of CR0 that the guest writes without an exit; all others exit if the write changes them. */
#define VMX_CR0_GUEST (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define VMX_CR0_MASK  (~(uint64_t)VMX_CR0_GUEST)

/* SDM Vol. 3C, "Interruptibility State". */
#define VMX_BLOCKED_STI	   BIT(0)
#define VMX_BLOCKED_MOV_SS BIT(1)
#define VMX_BLOCKED_NMI	   BIT(3)
#define VMX_SHADOW	   (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS)

/* "CR4 guest/host mask": the bits that exit. */
uint64_t vmx_reg_cr4_mask(const struct vcpu *v);

/* All: from v's thread, or before it has one. */
uint64_t vmx_reg_get(const struct vcpu *v, enum hvm_reg r);
void vmx_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val);
void vmx_reg_get_seg(const struct vcpu *v, enum hvm_seg s, struct hvm_segment *out);
void vmx_reg_set_seg(struct vcpu *v, enum hvm_seg s, const struct hvm_segment *in);
bool vmx_reg_interrupt_shadow(const struct vcpu *v);
void vmx_reg_get_halfway(struct vcpu *v, struct hvm_halfway *out);
void vmx_reg_set_halfway(struct vcpu *v, const struct hvm_halfway *in);

#endif
