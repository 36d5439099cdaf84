/* SPDX-License-Identifier: BSD-2-Clause */
/* Paravirtual EOI: a bit in the guest's memory by which it ends an interrupt without an exit. */
/* Linux, Documentation/virt/kvm, "KVM-specific MSRs", MSR_KVM_PV_EOI_EN. When it may be set, and what
 * the end of an interrupt does, is vlapic.c's. */
#ifndef ARCH_X86_HVM_PV_EOI_H
#define ARCH_X86_HVM_PV_EOI_H

#include "hv/lib/types.h"

struct vcpu;

struct pv_eoi {
	uint64_t msr; /* atomic: as written */
	bool armed; /* [O] the bit was set: who finds it clear knows that the guest ended its interrupt */
};

/* The MSR; false: #GP. v's thread. */
bool pv_eoi_read(struct vcpu *v, uint64_t *val);
bool pv_eoi_write(struct vcpu *v, uint64_t val);
/* Has v's guest it in use? Any thread. */
bool pv_eoi_used(const struct vcpu *v);

/* Sets the bit, if the guest has one. v's thread. */
void pv_eoi_arm(struct vcpu *v);
/* Only if armed: takes the bit back. True: the guest has ended its interrupt. v's thread. */
bool pv_eoi_disarm(struct vcpu *v);

#endif
