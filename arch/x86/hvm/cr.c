/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers and XCR0 as the guest writes them: every check, and what follows from a change. */
/* Loading them into hardware is set_reg's. SDM Vol. 3A, "Control Registers". */
#include "arch/x86/hvm/cr.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/guest_mem.h"
#include "hv/vm.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)

#define PDPTE_RESERVED 0xfff00000000001e6ul /* and the bits above the physical address */

#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 (7ul << 5)

static bool is_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0 && (efer & EFER_LMA) == 0;
}

/* SDM Vol. 3A, "PDPTE Registers": loaded and checked as a whole. Not in RAM reads as not present. */
static bool load_pdptes(struct vcpu *v, uint64_t cr3)
{
	uint64_t pdpte[4] = { 0 };

	(void)guest_mem_read(v->vm, (gpa_t){ cr3 & 0xffffffe0u }, pdpte, sizeof(pdpte));
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t reserved = PDPTE_RESERVED | vcpuid_reserved_pa(v);

		if ((pdpte[i] & 1) != 0 && (pdpte[i] & reserved) != 0) {
			return false;
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		hvm->set_reg(v, (enum hvm_reg)(HVM_PDPTE0 + i), pdpte[i]);
	}
	return true;
}

static bool cs_is_64bit(const struct vcpu *v)
{
	struct hvm_segment cs;

	hvm->get_seg(v, HVM_CS, &cs);
	return (cs.attr & X86_SEG_L) != 0;
}

/* Paging goes on with LME set: long mode. */
static bool enter_long_mode(struct vcpu *v, uint64_t efer)
{
	if ((x86_reg(v, HVM_CR4) & CR4_PAE) == 0 || cs_is_64bit(v)) {
		return false;
	}
	hvm->set_reg(v, HVM_EFER, efer | EFER_LMA);
	return true;
}

static bool paging_on(struct vcpu *v, uint64_t cr0)
{
	uint64_t efer = x86_reg(v, HVM_EFER);

	if ((efer & EFER_LME) != 0) {
		return enter_long_mode(v, efer);
	}
	return !is_pae_paging(cr0, x86_reg(v, HVM_CR4), efer) ||
	       load_pdptes(v, x86_reg(v, HVM_CR3));
}

static bool paging_off(struct vcpu *v)
{
	uint64_t efer = x86_reg(v, HVM_EFER);

	if ((efer & EFER_LMA) == 0) {
		return true;
	}
	if (cs_is_64bit(v) || (x86_reg(v, HVM_CR4) & CR4_PCIDE) != 0) {
		return false;
	}
	hvm->set_reg(v, HVM_EFER, efer & ~EFER_LMA);
	return true;
}

static bool write_cr0(struct vcpu *v, uint64_t val)
{
	uint64_t old = x86_reg(v, HVM_CR0);
	uint64_t changed = old ^ val;

	if (val >> 32 != 0) {
		return false;
	}
	val = (val & CR0_DEFINED) | CR0_ET;
	if ((val & CR0_PG) != 0 && (val & CR0_PE) == 0) {
		return false;
	}
	if ((val & CR0_NW) != 0 && (val & CR0_CD) == 0) {
		return false;
	}
	if ((changed & CR0_PG) != 0 && !((val & CR0_PG) != 0 ? paging_on(v, val) : paging_off(v))) {
		return false;
	}
	if ((changed & (CR0_CD | CR0_NW)) != 0 && (changed & CR0_PG) == 0 &&
	    is_pae_paging(val, x86_reg(v, HVM_CR4), x86_reg(v, HVM_EFER)) &&
	    !load_pdptes(v, x86_reg(v, HVM_CR3))) {
		return false;
	}
	hvm->set_reg(v, HVM_CR0, val);
	return true;
}

static bool write_cr3(struct vcpu *v, uint64_t val)
{
	uint64_t cr4 = x86_reg(v, HVM_CR4);
	uint64_t efer = x86_reg(v, HVM_EFER);

	if ((cr4 & CR4_PCIDE) != 0) {
		val &= ~BIT(63); /* "keep the translations": set_reg may flush all the same */
	}
	if ((efer & EFER_LMA) != 0 && (val & (vcpuid_reserved_pa(v) | ~(BIT(52) - 1))) != 0) {
		return false;
	}
	if (is_pae_paging(x86_reg(v, HVM_CR0), cr4, efer) && !load_pdptes(v, val)) {
		return false;
	}
	hvm->set_reg(v, HVM_CR3, val);
	return true;
}

static uint64_t cr4_offered(const struct vcpu *v)
{
	static const struct {
		enum vcpuid_feature feature;
		uint64_t bits;
	} rows[] = {
		{ VCPUID_VME, CR4_VME | CR4_PVI }, { VCPUID_DE, CR4_DE },
		{ VCPUID_PSE, CR4_PSE },	   { VCPUID_PAE, CR4_PAE },
		{ VCPUID_MCE, CR4_MCE },	   { VCPUID_PGE, CR4_PGE },
		{ VCPUID_FXSR, CR4_OSFXSR },	   { VCPUID_SSE, CR4_OSXMMEXCPT },
		{ VCPUID_UMIP, CR4_UMIP },	   { VCPUID_FSGSBASE, CR4_FSGSBASE },
		{ VCPUID_XSAVE, CR4_OSXSAVE },	   { VCPUID_PCID, CR4_PCIDE },
		{ VCPUID_SMEP, CR4_SMEP },	   { VCPUID_SMAP, CR4_SMAP },
	};
	uint64_t offered = CR4_TSD | CR4_PCE;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		offered |= vcpuid_has(v, rows[i].feature) ? rows[i].bits : 0;
	}
	return offered;
}

