/* SPDX-License-Identifier: BSD-2-Clause */
/* Events on their way into the guest: injection, windows, interrupted deliveries, single steps. */
/* Which event comes first is arch/x86/hvm/event's. */
#include "arch/x86/svm/svm.h"

#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/vm.h"

#define DR6_BS	 BIT(14)
#define DR6_HITS 0xful

#define OPCODE_HLT 0xf4u

static void set_intercept(struct svm_vcpu *s, uint32_t bit, bool on)
{
	uint32_t *word = &s->b->c.intercept1;

	*word = on ? *word | bit : *word & ~bit;
	svm_dirty(s, VMCB_CLEAN_INTERCEPTS);
}

/* The window for an interrupt: a virtual one that ends guest mode when it could be taken. */
static void set_window(struct svm_vcpu *s, bool open)
{
	if (s->window == open) {
		return;
	}
	s->window = open;
	s->b->c.int_ctl =
		VMCB_V_INTR_MASKING | (open ? VMCB_V_IRQ | VMCB_V_INTR_PRIO | VMCB_V_IGN_TPR : 0);
	svm_dirty(s, VMCB_CLEAN_TPR);
	set_intercept(s, VMCB_INTERCEPT_VINTR, open);
}

/*
 * QEMU's TCG delivers an interrupt of EVENTINJ in VMRUN, and then keeps it as an exception that is
 * still to come: if something lets it leave its loop before the next exit, the guest gets the
 * interrupt a second time, whatever its IF. A virtual interrupt is forgotten once it is taken, which
 * is at once: IF is set and there is no shadow. Only an interrupt of the host can come before it.
 */
static void inject_virtual(struct svm_vcpu *s, uint8_t vector)
{
	set_window(s, false);
	s->b->c.int_ctl = VMCB_V_INTR_MASKING | VMCB_V_IRQ | VMCB_V_INTR_PRIO | VMCB_V_IGN_TPR |
			  (uint64_t)vector << VMCB_V_VECTOR_SHIFT;
	svm_dirty(s, VMCB_CLEAN_TPR);
	s->step = SVM_STEP_VIRTUAL;
}

/* After the exit that followed it. Not taken: it is to be delivered again. */
static void end_virtual(struct svm_vcpu *s)
{
	struct vmcb_control *c = &s->b->c;

	if ((c->int_ctl & VMCB_V_IRQ) != 0 && (c->exit_int_info & VMCB_EVENT_VALID) == 0) {
		s->redo =
			VMCB_EVENT_VALID | (c->int_ctl >> VMCB_V_VECTOR_SHIFT & VMCB_EVENT_VECTOR);
	}
	c->int_ctl = VMCB_V_INTR_MASKING;
	svm_dirty(s, VMCB_CLEAN_TPR);
	s->step = SVM_STEP_NONE;
}

static void inject(struct svm_vcpu *s, const struct event *ev)
{
	if (ev->type == EVENT_INTERRUPT && svm_features.repeats_interrupts) {
		inject_virtual(s, ev->vector);
		return;
	}
	s->b->c.event_inj = VMCB_EVENT_VALID | ev->vector |
			    (uint64_t)ev->type << VMCB_EVENT_TYPE_SHIFT |
			    (ev->has_error ? VMCB_EVENT_HAS_ERROR : 0) |
			    (uint64_t)ev->error << VMCB_EVENT_ERROR_SHIFT;
	if (ev->type == EVENT_NMI) {
		s->nmi_blocked = true;
		set_intercept(s, VMCB_INTERCEPT_IRET, true);
	}
}

/*
 * One instruction with RFLAGS.TF set. Every exception is intercepted meanwhile, so that our TF is
 * never in a frame that the guest could see.
 */
static void step_begin(struct svm_vcpu *s, enum svm_step why)
{
	s->step = why;
	s->step_tf = s->b->s.rflags & RFLAGS_TF;
	s->step_dr6 = s->b->s.dr6;
	s->b->s.rflags |= RFLAGS_TF;
	s->b->c.exceptions = UINT32_MAX;
	svm_dirty(s, VMCB_CLEAN_INTERCEPTS);
}

static bool exit_is_exception(const struct vmcb *b)
{
	return b->c.exit_code - VMEXIT_EXCEPTION < 32;
}

static bool exit_is_debug(const struct vmcb *b)
{
	return b->c.exit_code == VMEXIT_EXCEPTION + VEC_DB;
}

/* After any exit in a step: takes TF away again; IRET has loaded the guest's own. */
static void step_end(struct svm_vcpu *s)
{
	struct vmcb *b = s->b;
	bool done = exit_is_debug(b);

	if (s->step != SVM_STEP_IRET || !done) {
		b->s.rflags = (b->s.rflags & ~RFLAGS_TF) | s->step_tf;
	}
	if (s->step == SVM_STEP_IRET) { /* an IRET that faults unblocks NMIs, too */
		s->nmi_blocked = !exit_is_exception(b);
		set_intercept(s, VMCB_INTERCEPT_IRET, s->nmi_blocked);
	}
	b->c.exceptions = VMCB_EXCEPTIONS;
	set_intercept(s, VMCB_INTERCEPT_CR0_SEL_WRITE, true);
	set_intercept(s, VMCB_INTERCEPT_TR_WRITE, svm_features.loads_null_tr);
}

