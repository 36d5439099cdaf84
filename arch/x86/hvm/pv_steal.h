/* SPDX-License-Identifier: BSD-2-Clause */
/* Steal time: a structure in the guest's memory that tells for how long a vCPU had to wait for a CPU, */
/* and whether it has one. Linux, Documentation/virt/kvm, "KVM-specific MSRs", MSR_KVM_STEAL_TIME. By
 * it others may also ask a vCPU without a CPU to flush its TLB: "KVM CPUID bits", PV_TLB_FLUSH. */
#ifndef ARCH_X86_HVM_PV_STEAL_H
#define ARCH_X86_HVM_PV_STEAL_H

#include "hv/lib/types.h"

struct vcpu;

struct pv_steal {
	uint64_t msr;  /* atomic: as written */
	uint64_t seen; /* [O] thread_waited() of which the guest was told */
};

/* The MSR; false: #GP. v's thread. */
bool pv_steal_read(struct vcpu *v, uint64_t *val);
bool pv_steal_write(struct vcpu *v, uint64_t val);
/* Has v's guest it in use? Any thread. */
bool pv_steal_used(const struct vcpu *v);
/* Are only bits set that may be? */
bool pv_steal_msr_ok(uint64_t val);

/*
 * v's thread has a CPU again, or is about to lose it: tells the guest. Between the two nobody leaves
 * it to v to flush its TLB, so what was left to it is known before v's next entry.
 */
void pv_steal_switched_in(struct vcpu *v);
void pv_steal_switched_out(struct vcpu *v);

#endif
