/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID leaves of hypervisors, 40000000h on: KVM's signature and features, and our own signature. */
/* What a feature does is in its own file: pvclock.c and others. */
#ifndef ARCH_X86_HVM_KVM_LEAF_H
#define ARCH_X86_HVM_KVM_LEAF_H

#include "arch/x86/hvm/vcpuid.h"

struct vcpu;
struct vm_config;

#define KVM_LEAF_TIMING 0x40000010u /* kHz of TSC and local APIC timer, as VMware tells it */

/* EAX of 40000001h; Linux, Documentation/virt/kvm, "KVM CPUID bits". The value is the bit. */
enum kvm_feature {
	KVM_NOP_IO_DELAY = 1, /* port 80h need not be written to wait: nothing to do for us */
	KVM_CLOCKSOURCE2 = 3,
	KVM_STEAL_TIME = 5,
	KVM_PV_EOI = 6,
	KVM_PV_TLB_FLUSH = 9,
	KVM_PV_SEND_IPI = 11,
	KVM_PV_SCHED_YIELD = 13,
	KVM_CLOCKSOURCE_STABLE = 24,
};

/* Fills the hypervisors' leaves of a new view. */
/* Once at boot, before the first VM: no guest is offered f, since the processor does better. */
void kvm_leaf_withhold(enum kvm_feature f);
void kvm_leaf_make(struct vcpuid_view *view, const struct vm_config *cfg);
/* Is v's guest offered that feature? */
bool kvm_leaf_has(const struct vcpu *v, enum kvm_feature f);
/* Is v's guest told of KVM's interface at all? */
bool kvm_leaf_any(const struct vcpu *v);
/* v's guest made use of that feature: what kvm_leaf_is_used tells from then on. v's thread. */
void kvm_leaf_note_use(struct vcpu *v, enum kvm_feature f);
/* Any thread that keeps v alive. */
bool kvm_leaf_is_used(const struct vcpu *v, enum kvm_feature f);

#endif
