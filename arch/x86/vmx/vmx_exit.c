/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit table: every basic exit reason that can come, its name and its handler; and the round trip */
/* around it. What the instructions mean is arch/x86/hvm's. */
#include "arch/x86/vmx/vmx_exit.h"

#include "arch/clock.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/vmx/ept.h"
#include "arch/x86/vmx/vmx_apic.h"
#include "arch/x86/vmx/vmx_check.h"
#include "arch/x86/vmx/vmx_event.h"
#include "arch/x86/vmx/vmx_reg.h"
#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/timer.h"
#include "hv/vm.h"

#define TIMER_CLOSED_NS 1000000ul
#define TIMER_OPEN_NS	20000000ul

#define REASON_BASIC	    0xffffu
#define REASON_ENTRY_FAILED BIT(31)

#define PENDING_DEBUG_BS BIT(14)
#define DR7_GD		 BIT(13)
#define DR6_BD		 BIT(13)

/* vmx_entry.S */
bool vmx_enter(uint64_t gprs[16], struct vmx_entry *e);

/* ---- events ---- */

/* The host's: its handler runs now, through the IDT, as it would have without a guest. */
static enum exit_action on_nmi(void)
{
	__asm__ volatile("int $2" : : : "memory");
	return EXIT_RESUME;
}

/*
 * The trap that an exit replaced goes back to the guest. DR6 has not been written yet (SDM Vol. 3C,
 * "Exit Qualification": debug exceptions), nor DR7.GD cleared.
 */
static enum exit_action on_debug(struct vcpu *v)
{
	uint64_t hits = vmcs_read(EXIT_QUALIFICATION);

	vmx_reg_set(v, HVM_DR6, vmx_reg_get(v, HVM_DR6) | (hits & 0xffff));
	if (hits & DR6_BD) {
		vmcs_write(GUEST_DR7, vmcs_read(GUEST_DR7) & ~DR7_GD);
	}
	/* Entry demands this pending trap if TF is set in a shadow; the event injected replaces it. */
	if ((vmcs_read(GUEST_RFLAGS) & RFLAGS_TF) &&
	    (vmcs_read(GUEST_INTERRUPTIBILITY) & VMX_SHADOW)) {
		vmcs_write(GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	}
	event_exception(v, VEC_DB, 0);
	return EXIT_RESUME;
}

/*
 * The exit came before ICEBP (INT1) was over: RIP is still at it. What is injected is a plain #DB, a
 * trap, whose frame points behind it.
 */
static void step_over_icebp(struct vcpu *v)
{
	vmx_reg_set(v, HVM_RIP, vmx_reg_get(v, HVM_RIP) + vmcs_read(EXIT_INSN_LENGTH));
	vmcs_write(GUEST_INTERRUPTIBILITY,
		   vmcs_read(GUEST_INTERRUPTIBILITY) & ~(uint64_t)VMX_SHADOW);
}

static enum exit_action on_exception(struct vcpu *v)
{
	uint32_t info = vmcs_read32(EXIT_INTR_INFO);
	uint8_t vector = (uint8_t)(info & INTR_VECTOR);

