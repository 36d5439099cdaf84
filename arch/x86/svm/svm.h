/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share: a vCPU's state beside its VMCB, and what this CPU offers. */
/* Nobody outside arch/x86/svm includes it: the door is svm_hvm_ops. */
#ifndef ARCH_X86_SVM_SVM_H
#define ARCH_X86_SVM_SVM_H

#include "arch/cpu.h"
#include "arch/hvm.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/svm/asid.h"
#include "arch/x86/svm/vmcb.h"
#include "hv/vcpu.h"

/* CPUID Fn8000_000A_EDX, as far as we use it. The same on every CPU of the machine. */
struct svm_features {
	bool nrips;
	bool keeps_breakpoints;	 /* a deviation: see dr7_needs_switch */
	bool loads_null_tr;	 /* a deviation: see svm_event_step_ltr */
	bool repeats_interrupts; /* a deviation: see inject_virtual */
	bool minds_lme;		 /* a deviation: see place_lme */
	bool loses_interrupts;	 /* a deviation: see renew_alarm */
	bool clean_bits;
	bool flush_by_asid;
	bool decode_assists;
	bool pause_filter;
	uint32_t asids;
};
extern struct svm_features svm_features;

/* Why the guest runs one instruction at a time. */
enum svm_step {
	SVM_STEP_NONE,
	SVM_STEP_SHADOW,  /* to get past an interrupt shadow */
	SVM_STEP_IRET,	  /* to see NMIs unblocked by IRET */
	SVM_STEP_LTR,	  /* to see whether it took a null selector */
	SVM_STEP_LMSW,	  /* to let the processor carry out LMSW, which cannot do harm */
	SVM_STEP_VIRTUAL, /* no step: an interrupt was injected as a virtual one */
};

/* What this backend keeps for a CPU that has SVM on, touched only by it. */
struct svm_cpu {
	hpa_t host;	 /* a VMCB with VMSAVE's part of our state, which VMRUN does not keep */
	void *save_area; /* VM_HSAVE_PA: the processor's own */
	struct asid_pool asids;
};
extern struct svm_cpu svm_cpus[CPU_MAX];

struct stretch;
struct trace_ring;

struct svm_vcpu { /* all [O], as struct vcpu says */
	struct vmcb *b;
	hpa_t hpa;		 /* of b */
	uint32_t clean;		 /* what the CPU may keep of b: enum vmcb_clean */
	struct svm_cpu *cpu;	 /* the one it has */
	struct trace_ring *ring; /* that CPU's */
	struct stretch *stretch;
	const uint64_t *alarm; /* timer_next_of() that CPU */
	struct asid_tag asid;
	uint64_t redo;	    /* EXITINTINFO of an event to deliver again, 0: none */
	uint64_t entry_rip; /* with entry_shadow: where it was */
	bool entry_shadow;  /* the last VMRUN began in an interrupt shadow */
	bool window;	    /* V_IRQ is set, VINTR intercepted */
	bool lme;	    /* EFER.LME as the guest set it */
	bool nmi_blocked;   /* from an NMI's injection to the IRET that ends it */
	enum svm_step step;
	uint64_t step_tf; /* RFLAGS.TF and DR6 as the guest had them */
	uint64_t step_dr6;
	uint64_t step_rip; /* of LTR, and TR before it */
	struct vmcb_segment step_tr;
};

static inline struct svm_vcpu *svm_of(const struct vcpu *v)
{
	return v->hvm;
}

/* A field group of the VMCB was written. */
static inline void svm_dirty(struct svm_vcpu *s, uint32_t groups)
{
	s->clean &= ~groups;
}

/* svm.c: which ports and MSRs exit; the same maps serve all guests that have v's CPUID. */
void svm_fill_maps(const struct vcpu *v, struct vmcb_control *c);

