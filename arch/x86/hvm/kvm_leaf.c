/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID leaves of hypervisors, 40000000h on: KVM's signature and features, and our own signature. */
/* What a feature does is in its own file: pvclock.c and others. */
#include "arch/x86/hvm/kvm_leaf.h"

#include "arch/clock.h"
#include "arch/x86/cpu/tsc_sync.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "hv/vcpu.h"
#include "hv/vm_config.h"

#define KVM_LEAF     0x40000000u
#define KVM_FEATURES 0x40000001u
#define INSULA_LEAF  0x40000100u
#define HZ_PER_KHZ   1000u
#define BIT_OF(f)    (1u << (f))
#define KVM_NAME     0x4b4d564b, 0x564b4d56, 0x4d /* "KVMKVMKVM\0\0\0" in EBX, ECX, EDX */
#define INSULA_NAME  0x75736e49, 0x5648616c, 0	  /* "InsulaHV\0\0\0\0" */

static uint32_t withheld;

void kvm_leaf_withhold(enum kvm_feature f)
{
	withheld |= BIT_OF(f);
}

static void add(struct vcpuid_view *view, uint32_t leaf, struct x86_cpuid regs)
{
	view->hyper[view->hyper_count++] = (struct vcpuid_hyper){ leaf, regs };
}

static uint32_t features(void)
{
	uint32_t bits = BIT_OF(KVM_NOP_IO_DELAY) | BIT_OF(KVM_CLOCKSOURCE2) |
			BIT_OF(KVM_STEAL_TIME) | BIT_OF(KVM_PV_EOI) | BIT_OF(KVM_PV_TLB_FLUSH) |
			BIT_OF(KVM_PV_SEND_IPI) | BIT_OF(KVM_PV_SCHED_YIELD);

	bits |= tsc_sync_agrees() ? BIT_OF(KVM_CLOCKSOURCE_STABLE) : 0;
	return bits & ~withheld;
}

/* VMware's way to tell kHz of the TSC and of the bus that the local APIC's timer counts: the same. */
static void add_timing(struct vcpuid_view *view)
{
	uint32_t khz = (uint32_t)u64_min(clock_hz() / HZ_PER_KHZ, UINT32_MAX);

	add(view, KVM_LEAF_TIMING, (struct x86_cpuid){ khz, khz, 0, 0 });
}

void kvm_leaf_make(struct vcpuid_view *view, const struct vm_config *cfg)
{
	view->hyper_count = 0;
	view->kvm_features = 0;
	if (!cfg->paravirt) {
		add(view, KVM_LEAF, (struct x86_cpuid){ KVM_LEAF, INSULA_NAME });
		return;
	}
	view->kvm_features = features();
	add(view, KVM_LEAF, (struct x86_cpuid){ KVM_LEAF_TIMING, KVM_NAME });
	add(view, KVM_FEATURES, (struct x86_cpuid){ view->kvm_features, 0, 0, 0 });
	add_timing(view);
	add(view, INSULA_LEAF, (struct x86_cpuid){ INSULA_LEAF, INSULA_NAME });
}

bool kvm_leaf_has(const struct vcpu *v, enum kvm_feature f)
{
	return (v->x86->cpuid->kvm_features & BIT_OF(f)) != 0;
}

bool kvm_leaf_any(const struct vcpu *v)
{
	return v->x86->cpuid->kvm_features != 0;
}

void kvm_leaf_note_use(struct vcpu *v, enum kvm_feature f)
{
	__atomic_fetch_or(&v->x86->kvm_used, BIT_OF(f), __ATOMIC_RELAXED);
}

bool kvm_leaf_is_used(const struct vcpu *v, enum kvm_feature f)
{
	return (__atomic_load_n(&v->x86->kvm_used, __ATOMIC_RELAXED) & BIT_OF(f)) != 0;
}