void svm_event_step_ltr(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	set_intercept(s, VMCB_INTERCEPT_TR_WRITE, false);
	s->step_rip = s->b->s.rip;
	s->step_tr = s->b->s.tr;
	step_begin(s, SVM_STEP_LTR);
}

/* True if the step was an LTR that should have faulted: it now has. */
static bool undo_null_ltr(struct vcpu *v, struct svm_vcpu *s)
{
	if (s->step != SVM_STEP_LTR || (s->b->s.tr.attr & X86_SEG_P) != 0) {
		return false;
	}
	s->b->s.rip = s->step_rip;
	s->b->s.tr = s->step_tr;
	event_exception(v, VEC_GP, 0);
	return true;
}

void svm_event_step_lmsw(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	set_intercept(s, VMCB_INTERCEPT_CR0_SEL_WRITE, false);
	step_begin(s, SVM_STEP_LMSW);
}

/* Is there something in this #DB that the guest asked for? If not, it never happened. */
static bool debug_is_guests(struct svm_vcpu *s)
{
	struct vmcb *b = s->b;

	if (s->step == SVM_STEP_NONE || s->step_tf != 0) {
		return true;
	}
	if ((b->s.dr6 & DR6_HITS & ~s->step_dr6) != 0) {
		b->s.dr6 &= ~DR6_BS | (s->step_dr6 & DR6_BS);
		svm_dirty(s, VMCB_CLEAN_DR);
		return true;
	}
	b->s.dr6 = s->step_dr6;
	svm_dirty(s, VMCB_CLEAN_DR);
	return false;
}

enum exit_action svm_event_on_exception(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	const struct vmcb_control *c = &s->b->c;
	uint8_t vector = (uint8_t)(c->exit_code - VMEXIT_EXCEPTION);
	bool guests = vector != VEC_DB || debug_is_guests(s);
	bool deliver = !(vector == VEC_DB && undo_null_ltr(v, s)) && guests;

	s->step = SVM_STEP_NONE;
	if (vector == VEC_MC) {
		return exit_machine_check();
	}
	if (vector == VEC_PF) {
		event_page_fault(v, c->exit_info2, (uint32_t)c->exit_info1);
	} else if (deliver) {
		event_exception(v, vector, (uint32_t)c->exit_info1);
	}
	return EXIT_RESUME;
}

void svm_event_watch_pauses(struct vcpu *v, bool on)
{
	struct svm_vcpu *s = svm_of(v);
	bool was = (s->b->c.intercept1 & VMCB_INTERCEPT_PAUSE) != 0;

	on = on && v->vm->vcpu_count > 1;
	if (on != was) {
		set_intercept(s, VMCB_INTERCEPT_PAUSE, on);
	}
}

void svm_event_init(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	s->redo = 0;
	s->step = SVM_STEP_NONE;
	s->nmi_blocked = false;
	s->entry_shadow = false;
	s->b->c.shadow = 0;
	s->b->c.exceptions = VMCB_EXCEPTIONS;
	set_window(s, false);
	set_intercept(s, VMCB_INTERCEPT_IRET, false);
	set_intercept(s, VMCB_INTERCEPT_CR0_SEL_WRITE, true);
}

/* Begun and not entered: the instruction is still to come, and will exit once more. */
static void step_undo(struct svm_vcpu *s)
{
	struct vmcb *b = s->b;

	if (s->step == SVM_STEP_NONE) {
		return;
	}
	s->step = SVM_STEP_NONE;
	b->s.rflags = (b->s.rflags & ~RFLAGS_TF) | s->step_tf;
	b->s.dr6 = s->step_dr6;
	b->c.exceptions = VMCB_EXCEPTIONS;
	set_intercept(s, VMCB_INTERCEPT_IRET, s->nmi_blocked);
	set_intercept(s, VMCB_INTERCEPT_CR0_SEL_WRITE, true);
	set_intercept(s, VMCB_INTERCEPT_TR_WRITE, svm_features.loads_null_tr);
}

void svm_event_get_halfway(struct vcpu *v, struct hvm_halfway *out)
{
	struct svm_vcpu *s = svm_of(v);

	step_undo(s);
	*out = (struct hvm_halfway){
		.event = (uint32_t)s->redo,
		.shadow = (uint32_t)(s->b->c.shadow & VMCB_SHADOW),
		.nmi_blocked = s->nmi_blocked,
	};
}

/* INT n and its like never wait here: they are executed again. */
void svm_event_set_halfway(struct vcpu *v, const struct hvm_halfway *in)
{
	struct svm_vcpu *s = svm_of(v);
	unsigned int type = in->event >> VMCB_EVENT_TYPE_SHIFT & VMCB_EVENT_TYPE_MASK;

	s->redo = type == EVENT_INTERRUPT || type == EVENT_NMI ? in->event : 0;
	s->b->c.shadow = in->shadow != 0 ? VMCB_SHADOW : 0;
	s->nmi_blocked = in->nmi_blocked;
	set_intercept(s, VMCB_INTERCEPT_IRET, in->nmi_blocked);
}

