/* SPDX-License-Identifier: BSD-2-Clause */
/* Steal time: how long a vCPU could have run and had no CPU, in a structure in the guest's memory. */
/* The waiting is measured by hv/thread; the flush is the backend's. */
#include "arch/x86/hvm/pv_steal.h"

#include "arch/clock.h"
#include "arch/hvm.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "hv/guest_mem.h"
#include "hv/thread.h"
#include "hv/vcpu.h"

#define ENABLE	 BIT(0)
#define RESERVED 0x3eul
#define ADDRESS	 (~0x3ful)

/* Of the byte `preempted`. */
#define HAS_NO_CPU 1u
#define FLUSH_TLB  2u /* set by another vCPU of the guest, in exchange for HAS_NO_CPU alone */

/* An interface with the guest, Documentation/virt/kvm. */
struct area {
	uint64_t steal;	  /* ns */
	uint32_t version; /* odd while the others change */
	uint32_t flags;	  /* none is defined */
	uint8_t preempted;
	uint8_t reserved[47];
};
_Static_assert(sizeof(struct area) == 64, "KVM steal time");
_Static_assert(offsetof(struct area, preempted) == 16, "KVM steal time");

bool pv_steal_msr_ok(uint64_t val)
{
	return (val & RESERVED) == 0;
}

bool pv_steal_used(const struct vcpu *v)
{
	return (__atomic_load_n(&v->x86->steal.msr, __ATOMIC_RELAXED) & ENABLE) != 0;
}

bool pv_steal_read(struct vcpu *v, uint64_t *val)
{
	*val = v->x86->steal.msr;
	return true;
}

/* NULL: the guest has none, or it is no RAM any more. */
static struct area *area_of(const struct vcpu *v)
{
	gpa_t gpa = { v->x86->steal.msr & ADDRESS };

	return pv_steal_used(v) ? guest_mem_slice(v->vm, gpa, sizeof(struct area)) : NULL;
}

/*
 * Adds to what is there, so that it goes on where a VM was saved. A version left odd, by the guest or
 * by a copy of its memory, is made even again.
 */
static void add_waited(struct vcpu *v, struct area *a)
{
	uint64_t waited = thread_waited(v->thread);
	uint64_t ns = clock_ticks_to_ns(waited - v->x86->steal.seen);
	uint32_t version = __atomic_load_n(&a->version, __ATOMIC_RELAXED) | 1;

	v->x86->steal.seen = waited;
	__atomic_store_n(&a->version, version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_fetch_add(&a->steal, ns, __ATOMIC_RELAXED);
	__atomic_store_n(&a->version, version + 1, __ATOMIC_RELEASE);
}

void pv_steal_switched_in(struct vcpu *v)
{
	struct area *a = area_of(v);

	if (a == NULL) {
		return;
	}
	/* In one step: who comes later sees that it runs, and interrupts it instead. */
	if ((__atomic_exchange_n(&a->preempted, 0, __ATOMIC_SEQ_CST) & FLUSH_TLB) != 0) {
		hvm->flush_tlb(v);
		kvm_leaf_note_use(v, KVM_PV_TLB_FLUSH);
	}
	add_waited(v, a);
}

void pv_steal_switched_out(struct vcpu *v)
{
	struct area *a = area_of(v);

	if (a != NULL) {
		__atomic_store_n(&a->preempted, HAS_NO_CPU, __ATOMIC_SEQ_CST);
	}
}

bool pv_steal_write(struct vcpu *v, uint64_t val)
{
	gpa_t gpa = { val & ADDRESS };

	if (!pv_steal_msr_ok(val)) {
		return false;
	}
	if ((val & ENABLE) != 0 && guest_mem_slice(v->vm, gpa, sizeof(struct area)) == NULL) {
		return false;
	}
	__atomic_store_n(&v->x86->steal.msr, val, __ATOMIC_RELAXED);
	if (pv_steal_used(v)) {
		v->x86->steal.seen = thread_waited(v->thread);
		pv_steal_switched_in(v);
	}
	return true;
}
