/* SPDX-License-Identifier: BSD-2-Clause */
/* A local APIC as a block of a saved VM's file, and back. Its times are kept as the guest's TSC. */
/* What its fields mean is vlapic.c's, vlapic_reg.c's and vlapic_timer.c's. */
#include "arch/x86/hvm/vcpu_save.h"

#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/guest_mem.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"

struct lapic_block {
	struct vlapic_state s;
	uint64_t eoi; /* MSR of the paravirtual EOI */
};
_Static_assert(sizeof(struct vlapic_state) == 200, "part of the saved state");

#define BASE_FLAGS (VLAPIC_BASE_BSP | VLAPIC_BASE_X2APIC | VLAPIC_BASE_ENABLE)

static size_t size(const struct vcpu *v)
{
	(void)v;
	return sizeof(struct lapic_block);
}

/* Of a host's time that means a moment; 0 is none. */
static uint64_t shifted(uint64_t ticks, uint64_t by)
{
	return ticks != 0 ? ticks + by : 0;
}

static int save(struct vcpu *v, void *block)
{
	struct vlapic *l = v->lapic;
	struct lapic_block *b = block;
	bool firing;

	spin_lock(&l->timer_lock);
	/* Between its look at the deadline and the interrupt, it would be in neither. */
	firing = __atomic_load_n(&l->timer.running, __ATOMIC_ACQUIRE) != 0;
	memcpy(&b->s, &l->s, sizeof(b->s));
	spin_unlock(&l->timer_lock);
	b->s.started = 0;
	b->s.deadline = shifted(b->s.deadline, v->tsc_offset);
	b->eoi = l->eoi.msr;
	return firing ? -EAGAIN : 0;
}

/* ---- checks ---- */

static bool base_ok(const struct vcpu *v, uint64_t base)
{
	bool x2apic = (base & VLAPIC_BASE_X2APIC) != 0;

	return (base & ~(uint64_t)BASE_FLAGS) == VLAPIC_BASE &&
	       ((base & VLAPIC_BASE_BSP) != 0) == (v->id == 0) &&
	       (!x2apic || ((base & VLAPIC_BASE_ENABLE) != 0 && vcpuid_has(v, VCPUID_X2APIC)));
}

/* 0-15 are no vectors of interrupts. */
static bool vectors_ok(const struct vlapic_state *s)
{
	return ((s->irr[0] | s->isr[0]) & 0xffff) == 0;
}

static bool id_ok(const struct vcpu *v, const struct vlapic_state *s)
{
	bool x2apic = (s->base & VLAPIC_BASE_X2APIC) != 0;

	return s->id == (x2apic ? v->id : v->id << 24);
}

static bool eoi_ok(const struct vcpu *v, uint64_t msr)
{
	gpa_t word = { msr & ~(uint64_t)3 };

	return (msr & 2) == 0 &&
	       ((msr & 1) == 0 || (kvm_leaf_has(v, KVM_PV_EOI) &&
				   guest_mem_slice(v->vm, word, sizeof(uint32_t)) != NULL));
}

/* ---- loading ---- */

static int load(struct vcpu *v, const void *block)
{
	const struct lapic_block *b = block;
	struct vlapic *l = v->lapic;

	if (!base_ok(v, b->s.base) || !vectors_ok(&b->s) || !id_ok(v, &b->s) ||
	    !vlapic_reg_state_ok(&b->s) || !eoi_ok(v, b->eoi)) {
		return -EINVAL;
	}
	vlapic_timer_stop(l);
	l->s = b->s;
	l->eoi = (struct pv_eoi){ .msr = b->eoi };
	vlapic_timer_load(l, shifted(b->s.deadline, 0 - v->tsc_offset));
	__atomic_fetch_or(&v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED); /* it looks once */
	return 0;
}

const struct hvm_part vlapic_save_part = {
	.name = "lapic",
	.version = 1,
	.timed = true,
	.size = size,
	.save = save,
	.load = load,
};
