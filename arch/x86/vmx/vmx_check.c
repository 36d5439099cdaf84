/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks on the guest-state area that a VM entry makes, in the order of SDM Vol. 3C, "Checks on */
/* the Guest State Area", each with its name. Not complete: MSR formats beyond EFER are left out. */
#include "arch/x86/vmx/vmx_check.h"

#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx_caps.h"
#include "arch/x86/vmx/vmx_event.h"
#include "arch/x86/vmx/vmx_reg.h"
#include "arch/x86/vmx/vmx_vcpu.h"

#define RIGHTS_TYPE	0xfu
#define RIGHTS_S	BIT(4)
#define RIGHTS_P	BIT(7)
#define RIGHTS_L	BIT(13)
#define RIGHTS_DB	BIT(14)
#define RIGHTS_G	BIT(15)
#define RIGHTS_UNUSABLE BIT(16)
#define RIGHTS_DPL(r)	((r) >> 5 & 3)

#define TYPE_TSS_BUSY_16 3u
#define TYPE_TSS_BUSY	 11u

#define RFLAGS_ONE	BIT(1)
#define RFLAGS_RESERVED (~0x3f7fd7ul)

static uint64_t rights(enum hvm_seg s)
{
	return vmcs_read(vmcs_nth(GUEST_ES_RIGHTS, s));
}

static bool usable(enum hvm_seg s)
{
	return !(rights(s) & RIGHTS_UNUSABLE);
}

static bool long_mode(void)
{
	return (vmcs_read(ENTRY_CONTROLS) & ENTRY_IA32E) != 0;
}

static bool paging(void)
{
	return (vmcs_read(GUEST_CR0) & CR0_PG) != 0;
}

static bool virtual_8086(void)
{
	return (vmcs_read(GUEST_RFLAGS) & RFLAGS_VM) != 0;
}