	if (INTR_TYPE(info) == INTR_NMI) {
		return on_nmi();
	}
	if (vector == VEC_MC) {
		return exit_machine_check();
	}
	/* SDM Vol. 3C, "Information for VM Exits Due to Vectored Events", NMI unblocking. */
	if ((info & INTR_NMI_UNBLOCK) && vector != VEC_DF &&
	    !(vmcs_read(IDT_VECTORING_INFO) & INTR_VALID)) {
		vmx_event_block_nmi();
	}
	if (INTR_TYPE(info) == INTR_SOFT_PRIVILEGED) {
		step_over_icebp(v);
	}
	if (vector == VEC_DB) {
		return on_debug(v);
	}
	event_exception(v, vector, info & INTR_ERROR_CODE ? vmcs_read32(EXIT_INTR_ERROR) : 0);
	return EXIT_RESUME;
}

/* A host interrupt waits unacknowledged, or the slice is over: the caller opens a window. */
static enum exit_action on_host_event(struct vcpu *v)
{
	(void)v;
	return EXIT_YIELD;
}

/* It counts in steps and with a limit, so this may be early: then it is set anew. */
static enum exit_action on_timer(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	x->deadline = 0;
	return EXIT_YIELD;
}

/* The next entry looks at what waits, and closes the window. */
static enum exit_action on_window(struct vcpu *v)
{
	(void)v;
	return EXIT_RESUME;
}

/* ---- instructions ---- */

/* Caches are coherent for the guest whatever it does. */
static enum exit_action on_cache_flush(struct vcpu *v)
{
	(void)v;
	return EXIT_SKIP_INSN;
}

/* The guest is told of no performance counters. */
static enum exit_action on_rdpmc(struct vcpu *v)
{
	event_exception(v, VEC_GP, 0);
	return EXIT_RESUME;
}

/* SDM Vol. 3C, "Exit Qualification for I/O Instructions". */
static enum exit_action on_io(struct vcpu *v)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	struct exit_io io = {
		.port = (uint16_t)(q >> 16),
		.size = (uint8_t)((q & 7) + 1),
		.in = (q & BIT(3)) != 0,
		.string = (q & BIT(4)) != 0,
	};

	return exit_io(v, &io);
}

/* SDM Vol. 3C, "Exit Qualification for Control-Register Accesses". */
enum cr_access { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

/* LMSW sets PE but never clears it; it reaches MP, EM and TS besides. */
static uint64_t lmsw(uint64_t cr0, uint16_t word)
{
	const uint64_t reach = CR0_MP | CR0_EM | CR0_TS;

	return (cr0 & ~reach) | (word & (reach | CR0_PE));
}

/* MOV outside 64-bit mode takes 32 bits. */
static uint64_t mov_source(struct vcpu *v, unsigned int gpr)
{
	return exit_code_bits(v) == 64 ? v->gprs[gpr] : (uint32_t)v->gprs[gpr];
}

static enum exit_action on_cr_access(struct vcpu *v)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	unsigned int cr = q & 0xf;
	unsigned int gpr = q >> 8 & 0xf;

	switch ((enum cr_access)(q >> 4 & 3)) {
	case CR_MOV_FROM:
		return exit_read_cr(v, cr, gpr);
	case CR_CLTS:
		return exit_write_cr(v, 0, vmx_reg_get(v, HVM_CR0) & ~(uint64_t)CR0_TS);
	case CR_LMSW:
		return exit_write_cr(v, 0, lmsw(vmx_reg_get(v, HVM_CR0), (uint16_t)(q >> 16)));
	case CR_MOV_TO:
	default:
		return exit_write_cr(v, cr, mov_source(v, gpr));
	}
}

static enum exit_action on_task_switch(struct vcpu *v)
{
	vm_crash(v->vm, "hardware task switch to selector %04lx, which is not supported",
		 vmcs_read(EXIT_QUALIFICATION) & 0xffff);
	return EXIT_RESUME;
}

/* ---- second-level translation ---- */

/* SDM Vol. 3C, "Exit Qualification for EPT Violations". */
#define EPT_QUAL_WRITE	      BIT(1)
#define EPT_QUAL_FETCH	      BIT(2)
#define EPT_QUAL_LINEAR_VALID BIT(7)
#define EPT_QUAL_FINAL	      BIT(8) /* the access itself, not a walk of the guest's tables */

/* What touched memory that is no RAM in a way that no device can answer; NULL: a plain access. */
static const char *beyond_devices(uint64_t q)
{
	if (vmcs_read(IDT_VECTORING_INFO) & INTR_VALID) {
		return "delivery of an event";
	}
	if ((q & EPT_QUAL_LINEAR_VALID) && !(q & EPT_QUAL_FINAL)) {
		return "a walk of page tables";
	}
	return q & EPT_QUAL_FETCH ? "execution" : NULL;
}

