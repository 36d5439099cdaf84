/* SPDX-License-Identifier: BSD-2-Clause */
/* VM exits of AMD-V: from the exit code to a handler, over the instruction, into the statistics. */
/* What an exit means on both vendors is arch/x86/hvm's. */
#include "arch/x86/svm/svm.h"

#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "hv/base/trace.h"
#include "hv/vm.h"

#define DR6_BS	 BIT(14)
#define DR7_ONE	 BIT(10) /* reserved bits, SDM Vol. 3B, "Debug Control Register (DR7)" */
#define DR7_ZERO (BIT(11) | BIT(12) | BIT(14) | BIT(15))
#define SEG_L	 BIT(9)

static enum exit_action on_unexpected(struct vcpu *v)
{
	return exit_unexpected(v, svm_of(v)->b->c.exit_code);
}

/*
 * VMRUN refused the guest's state. On a processor #GP would have stopped most of what leads here; in
 * QEMU's TCG the guest itself can do it. Its fault either way.
 */
static enum exit_action on_invalid(struct vcpu *v)
{
	vm_crash(v->vm, "VMRUN refused the guest's state");
	return EXIT_RESUME;
}

static enum exit_action on_host_event(struct vcpu *v)
{
	svm_event_watch_pauses(v, true);
	return EXIT_YIELD;
}

/* Without a filter each PAUSE exits: not while no other vCPU waits, until the host's next interrupt. */
static enum exit_action on_pause(struct vcpu *v)
{
	enum exit_action action = exit_pause(v);

	if (action != EXIT_SPIN && !svm_features.pause_filter) {
		svm_event_watch_pauses(v, false);
	}
	return action;
}

/* Taken by the host as soon as GIF was set. */
static enum exit_action on_nmi(struct vcpu *v)
{
	(void)v;
	return EXIT_RESUME;
}

static uint64_t mov_source(struct vcpu *v, unsigned int gpr)
{
	return exit_code_bits(v) == 64 ? v->gprs[gpr] : (uint32_t)v->gprs[gpr];
}

static enum exit_action on_write_cr(struct vcpu *v)
{
	unsigned int cr = (unsigned int)(svm_of(v)->b->c.exit_code - VMEXIT_CR_WRITE);
	unsigned int gpr;

	if (!svm_insn_mov_cr(v, &gpr)) {
		return on_unexpected(v);
	}
	return exit_write_cr(v, cr, mov_source(v, gpr));
}

/* MOV to CR0, or LMSW. */
static enum exit_action on_write_cr0(struct vcpu *v)
{
	unsigned int gpr;

	if (!svm_insn_mov_cr(v, &gpr)) {
		svm_event_step_lmsw(v);
		return EXIT_RESUME;
	}
	return exit_write_cr(v, 0, mov_source(v, gpr));
}

/* Only where svm_features.loads_null_tr. */
static enum exit_action on_ltr(struct vcpu *v)
{
	svm_event_step_ltr(v);
	return EXIT_RESUME;
}

static enum exit_action on_read_cr(struct vcpu *v)
{
	unsigned int cr = (unsigned int)(svm_of(v)->b->c.exit_code - VMEXIT_CR_READ);
	unsigned int gpr;

	if (!svm_insn_mov_cr(v, &gpr)) {
		return on_unexpected(v);
	}
	return exit_read_cr(v, cr, gpr);
}

/* Only where svm_features.keeps_breakpoints; CPL was checked before the exit. */
static enum exit_action on_write_dr7(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	unsigned int gpr;
	uint64_t val;

	if (!svm_insn_mov_dr(v, &gpr)) {
		return on_unexpected(v);
	}
	val = mov_source(v, gpr);
	if (val > UINT32_MAX) {
		event_exception(v, VEC_GP, 0);
		return EXIT_RESUME;
	}
	s->b->s.dr7 = (val & ~DR7_ZERO) | DR7_ONE;
	svm_dirty(s, VMCB_CLEAN_DR);
	return EXIT_SKIP_INSN;
}

/* SDM Vol. 3B, "Debug Registers": another name of DR7, unless CR4.DE is set. */
static enum exit_action on_write_dr5(struct vcpu *v)
{
	return svm_of(v)->b->s.cr4 & CR4_DE ? exit_undefined(v) : on_write_dr7(v);
}

static enum exit_action on_msr(struct vcpu *v)
{
	return svm_of(v)->b->c.exit_info1 != 0 ? exit_wrmsr(v) : exit_rdmsr(v);
}

/* No guest has performance counters. */
static enum exit_action on_rdpmc(struct vcpu *v)
{
	event_exception(v, VEC_GP, 0);
	return EXIT_RESUME;
}

/* The caches hold nothing that a guest's devices could miss. */
static enum exit_action on_cache_flush(struct vcpu *v)
{
	(void)v;
	return EXIT_SKIP_INSN;
}

static enum exit_action on_io(struct vcpu *v)
{
	uint64_t info = svm_of(v)->b->c.exit_info1;
	struct exit_io io = {
		.port = (uint16_t)(info >> VMCB_IO_PORT_SHIFT),
		.size = (uint8_t)(info >> VMCB_IO_SIZE_SHIFT & VMCB_IO_SIZE_MASK),
		.in = (info & VMCB_IO_IN) != 0,
		.string = (info & VMCB_IO_STRING) != 0,
	};

