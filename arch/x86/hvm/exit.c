/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of exits that are the same on both vendors and belong to no other file. */
/* Which exit it was is the vendor's to tell. */
#include "arch/x86/hvm/exit.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/vcpu_sibling.h"
#include "hv/vm.h"

enum exit_action exit_hlt(struct vcpu *v)
{
	(void)v;
	return EXIT_BLOCK;
}

enum exit_action exit_pause(struct vcpu *v)
{
	return vcpu_sibling_waits(v) ? EXIT_SPIN : EXIT_SKIP_INSN;
}

enum exit_action exit_undefined(struct vcpu *v)
{
	event_exception(v, VEC_UD, 0);
	return EXIT_RESUME;
}

enum exit_action exit_triple_fault(struct vcpu *v)
{
	vm_crash(v->vm, "triple fault on vCPU %u near RIP %llx", v->id,
		 (unsigned long long)x86_reg(v, HVM_RIP));
	return EXIT_RESUME;
}

enum exit_action exit_machine_check(void)
{
	__asm__ volatile("int $18" : : : "memory");
	return EXIT_RESUME;
}

enum exit_action exit_unexpected(struct vcpu *v, uint64_t reason)
{
	vm_crash(v->vm, "unexpected VM exit %llu on vCPU %u at RIP %llx",
		 (unsigned long long)reason, v->id, (unsigned long long)x86_reg(v, HVM_RIP));
	return EXIT_RESUME;
}