static enum exit_action on_ept_violation(struct vcpu *v)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	gpa_t gpa = { vmcs_read(GUEST_PHYSICAL_ADDRESS) };
	const char *what = beyond_devices(q);

	if (unlikely((q & INTR_NMI_UNBLOCK) != 0)) {
		vmx_event_block_nmi();
	}
	if (exit_brings_page(v, gpa)) {
		return EXIT_RESUME;
	}
	if (unlikely(what != NULL)) {
		vm_crash(v->vm, "%s met %016lx, which is no RAM", what, gpa.v);
		return EXIT_RESUME;
	}
	return exit_mmio(v, gpa, (q & EPT_QUAL_WRITE) != 0);
}

static enum exit_action on_ept_misconfig(struct vcpu *v)
{
	vm_crash(v->vm, "EPT misconfiguration at %016lx", vmcs_read(GUEST_PHYSICAL_ADDRESS));
	return EXIT_RESUME;
}

/* ---- entries that fail ---- */

/* The guest brought itself into a state that the CPU refuses to enter. */
static enum exit_action on_invalid_state(struct vcpu *v)
{
	vm_crash(v->vm, "VM entry failed, invalid guest state: %s", vmx_check_guest());
	return EXIT_RESUME;
}

static enum exit_action on_entry_machine_check(struct vcpu *v)
{
	vm_crash(v->vm, "machine check during VM entry");
	return exit_machine_check();
}

/* ---- the table ---- */

#define EXIT(reason, handler, name) [reason] = { handler, name }

/* SDM Vol. 3D, Appendix "VMX Basic Exit Reasons". */
static const struct exit_entry exits[VCPU_EXIT_REASONS] = {
	EXIT(0, on_exception, "EXCEPTION_OR_NMI"),
	EXIT(1, on_host_event, "EXTERNAL_INTERRUPT"),
	EXIT(2, exit_triple_fault, "TRIPLE_FAULT"),
	EXIT(7, on_window, "INTERRUPT_WINDOW"),
	EXIT(8, on_window, "NMI_WINDOW"),
	EXIT(9, on_task_switch, "TASK_SWITCH"),
	EXIT(10, exit_cpuid, "CPUID"),
	EXIT(11, exit_undefined, "GETSEC"),
	EXIT(12, vmx_apic_on_hlt, "HLT"),
	EXIT(13, on_cache_flush, "INVD"),
	EXIT(15, on_rdpmc, "RDPMC"),
	EXIT(18, exit_hypercall, "VMCALL"),
	EXIT(19, exit_undefined, "VMCLEAR"),
	EXIT(20, exit_undefined, "VMLAUNCH"),
	EXIT(21, exit_undefined, "VMPTRLD"),
	EXIT(22, exit_undefined, "VMPTRST"),
	EXIT(23, exit_undefined, "VMREAD"),
	EXIT(24, exit_undefined, "VMRESUME"),
	EXIT(25, exit_undefined, "VMWRITE"),
	EXIT(26, exit_undefined, "VMXOFF"),
	EXIT(27, exit_undefined, "VMXON"),
	EXIT(28, on_cr_access, "CR_ACCESS"),
	EXIT(30, on_io, "IO_INSTRUCTION"),
	EXIT(31, exit_rdmsr, "RDMSR"),
	EXIT(32, exit_wrmsr, "WRMSR"),
	EXIT(33, on_invalid_state, "INVALID_GUEST_STATE"),
	EXIT(36, exit_undefined, "MWAIT"),
	EXIT(39, exit_undefined, "MONITOR"),
	EXIT(40, exit_pause, "PAUSE"),
	EXIT(41, on_entry_machine_check, "ENTRY_MACHINE_CHECK"),
	EXIT(44, vmx_apic_on_access, "APIC_ACCESS"),
	EXIT(45, vmx_apic_on_eoi, "VIRTUALIZED_EOI"),
	EXIT(48, on_ept_violation, "EPT_VIOLATION"),
	EXIT(49, on_ept_misconfig, "EPT_MISCONFIG"),
	EXIT(50, exit_undefined, "INVEPT"),
	EXIT(52, on_timer, "PREEMPTION_TIMER"),
	EXIT(53, exit_undefined, "INVVPID"),
	EXIT(54, on_cache_flush, "WBINVD"),
	EXIT(55, exit_xsetbv, "XSETBV"),
	EXIT(56, vmx_apic_on_write, "APIC_WRITE"),
	EXIT(59, exit_undefined, "VMFUNC"),
};

