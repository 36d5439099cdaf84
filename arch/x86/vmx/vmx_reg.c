/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes guest registers and segments in the VMCS, from v's thread or before it has one. */
/* Takes every value as checked. */
#include "arch/x86/vmx/vmx_reg.h"

#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/vcpu.h"

/* Registers that are one VMCS field and nothing else. 0 (the VPID's encoding): not one of these. */
static const uint16_t plain[HVM_REGS] = {
	[HVM_RIP] = GUEST_RIP,
	[HVM_RFLAGS] = GUEST_RFLAGS,
	[HVM_CR3] = GUEST_CR3,
	[HVM_EFER] = GUEST_EFER,
	[HVM_DR7] = GUEST_DR7,
	[HVM_PAT] = GUEST_PAT,
	[HVM_SYSENTER_CS] = GUEST_SYSENTER_CS,
	[HVM_SYSENTER_ESP] = GUEST_SYSENTER_ESP,
	[HVM_SYSENTER_EIP] = GUEST_SYSENTER_EIP,
	[HVM_FS_BASE] = GUEST_FS_BASE,
	[HVM_GS_BASE] = GUEST_GS_BASE,
	/* With EPT and PAE paging an entry takes the four page-directory pointers from the VMCS. */
	[HVM_PDPTE0] = GUEST_PDPTE0,
	[HVM_PDPTE1] = GUEST_PDPTE1,
	[HVM_PDPTE2] = GUEST_PDPTE2,
	[HVM_PDPTE3] = GUEST_PDPTE3,
	[HVM_TSC_OFFSET] = TSC_OFFSET,
};

/* ---- control registers ---- */

/* CR4 bits that the guest changes without an exit, and the CPUID feature that makes each valid. */
static const struct {
	uint64_t bit;
	enum vcpuid_feature feature;
} cr4_guest[] = {
	{ CR4_VME | CR4_PVI, VCPUID_VME }, { CR4_DE, VCPUID_DE },
	{ CR4_PSE, VCPUID_PSE },	   { CR4_PAE, VCPUID_PAE },
	{ CR4_PGE, VCPUID_PGE },	   { CR4_OSFXSR, VCPUID_FXSR },
	{ CR4_OSXMMEXCPT, VCPUID_SSE },	   { CR4_UMIP, VCPUID_UMIP },
	{ CR4_FSGSBASE, VCPUID_FSGSBASE }, { CR4_PCIDE, VCPUID_PCID },
	{ CR4_SMEP, VCPUID_SMEP },	   { CR4_SMAP, VCPUID_SMAP },
};

uint64_t vmx_reg_cr4_mask(const struct vcpu *v)
{
	uint64_t guest = CR4_TSD;

	for (unsigned int i = 0; i < ARRAY_SIZE(cr4_guest); i++) {
		if (vcpuid_has(v, cr4_guest[i].feature)) {
			guest |= cr4_guest[i].bit;
		}
	}
	return ~guest;
}

static uint64_t shadowed(enum vmcs_field real, enum vmcs_field shadow, uint64_t mask)
{
	return (vmcs_read(real) & ~mask) | (vmcs_read(shadow) & mask);
}

/* SDM Vol. 3C, "Restrictions on Guest CR0": PE and PG are free with unrestricted guests. */
static void set_cr0(uint64_t val)
{
	uint64_t must = vmx_caps.cr0_fixed0 & ~(uint64_t)(CR0_PE | CR0_PG);

	/* Entries leave CD and NW as they are: RAM is cached whatever the guest asks for. */
	vmcs_write(CR0_SHADOW, val);
	vmcs_write(GUEST_CR0, ((val & ~(uint64_t)(CR0_CD | CR0_NW)) | must) & vmx_caps.cr0_fixed1);
}

/* A machine check while CR4.MCE is clear would shut the host down: the guest's MCE is a shadow. */
static void set_cr4(uint64_t val)
{
	vmcs_write(CR4_SHADOW, val);
	vmcs_write(GUEST_CR4, val | vmx_caps.cr4_fixed0 | CR4_VMXE | CR4_MCE);
}

/* LMA follows LME and PG; the entry control has to say the same. */
static void settle_long_mode(void)
{
	uint64_t efer = vmcs_read(GUEST_EFER);
	uint64_t controls = vmcs_read(ENTRY_CONTROLS);
	bool active = (efer & EFER_LME) && (vmcs_read(GUEST_CR0) & CR0_PG);

	efer = active ? efer | EFER_LMA : efer & ~(uint64_t)EFER_LMA;
	controls = active ? controls | ENTRY_IA32E : controls & ~(uint64_t)ENTRY_IA32E;
	vmcs_write(GUEST_EFER, efer);
	vmcs_write(ENTRY_CONTROLS, controls);
}

