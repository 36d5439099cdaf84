/* SPDX-License-Identifier: BSD-2-Clause */
/* What the exit tables of VMX and SVM share: row type, actions, and the handlers of exits that mean */
/* the same on both. Decoding which exit it was is the vendor's. */
#ifndef ARCH_X86_HVM_EXIT_H
#define ARCH_X86_HVM_EXIT_H

#include "arch/hvm.h"
#include "hv/lib/types.h"
#include "hv/vm.h"
#include "hv/vm_memory.h"

/* The handler says whether the instruction is stepped over: forgetting cannot skip guest code. */
enum exit_action {
	EXIT_RESUME,	/* enter again at the same RIP (fault injected, or RIP was set) */
	EXIT_SKIP_INSN, /* done: step over the instruction */
	EXIT_BLOCK,	/* HLT: step over it, then sleep */
	EXIT_SPIN,	/* PAUSE: step over it, then let another vCPU of this VM run */
	EXIT_YIELD, /* as RESUME, but let host interrupts in first: one waits, or a REP goes on */
};

struct exit_entry {
	enum exit_action (*handler)(struct vcpu *v);
	const char *name;
};

/* An intercepted IN or OUT; string forms are decoded from the instruction by the handler. */
struct exit_io {
	uint16_t port;
	uint8_t size; /* 1, 2, 4 */
	bool in;
	bool string;
};

/* exit_cpuid.c, by the policy table in cpuid.c; about 100 instructions: it is a benchmark. */
enum exit_action exit_cpuid(struct vcpu *v);
/* msr.c: RCX names it, EDX:EAX holds it; #GP for what the policy table does not allow. */
enum exit_action exit_rdmsr(struct vcpu *v);
enum exit_action exit_wrmsr(struct vcpu *v);
/* io.c */
enum exit_action exit_io(struct vcpu *v, const struct exit_io *io);
/*
 * mmio.c: a second-level fault at gpa that is no RAM: fetches and executes the instruction. Sets RIP
 * itself.
 */
enum exit_action exit_mmio(struct vcpu *v, gpa_t gpa, bool write);
/* A second-level fault at a page that the guest had given away, and that may come back: go on. */
static inline bool exit_brings_page(struct vcpu *v, gpa_t gpa)
{
	return unlikely(v->vm->mem.balloon != NULL) && vm_memory_touch(v->vm, gpa);
}
/* cr.c: MOV to CR0, CR3, CR4, CR8 with every check of SDM Vol. 3A, "Control Registers". */
enum exit_action exit_write_cr(struct vcpu *v, unsigned int cr, uint64_t val);
enum exit_action exit_read_cr(struct vcpu *v, unsigned int cr, unsigned int gpr);
/* cr.c: EDX:EAX into XCR[ECX]. */
enum exit_action exit_xsetbv(struct vcpu *v);
enum exit_action exit_hlt(struct vcpu *v);
/* kvm_hypercall.c: VMCALL, VMMCALL; #UD for a guest that is not told of KVM's interface. */
enum exit_action exit_hypercall(struct vcpu *v);
/* exit.c: PAUSE, or a loop of them. Gives the turn away only if a vCPU of the VM waits for one. */
enum exit_action exit_pause(struct vcpu *v);
/* Instructions we never offer (VMX, SVM, MONITOR …): #UD. */
enum exit_action exit_undefined(struct vcpu *v);
/* Triple fault, SHUTDOWN: the VM crashes (or resets, as on_crash says). */
enum exit_action exit_triple_fault(struct vcpu *v);
/* A machine check met the host while the guest ran: the host's handler decides who goes on. */
enum exit_action exit_machine_check(void);
/* No row in the table: the VM crashes with the reason's number. */
enum exit_action exit_unexpected(struct vcpu *v, uint64_t reason);

/*
 * fetch.c: up to 15 code bytes at CS:RIP through the guest's own page tables (no accessed bits are
 * set: the CPU has just fetched them). Returns how many could be read; 0 if none.
 */
unsigned int exit_fetch(struct vcpu *v, uint8_t bytes[15]);
/* Length of the instruction at RIP, prefixes included, by the decoder; 0 if it cannot be decoded. */
unsigned int exit_insn_length(struct vcpu *v);
/* The same for a backend that has at hand what it depends on: CS:RIP as a linear address, CR3, EFER. */
unsigned int exit_insn_length_at(struct vcpu *v, uint64_t linear, uint64_t cr3, uint64_t efer);
/* Default code size from CS and EFER: 16, 32 or 64. */
unsigned int exit_code_bits(const struct vcpu *v);

#endif