	return exit_io(v, &io);
}

static enum exit_action on_npf(struct vcpu *v)
{
	const struct vmcb_control *c = &svm_of(v)->b->c;
	gpa_t gpa = { c->exit_info2 };

	if (exit_brings_page(v, gpa)) {
		return EXIT_RESUME;
	}
	if (c->exit_int_info & VMCB_EVENT_VALID) {
		vm_crash(v->vm, "delivery of an event touched %016lx, which is no RAM", gpa.v);
		return EXIT_RESUME;
	}
	if (c->exit_info1 & VMCB_NPF_TABLE) {
		vm_crash(v->vm, "page table at %016lx, which is no RAM", gpa.v);
		return EXIT_RESUME;
	}
	if (c->exit_info1 & VMCB_NPF_FETCH) {
		vm_crash(v->vm, "execution at %016lx, which is no RAM", gpa.v);
		return EXIT_RESUME;
	}
	return exit_mmio(v, gpa, (c->exit_info1 & VMCB_NPF_WRITE) != 0);
}

/* How the address behind the instruction is found. */
enum next_rip {
	NEXT_NONE,  /* the handler never skips */
	NEXT_USUAL, /* NRIP, else by the instruction's bytes */
	NEXT_INFO2, /* EXITINFO2 has it */
};

struct row {
	uint16_t code; /* enum vmcb_exit */
	struct exit_entry e;
	enum next_rip next;
};

#define EXIT(code, handler)                                                                        \
	{                                                                                          \
		VMEXIT_##code, { handler, #code }, NEXT_NONE                                       \
	}
#define EXIT_INSN(code, handler)                                                                   \
	{                                                                                          \
		VMEXIT_##code, { handler, #code }, NEXT_USUAL                                      \
	}
#define EXIT_AT(code, n, handler, name)                                                            \
	{                                                                                          \
		VMEXIT_##code + (n), { handler, name }, NEXT_NONE                                  \
	}
#define EXIT_CR(code, n, handler, name)                                                            \
	{                                                                                          \
		VMEXIT_##code + (n), { handler, name }, NEXT_USUAL                                 \
	}
#define EXCEPTION(n) EXIT_AT(EXCEPTION, n, svm_event_on_exception, "exception " #n)

#define CODE_NONE    0xffffu
#define CODE_INVALID 0xfffeu

static const struct row rows[] = {
	{ CODE_NONE, { on_unexpected, "unexpected" }, NEXT_NONE }, /* must be first */
	{ CODE_INVALID, { on_invalid, "INVALID" }, NEXT_NONE },
	EXIT_CR(CR_READ, 8, on_read_cr, "CR8_READ"),
	EXIT_CR(CR_WRITE, 4, on_write_cr, "CR4_WRITE"),
	EXIT_CR(CR_WRITE, 8, on_write_cr, "CR8_WRITE"),
	EXIT_CR(DR_WRITE, 5, on_write_dr5, "DR5_WRITE"),
	EXIT_CR(DR_WRITE, 7, on_write_dr7, "DR7_WRITE"),
	EXIT(TR_WRITE, on_ltr),
	EXIT_CR(CR0_SEL_WRITE, 0, on_write_cr0, "CR0_SEL_WRITE"),
	EXCEPTION(0),
	EXCEPTION(1),
	EXCEPTION(3),
	EXCEPTION(4),
	EXCEPTION(5),
	EXCEPTION(6),
	EXCEPTION(7),
	EXCEPTION(8),
	EXCEPTION(9),
	EXCEPTION(10),
	EXCEPTION(11),
	EXCEPTION(12),
	EXCEPTION(13),
	EXCEPTION(14),
	EXCEPTION(16),
	EXCEPTION(17),
	EXCEPTION(18),
	EXCEPTION(19),
	EXIT(INTR, on_host_event),
	EXIT(NMI, on_nmi),
	EXIT(VINTR, svm_event_on_vintr),
	EXIT(RDPMC, on_rdpmc),
	EXIT_INSN(CPUID, exit_cpuid),
	EXIT(RSM, exit_undefined),
	EXIT(IRET, svm_event_on_iret),
	EXIT_INSN(INVD, on_cache_flush),
	EXIT_INSN(PAUSE, on_pause),
	EXIT_INSN(HLT, exit_hlt),
	EXIT(INVLPGA, exit_undefined),
	{ VMEXIT_IOIO, { on_io, "IOIO" }, NEXT_INFO2 },
	EXIT_INSN(MSR, on_msr),
	EXIT(SHUTDOWN, exit_triple_fault),
	EXIT(VMRUN, exit_undefined),
	EXIT_INSN(VMMCALL, exit_hypercall),
	EXIT(VMLOAD, exit_undefined),
	EXIT(VMSAVE, exit_undefined),
	EXIT(STGI, exit_undefined),
	EXIT(CLGI, exit_undefined),
	EXIT(SKINIT, exit_undefined),
	EXIT_INSN(WBINVD, on_cache_flush),
	EXIT(MONITOR, exit_undefined),
	EXIT(MWAIT, exit_undefined),
	EXIT(MWAIT_ARMED, exit_undefined),
	EXIT_INSN(XSETBV, exit_xsetbv),
	EXIT(RDPRU, exit_undefined),
	EXIT(INVLPGB, exit_undefined),
	EXIT(INVLPGB_ILLEGAL, exit_undefined),
	EXIT(MCOMMIT, exit_undefined),
	EXIT(TLBSYNC, exit_undefined),
	EXIT(NPF, on_npf),
};
_Static_assert(ARRAY_SIZE(rows) <= VCPU_EXIT_REASONS, "a row is a reason");