/* SDM Vol. 3A, "Enabling PCIDs": only in long mode and with PCID 0 in use. */
static bool pcide_ok(const struct vcpu *v, uint64_t changed, uint64_t val)
{
	if ((changed & val & CR4_PCIDE) == 0) {
		return true;
	}
	return (x86_reg(v, HVM_EFER) & EFER_LMA) != 0 && (x86_reg(v, HVM_CR3) & 0xfff) == 0;
}

static bool write_cr4(struct vcpu *v, uint64_t val)
{
	const uint64_t reloads = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP;
	uint64_t changed = x86_reg(v, HVM_CR4) ^ val;
	uint64_t efer = x86_reg(v, HVM_EFER);

	if ((val & ~cr4_offered(v)) != 0 || !pcide_ok(v, changed, val)) {
		return false;
	}
	if ((efer & EFER_LMA) != 0 && (val & CR4_PAE) == 0) {
		return false;
	}
	if ((changed & reloads) != 0 && is_pae_paging(x86_reg(v, HVM_CR0), val, efer) &&
	    !load_pdptes(v, x86_reg(v, HVM_CR3))) {
		return false;
	}
	hvm->set_reg(v, HVM_CR4, val);
	return true;
}

static bool write_cr8(struct vcpu *v, uint64_t val)
{
	if (val > 15) {
		return false;
	}
	vlapic_set_cr8(v->lapic, val);
	return true;
}

/* Raises #UD or #GP; true if cr exists. */
static bool exists(struct vcpu *v, unsigned int cr)
{
	if (cr <= 8 && (BIT(cr) & (BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(8))) != 0) {
		return true;
	}
	event_exception(v, VEC_UD, 0);
	return false;
}

static bool write_any(struct vcpu *v, unsigned int cr, uint64_t val)
{
	switch (cr) {
	case 0:
		return write_cr0(v, val);
	case 2:
		hvm->set_reg(v, HVM_CR2, val);
		return true;
	case 3:
		return write_cr3(v, val);
	case 4:
		return write_cr4(v, val);
	default:
		return write_cr8(v, val);
	}
}

enum exit_action exit_write_cr(struct vcpu *v, unsigned int cr, uint64_t val)
{
	if (!exists(v, cr)) {
		return EXIT_RESUME;
	}
	if (exit_code_bits(v) != 64) {
		val = (uint32_t)val;
	}
	if (!write_any(v, cr, val)) {
		event_exception(v, VEC_GP, 0);
		return EXIT_RESUME;
	}
	return EXIT_SKIP_INSN;
}

enum exit_action exit_read_cr(struct vcpu *v, unsigned int cr, unsigned int gpr)
{
	static const enum hvm_reg regs[] = { HVM_CR0, HVM_REGS, HVM_CR2, HVM_CR3, HVM_CR4 };

	if (!exists(v, cr)) {
		return EXIT_RESUME;
	}
	v->gprs[gpr & 15] = cr == 8 ? vlapic_get_cr8(v->lapic) : x86_reg(v, regs[cr]);
	return EXIT_SKIP_INSN;
}

/* SDM Vol. 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
bool cr_xcr0_ok(const struct vcpu *v, uint64_t val)
{
	if ((val & XCR0_X87) == 0 || (val & ~vcpuid_xcr0_offered(v)) != 0) {
		return false;
	}
	if ((val & XCR0_AVX) != 0 && (val & XCR0_SSE) == 0) {
		return false;
	}
	return (val & XCR0_AVX512) == 0 ||
	       ((val & XCR0_AVX512) == XCR0_AVX512 && (val & XCR0_AVX) != 0);
}

enum exit_action exit_xsetbv(struct vcpu *v)
{
	uint64_t val = (uint32_t)v->gprs[GPR_RAX] | v->gprs[GPR_RDX] << 32;

	if ((uint32_t)v->gprs[GPR_RCX] != 0 || x86_cpl(v) != 0 || !cr_xcr0_ok(v, val)) {
		event_exception(v, VEC_GP, 0);
		return EXIT_RESUME;
	}
	vcpu_x86_set_xcr0(v, val);
	return EXIT_SKIP_INSN;
}

/* ---- from a file ---- */

static bool cr0_ok(uint64_t cr0)
{
	return (cr0 & ~CR0_DEFINED) == 0 && (cr0 & CR0_ET) != 0 &&
	       ((cr0 & CR0_PG) == 0 || (cr0 & CR0_PE) != 0) &&
	       ((cr0 & CR0_NW) == 0 || (cr0 & CR0_CD) != 0);
}

bool cr_state_ok(const struct vcpu *v, const struct cr_state *s)
{
	bool lma = (s->efer & EFER_LMA) != 0;
	bool wanted = (s->efer & EFER_LME) != 0 && (s->cr0 & CR0_PG) != 0;

	return cr0_ok(s->cr0) && (s->cr4 & ~cr4_offered(v)) == 0 && lma == wanted &&
	       (!lma || (s->cr4 & CR4_PAE) != 0) && (lma || (s->cr4 & CR4_PCIDE) == 0) &&
	       (s->cr3 & (vcpuid_reserved_pa(v) | ~(BIT(52) - 1))) == 0;
}