/* ---- registers ---- */

/* CR2 and DR6 have no field: while its thread has a CPU they are in that CPU. */
static uint64_t get_cr2(const struct vmx_vcpu *x)
{
	return x->cr2;
}

static uint64_t get_dr6(const struct vmx_vcpu *x)
{
	uint64_t val = x->dr6;

	if (x->live) {
		__asm__ volatile("movq %%dr6, %0" : "=r"(val));
	}
	return val;
}

static void set_cr2(struct vmx_vcpu *x, uint64_t val)
{
	x->cr2 = val;
	if (x->live) {
		x86_write_cr2(val);
	}
}

static void set_dr6(struct vmx_vcpu *x, uint64_t val)
{
	x->dr6 = val;
	if (x->live) {
		__asm__ volatile("movq %0, %%dr6" : : "r"(val));
	}
}

static uint64_t get(const struct vcpu *v, enum hvm_reg r)
{
	switch (r) {
	case HVM_CR0:
		return shadowed(GUEST_CR0, CR0_SHADOW, VMX_CR0_MASK);
	case HVM_CR4:
		return shadowed(GUEST_CR4, CR4_SHADOW, vmcs_read(CR4_MASK));
	case HVM_CR2:
		return get_cr2(v->hvm);
	case HVM_DR6:
		return get_dr6(v->hvm);
	case HVM_STAR:
	case HVM_LSTAR:
	case HVM_CSTAR:
	case HVM_SFMASK:
	case HVM_KERNEL_GS_BASE:
		return vmx_vcpu_get_msr(v, r);
	case HVM_SPEC_CTRL:
		return ((const struct vmx_vcpu *)v->hvm)->guest_spec.val;
	default:
		return vmcs_read((enum vmcs_field)plain[r]);
	}
}

/* A new RIP leaves the instruction behind that a shadow of STI or MOV SS covered. */
static void set_rip(uint64_t val)
{
	uint64_t state = vmcs_read(GUEST_INTERRUPTIBILITY);

	vmcs_write(GUEST_RIP, val);
	if (state & VMX_SHADOW) {
		vmcs_write(GUEST_INTERRUPTIBILITY, state & ~VMX_SHADOW);
	}
}

static void set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	switch (r) {
	case HVM_RIP:
		set_rip(val);
		break;
	case HVM_CR0:
		set_cr0(val);
		settle_long_mode();
		break;
	case HVM_CR4:
		set_cr4(val);
		break;
	case HVM_EFER:
		vmcs_write(GUEST_EFER, val);
		settle_long_mode();
		break;
	case HVM_CR2:
		set_cr2(v->hvm, val);
		break;
	case HVM_DR6:
		set_dr6(v->hvm, val);
		break;
	case HVM_STAR:
	case HVM_LSTAR:
	case HVM_CSTAR:
	case HVM_SFMASK:
	case HVM_KERNEL_GS_BASE:
		vmx_vcpu_set_msr(v, r, val);
		break;
	case HVM_SPEC_CTRL:
		vmx_vcpu_set_spec_ctrl(v, val);
		break;
	default:
		vmcs_write((enum vmcs_field)plain[r], val);
		break;
	}
}

/* Of a vCPU whose VMCS is not current: one that is being made. */
static __attribute__((noinline)) uint64_t get_elsewhere(const struct vcpu *v, enum hvm_reg r)
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);
	uint64_t val = get(v, r);

	vmx_vcpu_unfocus(v, prev);
	return val;
}

uint64_t vmx_reg_get(const struct vcpu *v, enum hvm_reg r)
{
	return likely(vmx_vcpu_is_current(v)) ? get(v, r) : get_elsewhere(v, r);
}

static __attribute__((noinline)) void set_elsewhere(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);

	set(v, r, val);
	vmx_vcpu_unfocus(v, prev);
}

void vmx_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	if (likely(vmx_vcpu_is_current(v))) {
		set(v, r, val);
	} else {
		set_elsewhere(v, r, val);
	}
}

/* ---- segments ---- */

/* SDM Vol. 3C, "Guest Register State": AVL, L, D/B and G lie four bits higher; bit 16: unusable. */
#define RIGHTS_UNUSABLE BIT(16)
#define ATTR_LOW	0xffu
#define ATTR_HIGH	0xf00u
#define ATTR_P		0x80u

