/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs with rules: time stamp, local APIC, EFER, machine check, and what Linux reads on AMD. */
/* Memory types are vmsr_mtrr.c. */
#include "arch/x86/hvm/vmsr_rules.h"

#include "arch/clock.h"
#include "arch/x86/hvm/pvclock.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/vm.h"

#define MCG_STATUS_BITS	  7ul
#define DEBUGCTL_IGNORED  3ul /* LBR, BTF: accepted, without effect */
#define HWCR_TSC_FREQ_SEL BIT(24)
#define HWCR_WRITABLE	  0x1000158ul /* SlowFence, TLBCacheDis, FFDis, IgnneEm, TscFreqSel */
#define NB_CFG_CF8_EXT	  BIT(46)
#define DE_CFG_LFENCE	  BIT(1) /* LFENCE serializes */
#define VM_CR_SVMDIS	  BIT(4)
#define SPEC_CTRL_IBRS	  BIT(0)
#define SPEC_CTRL_STIBP	  BIT(1)
#define SPEC_CTRL_SSBD	  BIT(2)

bool vmsr_zero_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = 0;
	return true;
}

bool vmsr_one_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = 1;
	return true;
}

bool vmsr_ignore_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	(void)val;
	return true;
}

bool vmsr_tsc_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = clock_now() + v->tsc_offset;
	return true;
}

/* SDM Vol. 3B, "Time-Stamp Counter Adjustment": TSC and TSC_ADJUST move together. */
static void move_tsc(struct vcpu *v, uint64_t delta)
{
	v->tsc_offset += delta;
	v->x86->tsc_adjust += delta;
	hvm->set_reg(v, HVM_TSC_OFFSET, v->tsc_offset);
	vlapic_tsc_changed(v->lapic);
	pvclock_tsc_moved(v);
}

bool vmsr_tsc_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	move_tsc(v, val - (clock_now() + v->tsc_offset));
	return true;
}

bool vmsr_tsc_adjust_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->tsc_adjust;
	return vcpuid_has(v, VCPUID_TSC_ADJUST);
}

bool vmsr_tsc_adjust_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (!vcpuid_has(v, VCPUID_TSC_ADJUST)) {
		return false;
	}
	move_tsc(v, val - v->x86->tsc_adjust);
	return true;
}

bool vmsr_tsc_deadline_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = vlapic_get_tsc_deadline(v->lapic);
	return vcpuid_has(v, VCPUID_TSC_DEADLINE);
}

bool vmsr_tsc_deadline_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (!vcpuid_has(v, VCPUID_TSC_DEADLINE)) {
		return false;
	}
	vlapic_set_tsc_deadline(v->lapic, val);
	return true;
}

bool vmsr_apic_base_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->lapic->s.base;
	return true;
}

bool vmsr_apic_base_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if ((val & VLAPIC_BASE_X2APIC) != 0 && !vcpuid_has(v, VCPUID_X2APIC)) {
		return false;
	}
	return vlapic_set_base(v->lapic, val);
}

bool vmsr_x2apic_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	return vlapic_msr_read(v->lapic, msr, val);
}

bool vmsr_x2apic_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	return vlapic_msr_write(v->lapic, msr, val);
}

bool vmsr_efer_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = x86_reg(v, HVM_EFER);
	return true;
}

uint64_t vmsr_efer_offered(const struct vcpu *v)
{
	uint64_t bits = 0;

	bits |= vcpuid_has(v, VCPUID_SYSCALL) ? EFER_SCE : 0;
	bits |= vcpuid_has(v, VCPUID_LM) ? EFER_LME | EFER_LMA : 0;
	bits |= vcpuid_has(v, VCPUID_NX) ? EFER_NXE : 0;
	bits |= vcpuid_has(v, VCPUID_FXSR_OPT) ? EFER_FFXSR : 0;
	return bits;
}

/* SDM Vol. 3A, "IA32_EFER"; LMA is the CPU's: what is written there is ignored. */
bool vmsr_efer_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t old = x86_reg(v, HVM_EFER);
	bool paging = (x86_reg(v, HVM_CR0) & CR0_PG) != 0;

	(void)msr;
	if ((val & ~vmsr_efer_offered(v)) != 0 || (paging && ((val ^ old) & EFER_LME) != 0)) {
		return false;
	}
	hvm->set_reg(v, HVM_EFER, (val & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

bool vmsr_mcg_status_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->mcg_status;
	return true;
}

bool vmsr_mcg_status_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->x86->mcg_status = val & MCG_STATUS_BITS;
	return (val & ~MCG_STATUS_BITS) == 0;
}

bool vmsr_misc_enable_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->misc_enable;
	return true;
}

bool vmsr_misc_enable_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->x86->misc_enable = val;
	return true;
}

bool vmsr_debugctl_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v;
	(void)msr;
	return (val & ~DEBUGCTL_IGNORED) == 0;
}

/* SDM Vol. 4, "IA32_SPEC_CTRL": a bit for each of three features; one that is missing is reserved. */
static uint64_t spec_ctrl_offered(const struct vcpu *v)
{
	return (vcpuid_has(v, VCPUID_SPEC_CTRL) ? SPEC_CTRL_IBRS : 0) |
	       (vcpuid_has(v, VCPUID_STIBP) ? SPEC_CTRL_STIBP : 0) |
	       (vcpuid_has(v, VCPUID_SSBD) ? SPEC_CTRL_SSBD : 0);
}

bool vmsr_spec_ctrl_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	uint64_t offered = spec_ctrl_offered(v);

	(void)msr;
	/* Written without an exit, it may have bits that the CPU knows and its guest was not told of. */
	*val = x86_reg(v, HVM_SPEC_CTRL) & offered;
	return offered != 0;
}

bool vmsr_spec_ctrl_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t offered = spec_ctrl_offered(v);

	(void)msr;
	if (offered == 0 || (val & ~offered) != 0) {
		return false;
	}
	hvm->set_reg(v, HVM_SPEC_CTRL, val);
	return true;
}

/* Revision 1 in the half where the vendor keeps it. */
bool vmsr_patch_level_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = vcpuid_is_intel(v) ? BIT(32) : 1;
	return true;
}

/* Maximum non-turbo ratio, in units of 100 MHz. */
bool vmsr_platform_info_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = u64_min(clock_hz() / 100000000, 0xff) << 8;
	return true;
}

bool vmsr_hwcr_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->hwcr;
	return true;
}

bool vmsr_hwcr_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->x86->hwcr = (val & HWCR_WRITABLE) | HWCR_TSC_FREQ_SEL;
	return (val & ~HWCR_WRITABLE) == 0;
}

bool vmsr_nb_cfg_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->nb_cfg;
	return true;
}

/* Linux turns PCI configuration of 4 KiB by CF8h on; the bit is kept, the bus decides. */
bool vmsr_nb_cfg_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->x86->nb_cfg = val & NB_CFG_CF8_EXT;
	return true;
}

bool vmsr_top_mem_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->vm->mem.low_size;
	return true;
}

bool vmsr_top_mem2_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	uint64_t high = v->vm->mem.size - v->vm->mem.low_size;

	(void)msr;
	*val = high != 0 ? GPA_HIGH_RAM + high : 0;
	return true;
}

bool vmsr_vm_cr_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = VM_CR_SVMDIS;
	return true;
}

bool vmsr_de_cfg_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = DE_CFG_LFENCE;
	return true;
}