/* svm_vcpu.c: as struct hvm_ops says. */
int svm_vcpu_create(struct vcpu *v);
void svm_vcpu_destroy(struct vcpu *v);
void svm_vcpu_switched_in(struct vcpu *v);
void svm_vcpu_switched_out(struct vcpu *v);
void svm_vcpu_flush_tlb(struct vcpu *v);
enum hvm_next svm_vcpu_run(struct vcpu *v);
bool svm_vcpu_interrupt_shadow(const struct vcpu *v);
void svm_vcpu_dump(const struct vcpu *v, void (*out)(const char *line));

/* svm_entry.S: one VMRUN; GPRs but RAX and RSP go through gprs. */
void svm_entry(uint64_t gprs[16], uint64_t guest_vmcb, uint64_t host_vmcb);

/* svm_reg.c: as struct hvm_ops says; from v's thread, or before it has one. */
uint64_t svm_reg_get(const struct vcpu *v, enum hvm_reg r);
void svm_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val);
void svm_reg_get_seg(const struct vcpu *v, enum hvm_seg seg, struct hvm_segment *out);
void svm_reg_set_seg(struct vcpu *v, enum hvm_seg seg, const struct hvm_segment *in);

/* svm_event.c: chooses what is injected and which windows are open. */
void svm_event_pending(struct vcpu *v);
/* An interrupted delivery, an interrupted step, a shadow that was lost. */
void svm_event_unusual_exit(struct vcpu *v);

/* Before an entry. */
static inline void svm_event_prepare(struct vcpu *v, struct svm_vcpu *s)
{
	s->b->c.event_inj = 0;
	if (unlikely(v->pending != 0 || s->redo != 0 || s->window) && s->step == SVM_STEP_NONE) {
		svm_event_pending(v);
	}
	s->entry_shadow = s->b->c.shadow;
	s->entry_rip = s->b->s.rip;
}

/* After an exit, before its handler. */
static inline void svm_event_after_exit(struct vcpu *v, struct svm_vcpu *s)
{
	if (unlikely((s->b->c.exit_int_info & VMCB_EVENT_VALID) != 0 || s->entry_shadow != 0 ||
		     s->step != SVM_STEP_NONE)) {
		svm_event_unusual_exit(v);
	}
}

/* Nothing is under way any more: an INIT. */
void svm_event_init(struct vcpu *v);
/* hvm_ops: a step that was only begun is taken back. */
void svm_event_get_halfway(struct vcpu *v, struct hvm_halfway *out);
void svm_event_set_halfway(struct vcpu *v, const struct hvm_halfway *in);
/* Makes PAUSE exit, or not; never does for a vCPU that has the VM for itself. */
void svm_event_watch_pauses(struct vcpu *v, bool on);
enum exit_action svm_event_on_vintr(struct vcpu *v);
enum exit_action svm_event_on_iret(struct vcpu *v);
enum exit_action svm_event_on_exception(struct vcpu *v);
/* Lets the guest execute the intercepted LMSW itself. */
void svm_event_step_lmsw(struct vcpu *v);
/*
 * LTR of a null selector is #GP (APM Vol. 3, "LTR"). QEMU's TCG takes it, and ends itself ("invalid
 * tss") at the next interrupt that needs the TSS. There the guest executes LTR under our eyes.
 */
void svm_event_step_ltr(struct vcpu *v);

/* svm_exit.c: fills the table that finds a row by exit code; once. */
void svm_exit_init(void);
const char *const *svm_exit_names(void);
/* Handles the exit that b describes. */
enum hvm_next svm_exit_handle(struct vcpu *v);

/*
 * svm_insn.c: the general register of an intercepted MOV from or to a control register. False: it is
 * no MOV (but LMSW), or cannot be fetched.
 */
bool svm_insn_mov_cr(struct vcpu *v, unsigned int *gpr);
/* The same for a debug register; by the instruction's bytes alone. */
bool svm_insn_mov_dr(struct vcpu *v, unsigned int *gpr);

#endif
