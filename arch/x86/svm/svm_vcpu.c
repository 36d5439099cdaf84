/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's control block: made, given to a CPU, taken from it; one round trip through the guest. */
/* What an exit means is svm_exit.c's, what gets injected svm_event.c's, registers are svm_reg.c's. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/hvm_start.h"
#include "arch/x86/hvm/slat.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/x86_bits.h"
#include "arch/x86/svm/svm.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/lib/errno.h"
#include "hv/timer.h"
#include "hv/vm.h"

#define DR7_ENABLES 0xffu /* L0-3, G0-3: SDM and APM, "Debug Control Register" */
#define DR7_RESET   0x400u

/* APM Vol. 2, "Pause Intercept Filtering": how many, less than a gap of cycles apart, are a loop. */
#define PAUSES	  3000u
#define PAUSE_GAP 128u

static void fill_addresses(struct vcpu *v, struct vmcb_control *c)
{
	const struct slat *slat = v->vm->slat;

	svm_fill_maps(v, c);
	c->ncr3 = slat->root.v;
	c->tsc_offset = v->tsc_offset;
	c->pause_count = PAUSES;
	c->pause_threshold = PAUSE_GAP;
}

int svm_vcpu_create(struct vcpu *v)
{
	struct svm_vcpu *s = heap_alloc(sizeof(*s));

	if (s == NULL) {
		return -ENOMEM;
	}
	s->b = page_alloc(0);
	if (s->b == NULL) {
		heap_free(s);
		return -ENOMEM;
	}
	s->hpa = paging_hpa(s->b);
	v->hvm = s;
	v->exit_names = svm_exit_names();
	vmcb_init(s->b);
	s->b->c.dr_write = svm_features.keeps_breakpoints ? BIT(5) | BIT(7) : 0;
	s->b->c.intercept1 |= svm_features.loads_null_tr ? VMCB_INTERCEPT_TR_WRITE : 0;
	fill_addresses(v, &s->b->c);
	hvm_reset_state(v);
	return 0;
}

void svm_vcpu_destroy(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	page_free(s->b, 0);
	heap_free(s);
	v->hvm = NULL;
}

void svm_vcpu_switched_in(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	unsigned int cpu = cpu_id();

	/* Another CPU may have run it since: nothing that this one keeps of the VMCB is good. */
	s->clean = 0;
	s->cpu = &svm_cpus[cpu];
	s->ring = &trace_rings[cpu];
	s->stretch = &stretches[cpu];
	s->alarm = timer_next_of(cpu);
	svm_event_watch_pauses(v, true);
	vcpu_x86_load(v);
}

void svm_vcpu_switched_out(struct vcpu *v)
{
	vcpu_x86_save(v);
}

/* The TLB may hold nothing of this vCPU that is older than its page tables, nor anyone else's. */
static void prepare_tlb(struct vcpu *v, struct svm_vcpu *s, struct svm_cpu *c)
{
	struct vmcb_control *ctl = &s->b->c;
	enum asid_flush flush = asid_prepare(&c->asids, &s->asid, slat_generation(v->vm->slat));

	ctl->tlb_control = VMCB_TLB_KEEP;
	if (likely(flush == ASID_KEEP)) {
		return;
	}
	svm_dirty(s, VMCB_CLEAN_ASID);
	ctl->asid = s->asid.asid;
	ctl->tlb_control = flush == ASID_FLUSH_OWN && svm_features.flush_by_asid
				   ? VMCB_TLB_FLUSH_ASID
				   : VMCB_TLB_FLUSH_ALL;
}

/* No translation is of that generation: prepare_tlb flushes. */
#define NO_GENERATION UINT64_MAX

void svm_vcpu_flush_tlb(struct vcpu *v)
{
	svm_of(v)->asid.tables = NO_GENERATION;
}

/*
 * #VMEXIT disables the guest's breakpoints (APM Vol. 2, "#VMEXIT"). QEMU's TCG leaves them armed and
 * later takes the list of what is armed for one of DR7's at that time, which crashes it. There DR7 is
 * switched by hand, and a guest's write of it exits; DR0-3 are the guest's already.
 */
static bool dr7_needs_switch(const struct vmcb *b)
{
	return unlikely((b->s.dr7 & DR7_ENABLES) != 0) && svm_features.keeps_breakpoints;
}

static void write_dr7(uint64_t val)
{
	__asm__ volatile("mov %0, %%db7" : : "r"(val) : "memory");
}

/*
 * QEMU's TCG drops an interrupt request of the host that comes from its other thread in the very moment
 * of a #VMEXIT (it changes the word of requests without a lock there). The local APIC keeps the vector
 * and asks again with the next one; but nothing comes behind a lost alarm: without this time would stand
 * still until a key is pressed. Elsewhere the interrupt of an alarm that is over ends the guest's stay.
 */
static void renew_alarm(const struct svm_vcpu *s, uint64_t now)
{
	uint64_t deadline = __atomic_load_n(s->alarm, __ATOMIC_RELAXED);

	if (unlikely(now > deadline) && svm_features.loses_interrupts) {
		clock_arm(deadline);
	}
}

enum hvm_next svm_vcpu_run(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	struct svm_cpu *c = s->cpu;
	struct vmcb *b = s->b;
	uint64_t now;

	svm_event_prepare(v, s);
	prepare_tlb(v, s, c);
	b->c.clean = svm_features.clean_bits ? s->clean : 0;
	b->s.rax = v->gprs[GPR_RAX];
	b->s.rsp = v->gprs[GPR_RSP];
	if (dr7_needs_switch(b)) {
		write_dr7(b->s.dr7);
	}
	now = x86_rdtsc();
	renew_alarm(s, now);
	stretch_end(s->stretch, now);
	svm_entry(v->gprs, s->hpa.v, c->host.v);
	v->exit_tsc = x86_rdtsc();
	stretch_begin(s->stretch, v->exit_tsc);
	if (dr7_needs_switch(b)) {
		write_dr7(DR7_RESET);
	}
	v->gprs[GPR_RAX] = b->s.rax;
	v->gprs[GPR_RSP] = b->s.rsp;
	s->clean = VMCB_CLEAN_ALL;
	svm_event_after_exit(v, s);
	return svm_exit_handle(v);
}

bool svm_vcpu_interrupt_shadow(const struct vcpu *v)
{
	return (svm_of(v)->b->c.shadow & VMCB_SHADOW) != 0;
}

void svm_vcpu_dump(const struct vcpu *v, void (*out)(const char *line))
{
	vmcb_dump(svm_of(v)->b, out);
}
