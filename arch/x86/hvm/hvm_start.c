/* SPDX-License-Identifier: BSD-2-Clause */
/* Register state of a vCPU that has not run yet: as after a reset, or as a boot protocol wants it. */
/* Written through hvm_ops, so it is the same on both vendors. */
#include "arch/x86/hvm/hvm_start.h"

#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/vmsr_rules.h"
#include "arch/x86/hvm/x86_bits.h"

#define PAT_RESET 0x0007040600070406ul

/* Selectors of the boot protocols' GDTs: struct vcpu_start. */
#define START_CS 0x10u
#define START_DS 0x18u

/* Attributes: present, S, type. */
#define ATTR_DATA 0x93u /* writable, accessed */
#define ATTR_CODE 0x9bu /* readable, accessed */
#define ATTR_LDT  0x82u
#define ATTR_TSS  0x8bu	 /* busy */
#define ATTR_BIG  0xc00u /* D/B, G */
#define ATTR_LONG 0xa00u /* L, G */

/* SDM Vol. 3A, "Processor State After Reset", for power-up and INIT. RDX: family, model, stepping. */
static const struct {
	enum hvm_reg reg;
	bool kept; /* by INIT */
	uint64_t val;
} reset_regs[] = {
	{ HVM_RIP, false, 0xfff0 },
	{ HVM_RFLAGS, false, X86_RFLAGS_FIXED },
	{ HVM_EFER, false, 0 },
	{ HVM_CR4, false, 0 },
	{ HVM_CR0, false, CR0_CD | CR0_NW | CR0_ET },
	{ HVM_CR2, false, 0 },
	{ HVM_CR3, false, 0 },
	{ HVM_DR6, false, 0xffff0ff0 },
	{ HVM_DR7, false, 0x400 },
	{ HVM_PAT, true, PAT_RESET },
	{ HVM_SYSENTER_CS, true, 0 },
	{ HVM_SYSENTER_ESP, true, 0 },
	{ HVM_SYSENTER_EIP, true, 0 },
};

static const struct hvm_segment reset_segs[HVM_SEGS] = {
	[HVM_ES] = { 0, ATTR_DATA, 0xffff, 0 },
	[HVM_CS] = { 0xf000, ATTR_CODE, 0xffff, 0xffff0000 },
	[HVM_SS] = { 0, ATTR_DATA, 0xffff, 0 },
	[HVM_DS] = { 0, ATTR_DATA, 0xffff, 0 },
	[HVM_FS] = { 0, ATTR_DATA, 0xffff, 0 },
	[HVM_GS] = { 0, ATTR_DATA, 0xffff, 0 },
	[HVM_LDTR] = { 0, ATTR_LDT, 0xffff, 0 },
	[HVM_TR] = { 0, ATTR_TSS, 0xffff, 0 },
	[HVM_GDTR] = { 0, 0, 0xffff, 0 },
	[HVM_IDTR] = { 0, 0, 0xffff, 0 },
};