const char *const *vmx_exit_names(void)
{
	static const char *names[VCPU_EXIT_REASONS];

	for (unsigned int i = 0; i < VCPU_EXIT_REASONS; i++) {
		names[i] = exits[i].name;
	}
	return names;
}

/* ---- the round trip ---- */

/* Past the instruction: its shadow is over, and single-stepping sees it as executed. */
static void skip_insn(uint64_t rip, uint64_t rflags)
{
	uint64_t next = rip + vmcs_read(EXIT_INSN_LENGTH);
	uint64_t state = vmcs_read(GUEST_INTERRUPTIBILITY);

	if (unlikely((rip ^ next) >> 32 != 0) && !(vmcs_read(ENTRY_CONTROLS) & ENTRY_IA32E)) {
		next = (uint32_t)next;
	}
	vmcs_write(GUEST_RIP, next);
	if (unlikely((state & VMX_SHADOW) != 0)) {
		vmcs_write(GUEST_INTERRUPTIBILITY, state & ~VMX_SHADOW);
	}
	if (unlikely((rflags & RFLAGS_TF) != 0)) {
		vmcs_write(GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	}
}

static enum hvm_next act(enum exit_action action, uint64_t rip, uint64_t rflags)
{
	switch (action) {
	case EXIT_SKIP_INSN:
		skip_insn(rip, rflags);
		return HVM_AGAIN;
	case EXIT_BLOCK:
		skip_insn(rip, rflags);
		return HVM_BLOCK;
	case EXIT_SPIN:
		skip_insn(rip, rflags);
		return HVM_SPIN;
	case EXIT_YIELD:
		return HVM_YIELD;
	case EXIT_RESUME:
	default:
		return HVM_AGAIN;
	}
}

/*
 * The VMX-preemption timer goes on from exit to exit, so it is written only when this CPU's next
 * alarm is another one, or when it has expired. It stops in root mode, so each exit also looks
 * whether the time is over, and the alarm's own interrupt is the exact one. The timer is for a guest
 * that keeps interrupts out: Bochs 2.7 holds them all off while a guest has been entered with IF
 * clear, so that guest is never let run for longer than TIMER_CLOSED_NS: notice_closed().
 */
static void set_timer(struct vmx_vcpu *x)
{
	uint64_t deadline = __atomic_load_n(x->alarm, __ATOMIC_RELAXED);
	uint64_t now, ticks;

	if (likely(deadline == x->deadline)) {
		return;
	}
	x->deadline = deadline;
	x->open = (vmcs_read(GUEST_RFLAGS) & RFLAGS_IF) != 0;
	now = clock_now();
	ticks = deadline > now ? deadline - now : 0;
	ticks = u64_min(ticks, clock_ns_to_ticks(x->open ? TIMER_OPEN_NS : TIMER_CLOSED_NS));
	x->due = now + ticks;
	vmcs_write(PREEMPTION_TIMER, u64_min(ticks >> vmx_caps.timer_shift, UINT32_MAX));
}

/* The timer was set for a guest that lets interrupts in, and now it is entered as one that does not. */
static void notice_closed(struct vmx_vcpu *x, uint64_t rflags)
{
	if (unlikely(x->open && !(rflags & RFLAGS_IF))) {
		x->deadline = 0;
	}
}

/* The time is over though the timer is not: most of it went by in root mode. */
static enum hvm_next overdue(struct vmx_vcpu *x, enum hvm_next next)
{
	x->deadline = 0;
	return next == HVM_AGAIN ? HVM_YIELD : next;
}

static void prepare(struct vcpu *v, struct vmx_vcpu *x)
{
	struct ept *ept = v->vm->slat;

	if (unlikely(!vmx_event_is_idle(v))) {
		vmx_event_prepare(v);
	}
	if (unlikely(ept_is_stale(ept, x->cpu))) {
		ept_flush(ept, x->cpu);
	}
	if (vmx_caps.timer) {
		set_timer(x);
	}
	if (v->gprs[GPR_RSP] != x->rsp) {
		vmcs_write(GUEST_RSP, v->gprs[GPR_RSP]);
	}
}

/* A VMfail is never the guest's doing: controls and host state are ours. */
static void NORETURN entry_vmfail(void)
{
	uint32_t error = vmcs_read32(INSTRUCTION_ERROR);

	panic_stop("VM entry: VMfail %u: %s", error, vmcs_error_text(error));
}

static struct trace_record *trace_exit(const struct vcpu *v, const struct vmx_vcpu *x,
				       uint32_t reason, uint64_t rip)
{
	static struct trace_record nowhere; /* before the CPU has its ring */
	struct trace_record *rec = likely(x->trace != NULL) ? trace_add(x->trace) : &nowhere;

	rec->tsc = v->exit_tsc;
	rec->kind = TRACE_EXIT;
	rec->code = (uint16_t)reason;
	rec->a = rip;
	rec->b = vmcs_read32(EXIT_QUALIFICATION);
	rec->vcpu = (uint32_t)v->vm->id << 16 | v->id;
	return rec;
}

static enum exit_action handle(struct vcpu *v, uint32_t reason)
{
	if (unlikely(reason >= VCPU_EXIT_REASONS || exits[reason].handler == NULL)) {
		return exit_unexpected(v, reason);
	}
	return exits[reason].handler(v);
}

enum hvm_next vmx_exit_run(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;
	struct trace_record *rec;
	enum hvm_next next;
	uint32_t reason, vectoring;
	uint64_t rip, rflags, took;

	prepare(v, x);
	stretch_end(x->stretch, x86_rdtsc());
	if (unlikely(vmx_enter(v->gprs, &x->entry))) {
		entry_vmfail();
	}
	v->exit_tsc = x86_rdtsc();
	stretch_begin(x->stretch, v->exit_tsc);
	x->cr2 = x86_read_cr2();
	reason = vmcs_read32(EXIT_REASON);
	vectoring = vmcs_read32(IDT_VECTORING_INFO);
	rip = vmcs_read(GUEST_RIP);
	rflags = vmcs_read(GUEST_RFLAGS);
	x->rsp = vmcs_read(GUEST_RSP);
	v->gprs[GPR_RSP] = x->rsp;
	if (likely(!(reason & REASON_ENTRY_FAILED))) {
		x->entry.launched = true;
		if (unlikely((vectoring & INTR_VALID) != 0)) {
			vmx_event_cut_short(v, vectoring);
		}
	}
	reason &= REASON_BASIC;
	rec = trace_exit(v, x, reason, rip);
	next = act(handle(v, reason), rip, rflags);
	notice_closed(x, rflags);
	if (unlikely(v->exit_tsc >= x->due)) {
		next = overdue(x, next);
	}
	took = x86_rdtsc() - v->exit_tsc;
	rec->took = (uint32_t)took;
	v->exits++;
	v->stats[reason % VCPU_EXIT_REASONS].count++;
	v->stats[reason % VCPU_EXIT_REASONS].ticks += took;
	return next;
}