/* Exit code to row: codes below F0h as they are, 400h.. from F0h on, VMEXIT_INVALID at FFh. */
#define SLOTS	     256u
#define SLOT_NPF     0xf0u
#define SLOT_INVALID 0xffu
static uint8_t slots[SLOTS];
static const char *names[VCPU_EXIT_REASONS];

static unsigned int slot_of(uint64_t code)
{
	if (code < SLOT_NPF) {
		return (unsigned int)code;
	}
	if (code - VMEXIT_NPF < 8) {
		return SLOT_NPF + (unsigned int)(code - VMEXIT_NPF);
	}
	/* -1; QEMU's TCG stores 32 bits of it. Others are 0 in slots, the first row. */
	return (uint32_t)code == UINT32_MAX ? SLOT_INVALID : SLOT_INVALID - 1;
}

void svm_exit_init(void)
{
	for (unsigned int i = 1; i < ARRAY_SIZE(rows); i++) {
		uint64_t code = rows[i].code == CODE_INVALID ? UINT64_MAX : rows[i].code;

		slots[slot_of(code)] = (uint8_t)i;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		names[i] = rows[i].e.name;
	}
}

const char *const *svm_exit_names(void)
{
	return names;
}

static bool is_64bit(const struct vmcb_save *s)
{
	return (s->efer & EFER_LMA) != 0 && (s->cs.attr & SEG_L) != 0;
}

static uint64_t linear_rip(const struct vmcb_save *s)
{
	return likely(is_64bit(s)) ? s->rip : (uint32_t)(s->cs.base + s->rip);
}

static uint64_t next_rip(struct vcpu *v, const struct vmcb *b, const struct row *row)
{
	unsigned int len;

	if (row->next == NEXT_INFO2) {
		return b->c.exit_info2;
	}
	if (svm_features.nrips) {
		return b->c.nrip;
	}
	len = exit_insn_length_at(v, linear_rip(&b->s), b->s.cr3, b->s.efer);
	if (len == 0) {
		vm_crash(v->vm, "no instruction can be read at %016lx", b->s.rip);
	}
	return b->s.rip + len;
}

static void skip(struct vcpu *v, const struct row *row)
{
	struct svm_vcpu *s = svm_of(v);
	struct vmcb *b = s->b;
	uint64_t rip = next_rip(v, b, row);

	b->s.rip = likely(is_64bit(&b->s)) ? rip : (uint32_t)rip;
	b->c.shadow = 0;
	if (unlikely(b->s.rflags &
		     RFLAGS_TF)) { /* the trap that the instruction would have ended in */
		b->s.dr6 |= DR6_BS;
		svm_dirty(s, VMCB_CLEAN_DR);
		event_exception(v, VEC_DB, 0);
	}
}

static enum hvm_next act(struct vcpu *v, const struct row *row, enum exit_action action)
{
	switch (action) {
	case EXIT_SKIP_INSN:
		skip(v, row);
		return HVM_AGAIN;
	case EXIT_BLOCK:
		skip(v, row);
		return HVM_BLOCK;
	case EXIT_SPIN:
		skip(v, row);
		return HVM_SPIN;
	case EXIT_YIELD:
		return HVM_YIELD;
	case EXIT_RESUME:
	default:
		return HVM_AGAIN;
	}
}

/* The CPU's ring is there: trace_init_cpu comes before threads. */
static struct trace_record *trace(const struct vcpu *v, unsigned int reason)
{
	const struct svm_vcpu *s = svm_of(v);
	struct trace_record *rec = trace_add(s->ring);
	const struct vmcb *b = s->b;

	rec->tsc = v->exit_tsc;
	rec->kind = TRACE_EXIT;
	rec->code = (uint16_t)reason;
	rec->a = b->s.rip;
	rec->b = (uint32_t)b->c.exit_info1;
	rec->vcpu = (uint32_t)v->vm->id << 16 | v->id;
	return rec;
}

enum hvm_next svm_exit_handle(struct vcpu *v)
{
	unsigned int i = slots[slot_of(svm_of(v)->b->c.exit_code)];
	const struct row *row = &rows[i];
	struct trace_record *rec = trace(v, i);
	enum hvm_next next = act(v, row, row->e.handler(v));
	uint64_t took = x86_rdtsc() - v->exit_tsc;

	rec->took = (uint32_t)took;
	v->exits++;
	v->stats[i].count++;
	v->stats[i].ticks += took;
	return next;
}