static bool canonical(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

static bool bad_cr0(void)
{
	uint64_t cr0 = vmcs_read(GUEST_CR0);
	uint64_t must = vmx_caps.cr0_fixed0 & ~(uint64_t)(CR0_PE | CR0_PG);

	return (cr0 & must) != must || (cr0 & ~vmx_caps.cr0_fixed1) != 0;
}

static bool paging_unprotected(void)
{
	return paging() && !(vmcs_read(GUEST_CR0) & CR0_PE);
}

static bool bad_cr4(void)
{
	uint64_t cr4 = vmcs_read(GUEST_CR4);

	return (cr4 & vmx_caps.cr4_fixed0) != vmx_caps.cr4_fixed0 ||
	       (cr4 & ~vmx_caps.cr4_fixed1) != 0;
}

static bool long_mode_without_paging(void)
{
	return long_mode() && (!paging() || !(vmcs_read(GUEST_CR4) & CR4_PAE));
}

static bool pcid_outside_long_mode(void)
{
	return !long_mode() && (vmcs_read(GUEST_CR4) & CR4_PCIDE);
}

static bool bad_efer(void)
{
	uint64_t efer = vmcs_read(GUEST_EFER);
	bool lma = (efer & EFER_LMA) != 0;

	return lma != long_mode() || (paging() && lma != ((efer & EFER_LME) != 0));
}

static bool bad_sysenter(void)
{
	return !canonical(vmcs_read(GUEST_SYSENTER_ESP)) ||
	       !canonical(vmcs_read(GUEST_SYSENTER_EIP));
}

static bool bad_tr(void)
{
	uint64_t r = rights(HVM_TR);
	uint64_t type = r & RIGHTS_TYPE;

	return (r & RIGHTS_UNUSABLE) || !(r & RIGHTS_P) || (r & RIGHTS_S) ||
	       !(type == TYPE_TSS_BUSY || (type == TYPE_TSS_BUSY_16 && !long_mode())) ||
	       (vmcs_read(GUEST_TR_SELECTOR) & 4);
}

static bool bad_ldtr(void)
{
	uint64_t r = rights(HVM_LDTR);

	return usable(HVM_LDTR) && ((r & RIGHTS_TYPE) != 2 || (r & RIGHTS_S) || !(r & RIGHTS_P) ||
				    (vmcs_read(GUEST_LDTR_SELECTOR) & 4));
}

static bool bad_v86_segment(void)
{
	for (unsigned int s = HVM_ES; virtual_8086() && s <= HVM_GS; s++) {
		if (vmcs_read(vmcs_nth(GUEST_ES_BASE, s)) !=
			    vmcs_read(vmcs_nth(GUEST_ES_SELECTOR, s)) << 4 ||
		    vmcs_read(vmcs_nth(GUEST_ES_LIMIT, s)) != 0xffff ||
		    rights((enum hvm_seg)s) != 0xf3) {
			return true;
		}
	}
	return false;
}

static bool bad_base(void)
{
	static const enum hvm_seg always[] = { HVM_FS, HVM_GS, HVM_TR, HVM_GDTR, HVM_IDTR };

	for (unsigned int i = 0; i < ARRAY_SIZE(always); i++) {
		if (!canonical(vmcs_read(vmcs_nth(GUEST_ES_BASE, always[i])))) {
			return true;
		}
	}
	return vmcs_read(GUEST_CS_BASE) >> 32 != 0;
}

static bool bad_cs(void)
{
	uint64_t r = rights(HVM_CS);
	uint64_t type = r & RIGHTS_TYPE;

	if (virtual_8086()) {
		return false;
	}
	return !(type == 3 || (type & 9) == 9) || !(r & RIGHTS_S) || !(r & RIGHTS_P) ||
	       (long_mode() && (r & RIGHTS_L) && (r & RIGHTS_DB));
}

static bool bad_ss(void)
{
	uint64_t type = rights(HVM_SS) & RIGHTS_TYPE;

	return !virtual_8086() && usable(HVM_SS) &&
	       ((type != 3 && type != 7) || !(rights(HVM_SS) & RIGHTS_P));
}

static bool bad_data(void)
{
	static const enum hvm_seg data[] = { HVM_DS, HVM_ES, HVM_FS, HVM_GS };

	for (unsigned int i = 0; !virtual_8086() && i < ARRAY_SIZE(data); i++) {
		uint64_t r = rights(data[i]);

		/* Accessed; code only if readable. */
		if (usable(data[i]) &&
		    (!(r & 1) || ((r & 8) && !(r & 2)) || !(r & RIGHTS_S) || !(r & RIGHTS_P))) {
			return true;
		}
	}
	return false;
}

/* G clear: the limit fits 20 bits; G set: its low 12 bits are ones. */
static bool bad_limit(void)
{
	for (unsigned int s = HVM_ES; !virtual_8086() && s <= HVM_TR; s++) {
		uint64_t limit = vmcs_read(vmcs_nth(GUEST_ES_LIMIT, s));
		uint64_t r = rights((enum hvm_seg)s);

		if (!(r & RIGHTS_UNUSABLE) && (((limit & 0xfff) != 0xfff && (r & RIGHTS_G)) ||
					       (limit >> 20 != 0 && !(r & RIGHTS_G)))) {
			return true;
		}
	}
	return vmcs_read(GUEST_GDTR_LIMIT) > 0xffff || vmcs_read(GUEST_IDTR_LIMIT) > 0xffff;
}

static bool bad_rip(void)
{
	uint64_t rip = vmcs_read(GUEST_RIP);

	return long_mode() && (rights(HVM_CS) & RIGHTS_L) ? !canonical(rip) : rip >> 32 != 0;
}

static bool bad_rflags(void)
{
	uint64_t rflags = vmcs_read(GUEST_RFLAGS);

	return !(rflags & RFLAGS_ONE) || (rflags & RFLAGS_RESERVED) ||
	       (virtual_8086() && (long_mode() || !(vmcs_read(GUEST_CR0) & CR0_PE)));
}

static bool bad_interrupt(void)
{
	uint64_t info = vmcs_read(ENTRY_INTR_INFO);

	return (info & INTR_VALID) && INTR_TYPE(info) == INTR_EXTERNAL &&
	       (!(vmcs_read(GUEST_RFLAGS) & RFLAGS_IF) ||
		(vmcs_read(GUEST_INTERRUPTIBILITY) & VMX_SHADOW));
}

static bool bad_interruptibility(void)
{
	uint64_t state = vmcs_read(GUEST_INTERRUPTIBILITY);

	return (state & VMX_SHADOW) == VMX_SHADOW ||
	       ((state & VMX_BLOCKED_STI) && !(vmcs_read(GUEST_RFLAGS) & RFLAGS_IF));
}

static bool bad_link(void)
{
	return vmcs_read(VMCS_LINK_POINTER) != UINT64_MAX;
}

static const struct {
	bool (*fails)(void);
	const char *name;
} checks[] = {
	{ bad_cr0, "CR0: bits that VMX fixes" },
	{ paging_unprotected, "CR0: PG without PE" },
	{ bad_cr4, "CR4: bits that VMX fixes" },
	{ long_mode_without_paging, "64-bit mode without paging or PAE" },
	{ pcid_outside_long_mode, "CR4.PCIDE outside 64-bit mode" },
	{ bad_efer, "EFER: LMA differs from mode or LME" },
	{ bad_sysenter, "SYSENTER address not canonical" },
	{ bad_tr, "TR" },
	{ bad_ldtr, "LDTR" },
	{ bad_v86_segment, "segment in virtual-8086 mode" },
	{ bad_base, "segment base" },
	{ bad_cs, "CS" },
	{ bad_ss, "SS" },
	{ bad_data, "DS, ES, FS or GS" },
	{ bad_limit, "segment limit" },
	{ bad_rip, "RIP" },
	{ bad_rflags, "RFLAGS" },
	{ bad_interrupt, "interrupt while the guest is closed to them" },
	{ bad_interruptibility, "interruptibility state" },
	{ bad_link, "VMCS link pointer" },
};

const char *vmx_check_guest(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].fails()) {
			return checks[i].name;
		}
	}
	return "a check without a name here";
}