enum exit_action svm_event_on_vintr(struct vcpu *v)
{
	set_window(svm_of(v), false);
	return EXIT_RESUME;
}

enum exit_action svm_event_on_iret(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	set_intercept(s, VMCB_INTERCEPT_IRET, false);
	step_begin(s, SVM_STEP_IRET);
	return EXIT_RESUME;
}

/*
 * APM Vol. 2, "Event Injection", EXITINTINFO: the exit came in the middle of a delivery. An
 * exception is raised again before the handler runs, so that one it raises meets it as on a
 * processor. An instruction that interrupts (INT n, INT3, INTO) is simply executed again.
 */
static void keep_interrupted(struct vcpu *v, struct svm_vcpu *s, uint64_t info)
{
	unsigned int type = info >> VMCB_EVENT_TYPE_SHIFT & VMCB_EVENT_TYPE_MASK;
	uint8_t vector = (uint8_t)(info & VMCB_EVENT_VECTOR);
	uint32_t error = (uint32_t)(info >> VMCB_EVENT_ERROR_SHIFT);

	if (type == EVENT_INTERRUPT || type == EVENT_NMI) {
		s->redo = info;
	} else if (type == EVENT_EXCEPTION && vector == VEC_PF) {
		event_page_fault(v, s->b->s.cr2, error);
	} else if (type == EVENT_EXCEPTION && vector != VEC_BP && vector != VEC_OF) {
		event_exception(v, vector, error);
	}
}

/*
 * A processor keeps the shadow of an exit at VMRUN, QEMU's TCG does not: if nothing was executed
 * since, it is still on.
 */
static void keep_shadow(struct svm_vcpu *s)
{
	if (s->entry_shadow != 0 && !svm_features.nrips && s->b->s.rip == s->entry_rip &&
	    s->b->c.exit_code >= VMEXIT_INTR && s->b->c.exit_code <= VMEXIT_VINTR) {
		s->b->c.shadow = VMCB_SHADOW;
	}
}

void svm_event_unusual_exit(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	struct vmcb *b = s->b;

	keep_shadow(s);
	if (s->step == SVM_STEP_VIRTUAL) {
		end_virtual(s);
	} else if (s->step != SVM_STEP_NONE) {
		step_end(s);
		if (!exit_is_exception(b)) {
			s->step = SVM_STEP_NONE;
		}
	}
	if (b->c.exit_int_info & VMCB_EVENT_VALID) {
		keep_interrupted(v, s, b->c.exit_int_info);
	}
}

/*
 * Something must get past the shadow first. Stepping over HLT and waking it is what the HLT itself
 * would do; before anything else one step is made. True if the shadow is gone.
 */
static bool pass_shadow(struct vcpu *v, struct svm_vcpu *s)
{
	uint8_t code[15];

	if (exit_fetch(v, code) > 0 && code[0] == OPCODE_HLT) {
		s->b->s.rip++;
		s->b->c.shadow = 0;
		return true;
	}
	step_begin(s, SVM_STEP_SHADOW);
	return false;
}

static bool pick(struct vcpu *v, struct svm_vcpu *s, bool *irq, bool *nmi)
{
	bool shadow = (s->b->c.shadow & VMCB_SHADOW) != 0;
	bool can_irq = (s->b->s.rflags & RFLAGS_IF) != 0 && !shadow && s->redo == 0;
	struct event ev;

	if (!event_pick(v, can_irq, !s->nmi_blocked && !shadow && s->redo == 0, &ev, irq, nmi)) {
		return false;
	}
	inject(s, &ev);
	return true;
}

/* An interrupted delivery goes on, unless an exception came of it: that comes first. */
static void redo(struct svm_vcpu *s)
{
	unsigned int type = s->redo >> VMCB_EVENT_TYPE_SHIFT & VMCB_EVENT_TYPE_MASK;

	if (type == EVENT_INTERRUPT && svm_features.repeats_interrupts) {
		inject_virtual(s, (uint8_t)(s->redo & VMCB_EVENT_VECTOR));
	} else {
		s->b->c.event_inj = s->redo;
	}
	s->redo = 0;
}

void svm_event_pending(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	bool irq = false;
	bool nmi = false;
	bool injected = v->pending != 0 && pick(v, s, &irq, &nmi);
	bool in_shadow = (s->b->c.shadow & VMCB_SHADOW) != 0 && !injected;

	/* The processor honours a shadow and opens the VINTR window after it; QEMU's TCG does not. */
	if (in_shadow && ((irq && !svm_features.nrips && (s->b->s.rflags & RFLAGS_IF)) ||
			  (nmi && !s->nmi_blocked))) {
		if (!pass_shadow(v, s)) {
			set_window(s, false);
			return;
		}
		injected = pick(v, s, &irq, &nmi);
	}
	if (s->redo != 0 && !injected) {
		redo(s);
	}
	if (s->step != SVM_STEP_VIRTUAL) { /* else the end of that one is an exit */
		set_window(s, irq);
	}
}
