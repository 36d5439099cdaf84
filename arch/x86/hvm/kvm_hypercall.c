/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCALL and VMMCALL as KVM takes them: the number in RAX, the answer there too. */
/* No call is offered: each is answered as unknown, which Linux's modules (ptp_kvm) count on. */
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/x86_bits.h"

/* Linux, include/uapi/linux/kvm_para.h */
#define KVM_ENOSYS 1000ul
#define KVM_EPERM  1ul

enum exit_action exit_hypercall(struct vcpu *v)
{
	uint64_t answer = 0 - (x86_cpl(v) == 0 ? KVM_ENOSYS : KVM_EPERM);

	if (!kvm_leaf_any(v)) {
		return exit_undefined(v);
	}
	v->gprs[GPR_RAX] = exit_code_bits(v) == 64 ? answer : (uint32_t)answer;
	return EXIT_SKIP_INSN;
}
