/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's core: state, priorities, acceptance and end of interrupts, IA32_APIC_BASE. */
/* Registers, timer and IPIs are vlapic_reg.c, vlapic_timer.c, vlapic_ipi.c. */
#include "arch/x86/hvm/vlapic.h"

#include "arch/x86/hvm/vlapic_page.h"
#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"
#include "hv/vm.h"

#define AFTER_BASE sizeof(uint64_t)
_Static_assert(offsetof(struct vlapic_state, irr) == AFTER_BASE, "base comes first");

/* Highest set bit of a 256-bit register, or -1. */
static int highest(const uint64_t reg[4])
{
	for (int i = 3; i >= 0; i--) {
		uint64_t word = __atomic_load_n(&reg[i], __ATOMIC_RELAXED);

		if (word != 0) {
			return i * 64 + 63 - __builtin_clzl(word);
		}
	}
	return -1;
}

static void set_bit(uint64_t reg[4], uint8_t n)
{
	__atomic_fetch_or(&reg[n / 64], BIT(n % 64), __ATOMIC_RELEASE);
}

static void clear_bit(uint64_t reg[4], uint8_t n)
{
	__atomic_fetch_and(&reg[n / 64], ~BIT(n % 64), __ATOMIC_RELEASE);
}

static bool test_bit(const uint64_t reg[4], uint8_t n)
{
	return (__atomic_load_n(&reg[n / 64], __ATOMIC_RELAXED) & BIT(n % 64)) != 0;
}

static bool is_live(const struct vlapic *l)
{
	return unlikely(__atomic_load_n(&l->live, __ATOMIC_ACQUIRE));
}

bool vlapic_requests(const struct vlapic *l, uint8_t vector)
{
	return test_bit(l->s.irr, vector) || (is_live(l) && vlapic_page_requests(l, vector));
}

