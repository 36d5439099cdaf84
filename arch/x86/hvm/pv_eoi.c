/* SPDX-License-Identifier: BSD-2-Clause */
/* Paravirtual EOI: a bit in the guest's memory by which it ends an interrupt without an exit. */
/* When it may be set, and what the end of an interrupt does, is vlapic.c's. */
#include "arch/x86/hvm/pv_eoi.h"

#include "arch/x86/hvm/vlapic.h"
#include "hv/guest_mem.h"
#include "hv/vcpu.h"

#define ENABLE	 BIT(0)
#define RESERVED BIT(1)
#define PENDING	 1u /* in the guest's word: it need not write its EOI register */

static gpa_t word_of(const struct vcpu *v)
{
	return (gpa_t){ v->lapic->eoi.msr & ~(ENABLE | RESERVED) };
}

bool pv_eoi_used(const struct vcpu *v)
{
	return (__atomic_load_n(&v->lapic->eoi.msr, __ATOMIC_RELAXED) & ENABLE) != 0;
}

bool pv_eoi_read(struct vcpu *v, uint64_t *val)
{
	*val = v->lapic->eoi.msr;
	return true;
}

bool pv_eoi_write(struct vcpu *v, uint64_t val)
{
	gpa_t word = { val & ~ENABLE };

	if ((val & RESERVED) != 0) {
		return false;
	}
	if ((val & ENABLE) != 0 && guest_mem_slice(v->vm, word, sizeof(uint32_t)) == NULL) {
		return false;
	}
	vlapic_sync(v->lapic); /* by the old word */
	__atomic_store_n(&v->lapic->eoi.msr, val, __ATOMIC_RELAXED);
	return true;
}

void pv_eoi_arm(struct vcpu *v)
{
	uint32_t val = PENDING;

	if (pv_eoi_used(v)) {
		v->lapic->eoi.armed = guest_mem_write(v->vm, word_of(v), &val, sizeof(val)) == 0;
	}
}

bool pv_eoi_disarm(struct vcpu *v)
{
	uint32_t val = PENDING, none = 0;

	v->lapic->eoi.armed = false;
	if (guest_mem_read(v->vm, word_of(v), &val, sizeof(val)) != 0) {
		return false; /* no RAM any more: the guest must end its interrupt in the other way */
	}
	guest_mem_write(v->vm, word_of(v), &none, sizeof(none));
	return (val & PENDING) == 0;
}