static void set_reset_values(struct vcpu *v, bool all)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(reset_regs); i++) {
		if (all || !reset_regs[i].kept) {
			hvm->set_reg(v, reset_regs[i].reg, reset_regs[i].val);
		}
	}
	for (unsigned int i = 0; i < HVM_SEGS; i++) {
		hvm->set_seg(v, (enum hvm_seg)i, &reset_segs[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(v->gprs); i++) {
		v->gprs[i] = 0;
	}
	v->gprs[GPR_RDX] = vcpuid_lookup(v->x86->cpuid, 1, 0)->eax;
}

void hvm_reset_state(struct vcpu *v)
{
	set_reset_values(v, true);
}

/* Note 2 there: CD and NW are left alone. */
void hvm_init_state(struct vcpu *v)
{
	uint64_t kept = x86_reg(v, HVM_CR0) & (CR0_CD | CR0_NW);

	set_reset_values(v, false);
	hvm->set_reg(v, HVM_CR0, kept | CR0_ET);
}

void hvm_startup_state(struct vcpu *v, uint8_t vector)
{
	const struct hvm_segment code = { .sel = (uint16_t)(vector << 8),
					  .attr = ATTR_CODE,
					  .limit = 0xffff,
					  .base = (uint64_t)vector << 12 };

	hvm->set_seg(v, HVM_CS, &code);
	hvm->set_reg(v, HVM_RIP, 0);
}

/* Flat segments over all addresses; code by its attributes. */
static void set_flat(struct vcpu *v, unsigned int code_attr)
{
	const struct hvm_segment code = { START_CS, (uint16_t)code_attr, UINT32_MAX, 0 };
	const struct hvm_segment data = { START_DS, ATTR_DATA | ATTR_BIG, UINT32_MAX, 0 };
	static const enum hvm_seg all[] = { HVM_ES, HVM_SS, HVM_DS, HVM_FS, HVM_GS };

	hvm->set_seg(v, HVM_CS, &code);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		hvm->set_seg(v, all[i], &data);
	}
}

static void set_tables(struct vcpu *v, const struct vcpu_start *start)
{
	const struct hvm_segment gdt = { .base = start->gdt.v, .limit = start->gdt_limit };
	const struct hvm_segment none = { 0 };

	hvm->set_seg(v, HVM_GDTR, &gdt);
	hvm->set_seg(v, HVM_IDTR, &none);
}

static void set_gprs(struct vcpu *v, const struct vcpu_start *start)
{
	v->gprs[GPR_RAX] = start->rax;
	v->gprs[GPR_RBX] = start->rbx;
	v->gprs[GPR_RSI] = start->rsi;
	v->gprs[GPR_RSP] = start->rsp;
	v->gprs[GPR_RDX] = 0;
	hvm->set_reg(v, HVM_RIP, start->rip);
}

/* What firmware would have done before it handed over: the others wait for a SIPI after its INIT. */
static void set_platform(struct vcpu *v)
{
	if (v->id == 0) {
		vlapic_virtual_wire(v);
	}
	vmsr_mtrr_firmware(v);
}

static void start_real(struct vcpu *v, const struct vcpu_start *start)
{
	const struct hvm_segment code = { 0, ATTR_CODE, 0xffff, 0 };

	hvm->set_seg(v, HVM_CS, &code);
	hvm->set_reg(v, HVM_CR0, CR0_ET);
	set_gprs(v, start);
}

static void start_protected(struct vcpu *v, const struct vcpu_start *start)
{
	set_flat(v, ATTR_CODE | ATTR_BIG);
	hvm->set_reg(v, HVM_CR0, CR0_PE | CR0_ET);
	set_gprs(v, start);
	set_tables(v, start);
}

static void start_long(struct vcpu *v, const struct vcpu_start *start)
{
	set_flat(v, ATTR_CODE | ATTR_LONG);
	hvm->set_reg(v, HVM_EFER, EFER_LME | EFER_LMA);
	hvm->set_reg(v, HVM_CR4, CR4_PAE);
	hvm->set_reg(v, HVM_CR3, start->cr3);
	hvm->set_reg(v, HVM_CR0, CR0_PG | CR0_PE | CR0_ET);
	set_gprs(v, start);
	set_tables(v, start);
}

static void start_boot_processor(struct vcpu *v, const struct vcpu_start *start)
{
	switch (start->mode) {
	case VCPU_START_REAL16:
		start_real(v, start);
		break;
	case VCPU_START_PROTECTED32:
		start_protected(v, start);
		break;
	case VCPU_START_LONG64:
		start_long(v, start);
		break;
	case VCPU_START_RESET:
		break; /* hvm_reset_state was all */
	}
}

void hvm_start_state(struct vcpu *v, const struct vcpu_start *start)
{
	if (v->id == 0) {
		start_boot_processor(v, start);
	}
	if (start->mode != VCPU_START_RESET) {
		set_platform(v);
	}
}