void vlapic_new_mode(struct vlapic *l)
{
	if (l->page != NULL) {
		__atomic_fetch_or(&l->v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
	}
}

static const struct virq_lapic_ops virq_ops = {
	.send = vlapic_send,
	.waits = vlapic_waits,
	.pic_output = vlapic_pic_output,
};

void vlapic_init(void)
{
	virq_set_lapic_ops(&virq_ops);
}

int vlapic_create(struct vcpu *v)
{
	struct vlapic *l = heap_alloc(sizeof(*l));

	if (l == NULL) {
		return -ENOMEM;
	}
	l->v = v;
	vlapic_timer_init(l);
	v->lapic = l;
	vlapic_reset(v);
	return 0;
}

void vlapic_destroy(struct vcpu *v)
{
	if (v->lapic != NULL) {
		timer_destroy(&v->lapic->timer);
		heap_free(v->lapic);
		v->lapic = NULL;
	}
}

/*
 * All but IA32_APIC_BASE, at any moment: others look at it before they send, and the SIPI that follows an
 * INIT is not sent twice.
 */
void vlapic_init_signal(struct vlapic *l)
{
	vlapic_timer_stop(l);
	vlapic_sync(l);
	memset((uint8_t *)&l->s + AFTER_BASE, 0, sizeof(l->s) - AFTER_BASE);
	l->s.dfr = UINT32_MAX;
	l->s.svr = 0xff;
	l->s.id = vlapic_is_x2apic(l) ? l->v->id : l->v->id << 24;
	for (unsigned int i = 0; i < VLAPIC_LVTS; i++) {
		l->s.lvt[i] = VLAPIC_LVT_MASKED;
	}
	vlapic_new_mode(l);
}

void vlapic_reset(struct vcpu *v)
{
	struct vlapic *l = v->lapic;

	l->s.base = VLAPIC_BASE | VLAPIC_BASE_ENABLE | (v->id == 0 ? VLAPIC_BASE_BSP : 0);
	vlapic_init_signal(l);
}

void vlapic_virtual_wire(struct vcpu *v)
{
	struct vlapic_state *s = &v->lapic->s;

	s->svr |= VLAPIC_SVR_ENABLE;
	s->lvt[VLAPIC_LVT_LINT0] = VIRQ_EXTINT << 8;
	s->lvt[VLAPIC_LVT_LINT1] = VIRQ_NMI << 8;
	vlapic_new_mode(v->lapic);
}

void vlapic_accept(struct vlapic *l, uint8_t vector, bool level)
{
	if (!vlapic_is_enabled(l) || !vlapic_is_sw_enabled(l)) {
		return;
	}
	if (vector < 16) {
		vlapic_error(l, VLAPIC_ESR_RECEIVE_VECTOR);
		return;
	}
	if (level) {
		set_bit(l->s.tmr, vector);
	} else if (test_bit(l->s.tmr, vector)) {
		clear_bit(l->s.tmr, vector);
	}
	set_bit(l->s.irr, vector);
	vcpu_set_pending(l->v, VCPU_PENDING_IRQ);
}

/* SDM "Task and Processor Priorities": the higher class of task and of interrupt in service. */
uint32_t vlapic_ppr(const struct vlapic *l)
{
	int in_service;
	uint32_t isr_class;

	if (is_live(l)) {
		return vlapic_page_ppr(l);
	}
	in_service = highest(l->s.isr);
	isr_class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;
	return (l->s.tpr & 0xf0) >= isr_class ? l->s.tpr : isr_class;
}

int vlapic_pending(const struct vlapic *l)
{
	int vector = highest(l->s.irr);
	int held = is_live(l) ? vlapic_page_highest_request(l) : -1;

	vector = held > vector ? held : vector;
	if (vector < 0 || !vlapic_is_enabled(l) ||
	    ((uint32_t)vector & 0xf0) <= (vlapic_ppr(l) & 0xf0)) {
		return -1;
	}
	return vector;
}

void vlapic_sync(struct vlapic *l)
{
	if (l->eoi.armed && pv_eoi_disarm(l->v)) {
		for (unsigned int i = 0; i < ARRAY_SIZE(l->s.isr); i++) {
			l->s.isr[i] = 0; /* it was the only one, and edge-triggered */
		}
	}
	if (is_live(l)) {
		vlapic_page_pull(l);
	}
}

/*
 * Nobody but the guest cares when this interrupt ends: it is edge-triggered, no other one is in
 * service, and none waits for its end. One that comes later takes the right back (vlapic_sync).
 */
static bool ends_quietly(const struct vlapic *l, uint8_t vector, bool alone)
{
	return alone && !test_bit(l->s.tmr, vector) && highest(l->s.irr) < 0;
}

void vlapic_take(struct vlapic *l, uint8_t vector)
{
	bool alone = highest(l->s.isr) < 0;

	clear_bit(l->s.irr, vector);
	l->s.isr[vector / 64] |= BIT(vector % 64);
	if (ends_quietly(l, vector, alone)) {
		pv_eoi_arm(l->v);
	}
}

void vlapic_update(struct vlapic *l)
{
	if (vlapic_pending(l) >= 0) {
		__atomic_fetch_or(&l->v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
	}
}

void vlapic_eoi(struct vlapic *l)
{
	vlapic_sync(l);
	int vector = highest(l->s.isr);

	if (vector < 0) {
		return;
	}
	l->s.isr[vector / 64] &= ~BIT(vector % 64);
	if (test_bit(l->s.tmr, (uint8_t)vector)) {
		virq_eoi(l->v->vm, (uint8_t)vector);
	}
	vlapic_update(l);
}

bool vlapic_takes_pic(const struct vlapic *l)
{
	uint32_t lint0 = l->s.lvt[VLAPIC_LVT_LINT0];

	if (l->v->id != 0) {
		return false; /* only CPU 0's LINT0 is wired to the PIC */
	}
	if (!vlapic_is_enabled(l)) {
		return true; /* LINT0 is then the CPU's INTR pin */
	}
	return (lint0 & (VLAPIC_LVT_MASKED | VLAPIC_LVT_MODE)) == VIRQ_EXTINT << 8;
}

void vlapic_local(struct vlapic *l, enum vlapic_lvt which)
{
	uint32_t lvt = __atomic_load_n(&l->s.lvt[which], __ATOMIC_RELAXED);

	if ((lvt & VLAPIC_LVT_MASKED) != 0) {
		return;
	}
	switch ((lvt & VLAPIC_LVT_MODE) >> 8) {
	case VIRQ_FIXED:
		vlapic_accept(l, lvt & VLAPIC_LVT_VECTOR, (lvt & VLAPIC_LVT_LEVEL) != 0);
		break;
	case VIRQ_NMI:
		vcpu_set_pending(l->v, VCPU_PENDING_NMI);
		break;
	case VIRQ_EXTINT:
		vcpu_set_pending(l->v, VCPU_PENDING_IRQ);
		break;
	default: /* SMI and INIT from a local source: no board wires that */
		break;
	}
}

void vlapic_pic_output(struct vm *vm, bool level)
{
	struct vcpu *v = vm->vcpus[0];

	if (!level || v == NULL || v->lapic == NULL) {
		return;
	}
	if (!vlapic_is_enabled(v->lapic)) {
		vcpu_set_pending(v, VCPU_PENDING_IRQ);
	} else {
		vlapic_local(v->lapic, VLAPIC_LVT_LINT0);
	}
}

void vlapic_error(struct vlapic *l, uint32_t esr_bit)
{
	uint32_t vector = l->s.lvt[VLAPIC_LVT_ERROR] & VLAPIC_LVT_VECTOR;
	uint32_t before = __atomic_fetch_or(&l->s.esr_next, esr_bit, __ATOMIC_RELAXED);

	/* An illegal vector in the error entry itself must not report itself without end. */
	if ((before & esr_bit) == 0 && vector >= 16) {
		vlapic_local(l, VLAPIC_LVT_ERROR);
	}
}

uint64_t vlapic_get_cr8(const struct vlapic *l)
{
	return l->s.tpr >> 4;
}

void vlapic_set_cr8(struct vlapic *l, uint64_t cr8)
{
	l->s.tpr = (uint32_t)(cr8 & 15) << 4;
	vlapic_update(l);
}

bool vlapic_has_mmio(const struct vlapic *l)
{
	return vlapic_is_enabled(l) && !vlapic_is_x2apic(l);
}

/* SDM "x2APIC State Transitions". */
static bool transition_ok(uint64_t from, uint64_t to)
{
	const uint64_t mode = VLAPIC_BASE_ENABLE | VLAPIC_BASE_X2APIC;

	from &= mode;
	to &= mode;
	if (to == VLAPIC_BASE_X2APIC) {
		return false;
	}
	return !(from == mode && to == VLAPIC_BASE_ENABLE) && !(from == 0 && to == mode);
}

bool vlapic_set_base(struct vlapic *l, uint64_t val)
{
	const uint64_t flags = VLAPIC_BASE_BSP | VLAPIC_BASE_X2APIC | VLAPIC_BASE_ENABLE;
	uint64_t old = l->s.base;

	if ((val & ~flags) != VLAPIC_BASE || !transition_ok(old, val)) {
		return false;
	}
	vlapic_sync(l);
	l->s.base = (val & ~VLAPIC_BASE_BSP) | (old & VLAPIC_BASE_BSP);
	if (((old ^ val) & VLAPIC_BASE_ENABLE) != 0) {
		vlapic_init_signal(l);
	} else if (((old ^ val) & VLAPIC_BASE_X2APIC) != 0) {
		l->s.id = l->v->id;
		l->s.icr &= UINT32_MAX;
	}
	vlapic_new_mode(l);
	if (vlapic_takes_pic(l)) {
		/* The PIC may have been asking all along, and makes no edge for having been let in. */
		__atomic_fetch_or(&l->v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
	}
	return true;
}
