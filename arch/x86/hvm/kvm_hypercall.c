/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCALL and VMMCALL as KVM takes them: number in RAX, arguments in RBX, RCX, RDX, RSI, answer in RAX. */
/* Linux, Documentation/virt/kvm, "KVM hypercalls". Only calls that the guest is told of are answered. */
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/vcpu_sibling.h"

/* Linux, include/uapi/linux/kvm_para.h; the answer is one of them, negative. */
#define KVM_EPERM  1ul
#define KVM_EINVAL 22ul
#define KVM_ENOSYS 1000ul

#define ICR_VECTOR    0xfful
#define ICR_MODE(icr) ((icr) >> 8 & 7)
#define ICR_OTHERS    (~(ICR_VECTOR | 7ul << 8 | BIT(14))) /* the level may be set: it asserts */
#define VECTOR_FIRST  16u

struct call {
	uint64_t arg[4];   /* as wide as the guest's code is */
	unsigned int bits; /* of that */
	uint64_t answer;
	enum exit_action action;
};

struct row {
	void (*fn)(struct vcpu *v, struct call *c);
	enum kvm_feature feature;
};

/* To one or many, by their numbers alone: no logical destination, no shorthand, no INIT. */
static bool icr_ok(uint64_t icr)
{
	bool fixed = ICR_MODE(icr) == VIRQ_FIXED && (icr & ICR_VECTOR) >= VECTOR_FIRST;

	return (icr & ICR_OTHERS) == 0 && (fixed || ICR_MODE(icr) == VIRQ_NMI);
}

/* A bitmap of two words, the APIC ID of its bit 0, the low half of an ICR. */
static void send_ipi(struct vcpu *v, struct call *c)
{
	uint64_t icr = c->arg[3];
	uint64_t mask[2] = { c->arg[0], c->arg[1] };
	struct virq_msg msg = { .vector = (uint8_t)icr, .mode = (uint8_t)ICR_MODE(icr) };

	if (!icr_ok(icr)) {
		c->answer = 0 - KVM_EINVAL;
		return;
	}
	if (c->bits != 64) {
		mask[0] |= mask[1] << 32;
		mask[1] = 0;
	}
	c->answer = vlapic_send_mask(v->vm, c->arg[2], mask, &msg);
}

/* It has sent something to the vCPU with that APIC ID, which it believes to have no CPU. */
static void yield_to(struct vcpu *v, struct call *c)
{
	c->answer = 0;
	if (vcpu_sibling_favour(v, c->arg[0])) {
		c->action = EXIT_SPIN;
	}
}

static const struct row rows[] = {
	[10] = { send_ipi, KVM_PV_SEND_IPI },
	[11] = { yield_to, KVM_PV_SCHED_YIELD },
};

static const struct row *find(const struct vcpu *v, uint64_t number)
{
	const struct row *r = number < ARRAY_SIZE(rows) ? &rows[number] : NULL;

	return r != NULL && r->fn != NULL && kvm_leaf_has(v, r->feature) ? r : NULL;
}

/* A register as the guest's code has it. */
static uint64_t value(const struct vcpu *v, const struct call *c, enum gpr gpr)
{
	return c->bits == 64 ? v->gprs[gpr] : (uint32_t)v->gprs[gpr];
}

static void call(struct vcpu *v, struct call *c)
{
	static const enum gpr args[] = { GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI };
	const struct row *r = find(v, value(v, c, GPR_RAX));

	if (x86_cpl(v) != 0 || r == NULL) {
		c->answer = 0 - (x86_cpl(v) != 0 ? KVM_EPERM : KVM_ENOSYS);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(args); i++) {
		c->arg[i] = value(v, c, args[i]);
	}
	kvm_leaf_note_use(v, r->feature);
	r->fn(v, c);
}

enum exit_action exit_hypercall(struct vcpu *v)
{
	struct call c = { .bits = exit_code_bits(v), .action = EXIT_SKIP_INSN };

	if (!kvm_leaf_any(v)) {
		return exit_undefined(v);
	}
	call(v, &c);
	v->gprs[GPR_RAX] = c.bits == 64 ? c.answer : (uint32_t)c.answer;
	return c.action;
}
