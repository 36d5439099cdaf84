/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID exit: one lookup. */
/* What the answers are is vcpuid.c's. */
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "hv/vcpu.h"

enum exit_action exit_cpuid(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)v->gprs[GPR_RAX];
	const struct x86_cpuid *r;

	if (leaf == 1 || leaf == 0xd) {
		vcpuid_refresh(v, leaf);
	}
	r = vcpuid_lookup(v->x86->cpuid, leaf, (uint32_t)v->gprs[GPR_RCX]);
	v->gprs[GPR_RAX] = r->eax;
	v->gprs[GPR_RBX] = r->ebx;
	v->gprs[GPR_RCX] = r->ecx;
	v->gprs[GPR_RDX] = r->edx;
	return EXIT_SKIP_INSN;
}