static uint32_t rights_of(uint16_t attr)
{
	if (!(attr & ATTR_P)) {
		return (uint32_t)RIGHTS_UNUSABLE;
	}
	return (attr & ATTR_LOW) | (uint32_t)(attr & ATTR_HIGH) << 4;
}

static uint16_t attr_of(uint32_t rights)
{
	uint16_t attr = (uint16_t)((rights & ATTR_LOW) | (rights >> 4 & ATTR_HIGH));

	return rights & RIGHTS_UNUSABLE ? (uint16_t)(attr & ~ATTR_P) : attr;
}

static bool is_table(enum hvm_seg s)
{
	return s == HVM_GDTR || s == HVM_IDTR;
}

/* VMX has ES CS SS DS FS GS LDTR TR GDTR IDTR in this order too. */
_Static_assert(HVM_ES == 0 && HVM_CS == 1 && HVM_SS == 2 && HVM_DS == 3 && HVM_FS == 4 &&
		       HVM_GS == 5 && HVM_LDTR == 6 && HVM_TR == 7 && HVM_GDTR == 8 &&
		       HVM_IDTR == 9,
	       "order of the segment fields in the VMCS");

static void get_seg(enum hvm_seg s, struct hvm_segment *out)
{
	*out = (struct hvm_segment){
		.base = vmcs_read(vmcs_nth(GUEST_ES_BASE, s)),
		.limit = vmcs_read32(vmcs_nth(GUEST_ES_LIMIT, s)),
	};
	if (!is_table(s)) {
		out->sel = (uint16_t)vmcs_read(vmcs_nth(GUEST_ES_SELECTOR, s));
		out->attr = attr_of(vmcs_read32(vmcs_nth(GUEST_ES_RIGHTS, s)));
	}
}

static void set_seg(enum hvm_seg s, const struct hvm_segment *in)
{
	vmcs_write(vmcs_nth(GUEST_ES_BASE, s), in->base);
	vmcs_write(vmcs_nth(GUEST_ES_LIMIT, s), in->limit);
	if (!is_table(s)) {
		vmcs_write(vmcs_nth(GUEST_ES_SELECTOR, s), in->sel);
		vmcs_write(vmcs_nth(GUEST_ES_RIGHTS, s), rights_of(in->attr));
	}
}

static __attribute__((noinline)) void get_seg_elsewhere(const struct vcpu *v, enum hvm_seg s,
							struct hvm_segment *out)
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);

	get_seg(s, out);
	vmx_vcpu_unfocus(v, prev);
}

void vmx_reg_get_seg(const struct vcpu *v, enum hvm_seg s, struct hvm_segment *out)
{
	if (likely(vmx_vcpu_is_current(v))) {
		get_seg(s, out);
	} else {
		get_seg_elsewhere(v, s, out);
	}
}

void vmx_reg_set_seg(struct vcpu *v, enum hvm_seg s, const struct hvm_segment *in)
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);

	set_seg(s, in);
	vmx_vcpu_unfocus(v, prev);
}

bool vmx_reg_interrupt_shadow(const struct vcpu *v)
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);
	bool shadow = (vmcs_read(GUEST_INTERRUPTIBILITY) & VMX_SHADOW) != 0;

	vmx_vcpu_unfocus(v, prev);
	return shadow;
}

/* ---- what is half-way ---- */

#define PENDING_DEBUG_BS BIT(14)

void vmx_reg_get_halfway(struct vcpu *v, struct hvm_halfway *out)
{
	const struct vmx_vcpu *x = v->hvm;
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);
	uint64_t state = vmcs_read(GUEST_INTERRUPTIBILITY);

	*out = (struct hvm_halfway){
		.event = x->reinject,
		.length = x->reinject_length,
		.shadow = (uint32_t)(state & VMX_SHADOW),
		.nmi_blocked = (state & VMX_BLOCKED_NMI) != 0,
		.single_step = (vmcs_read(GUEST_PENDING_DEBUG) & PENDING_DEBUG_BS) != 0,
	};
	vmx_vcpu_unfocus(v, prev);
}

void vmx_reg_set_halfway(struct vcpu *v, const struct hvm_halfway *in)
{
	struct vmx_vcpu *x = v->hvm;
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);

	x->reinject = in->event;
	x->reinject_length = in->length;
	vmcs_write(GUEST_INTERRUPTIBILITY, in->shadow | (in->nmi_blocked ? VMX_BLOCKED_NMI : 0));
	vmcs_write(GUEST_PENDING_DEBUG, in->single_step ? PENDING_DEBUG_BS : 0);
	vmx_vcpu_unfocus(v, prev);
}
