/* SPDX-License-Identifier: BSD-2-Clause */
/* Which event a guest gets next: exceptions we raise, NMIs, interrupts, in the manual's priority. */
/* Writing it into the VMCS or VMCB is the vendor's. */
#include "arch/x86/hvm/event.h"

#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/vm.h"

/* SDM Vol. 3A, "Double Fault Exception": benign, contributory, page fault. */
enum event_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static enum event_class class_of(uint8_t vector)
{
	const uint32_t contributory =
		BIT(VEC_DE) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP);

	if (vector == VEC_PF) {
		return PAGE_FAULT;
	}
	return vector < 32 && (contributory & BIT(vector)) != 0 ? CONTRIBUTORY : BENIGN;
}

bool event_has_error_code(uint8_t vector)
{
	const uint32_t with = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
			      BIT(VEC_PF) | BIT(VEC_AC);

	return vector < 32 && (with & BIT(vector)) != 0;
}

/* Do two exceptions, the second while the first is delivered, make a double fault? */
static bool is_double(enum event_class first, enum event_class second)
{
	static const bool table[3][3] = {
		/* second: BENIGN CONTRIBUTORY PAGE_FAULT */
		{ false, false, false }, /* first: BENIGN */
		{ false, true, false },	 /* CONTRIBUTORY */
		{ false, true, true },	 /* PAGE_FAULT */
	};

	return table[first][second];
}

static void set_pending(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_or(&v->pending, bits, __ATOMIC_RELAXED);
}

static void clear_pending(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_and(&v->pending, ~bits, __ATOMIC_ACQUIRE);
}

static bool has_pending(const struct vcpu *v, uint32_t bits)
{
	return (__atomic_load_n(&v->pending, __ATOMIC_RELAXED) & bits) != 0;
}

static void combine(struct vcpu *v, uint8_t *vector, uint32_t *error)
{
	uint8_t first = v->exception.vector;

	if (first == VEC_DF && class_of(*vector) != BENIGN) {
		vm_crash(v->vm, "triple fault: exception %u while a double fault is delivered",
			 *vector);
		return;
	}
	if (is_double(class_of(first), class_of(*vector))) {
		*vector = VEC_DF;
		*error = 0;
	}
}

void event_exception(struct vcpu *v, uint8_t vector, uint32_t error)
{
	if (has_pending(v, VCPU_PENDING_EXCEPTION)) {
		combine(v, &vector, &error);
	}
	v->exception.vector = vector;
	v->exception.error = error;
	/* SDM Vol. 3A, "Error Code": none is pushed in real mode. */
	v->exception.has_error =
		event_has_error_code(vector) && (x86_reg(v, HVM_CR0) & CR0_PE) != 0;
	set_pending(v, VCPU_PENDING_EXCEPTION);
}

void event_page_fault(struct vcpu *v, uint64_t linear, uint32_t error)
{
	hvm->set_reg(v, HVM_CR2, linear);
	v->exception.cr2 = linear;
	event_exception(v, VEC_PF, error);
}

static void take_exception(struct vcpu *v, struct event *ev)
{
	clear_pending(v, VCPU_PENDING_EXCEPTION);
	*ev = (struct event){ .type = EVENT_EXCEPTION,
			      .vector = v->exception.vector,
			      .has_error = v->exception.has_error,
			      .error = v->exception.error };
}

/*
 * The vector of the interrupt that comes next, or -1; *pic: it is the PIC's, and not yet known. What
 * the local APIC has is none of ours where the processor delivers it.
 */
static int next_irq(const struct vcpu *v, bool *pic)
{
	int vector = v->lapic->hardware ? -1 : vlapic_pending(v->lapic);

	*pic = v->vm->virq.pic_output && vlapic_takes_pic(v->lapic);
	return vector;
}

static bool take_irq(struct vcpu *v, struct event *ev)
{
	bool pic;
	int vector = next_irq(v, &pic);

	if (pic) {
		/* LINT0's turn first: an ExtINT has no priority class that could hold it back. */
		vector = virq_acknowledge_pic(v->vm);
	} else if (vector >= 0) {
		vlapic_take(v->lapic, (uint8_t)vector);
	} else {
		return false;
	}
	*ev = (struct event){ .type = EVENT_INTERRUPT, .vector = (uint8_t)vector };
	return true;
}

static bool irq_waits(const struct vcpu *v)
{
	bool pic;

	return next_irq(v, &pic) >= 0 || pic;
}

/* Interrupts, after exceptions and NMIs: true if ev was filled. */
static bool pick_irq(struct vcpu *v, bool can_irq, struct event *ev, bool *irq_window)
{
	bool taken;

	/* Cleared before looking: a vector that arrives while we look sets it again. */
	clear_pending(v, VCPU_PENDING_IRQ);
	if (!v->lapic->hardware) {
		vlapic_sync(v->lapic);
	}
	taken = can_irq && take_irq(v, ev);
	if (irq_waits(v)) {
		set_pending(v, VCPU_PENDING_IRQ);
		*irq_window = true;
	}
	return taken;
}

bool event_pick(struct vcpu *v, bool can_irq, bool can_nmi, struct event *ev, bool *irq_window,
		bool *nmi_window)
{
	bool taken = false;

	*irq_window = false;
	*nmi_window = false;
	if (has_pending(v, VCPU_PENDING_EXCEPTION)) {
		take_exception(v, ev);
		taken = true;
	}
	if (has_pending(v, VCPU_PENDING_NMI)) {
		if (can_nmi && !taken) {
			clear_pending(v, VCPU_PENDING_NMI);
			*ev = (struct event){ .type = EVENT_NMI, .vector = VEC_NMI };
			taken = true;
		} else {
			*nmi_window = true;
		}
	}
	if (has_pending(v, VCPU_PENDING_IRQ)) {
		taken = pick_irq(v, can_irq && !taken, ev, irq_window) || taken;
	}
	return taken;
}
