/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory types as the guest sets them: MTRRs and PAT. */
/* MTRRs are kept by value and have no effect: all of a guest's RAM is write-back. */
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr_rules.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/gpa_space.h"

#define TYPE_UC 0u
#define TYPE_WP 5u
#define TYPE_WB 6u

/* SDM Vol. 3A, "IA32_MTRRCAP Register": 8 variable ranges, fixed ranges, write combining. */
#define CAP		  0x508ul
#define DEF_BITS	  0xcfful
#define DEF_ENABLED	  0xc00ul
#define MASK_VALID	  BIT(11)
#define WINDOW_MASK(size) (~((size)-1))

/* Types that exist: UC, WC, WT, WP, WB; 7 is UC- and only for the PAT. */
static bool type_ok(uint64_t type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

static bool types_ok(uint64_t val, bool pat)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(val >> (8 * i));

		if (!type_ok(type) && !(pat && type == 7)) {
			return false;
		}
	}
	return true;
}

bool vmsr_pat_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = x86_reg(v, HVM_PAT);
	return true;
}

bool vmsr_pat_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (!types_ok(val, true)) {
		return false;
	}
	hvm->set_reg(v, HVM_PAT, val);
	return true;
}

bool vmsr_mtrr_cap_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)v;
	(void)msr;
	*val = CAP;
	return true;
}

/* 200h + 2n: base of range n; 201h + 2n: its mask. */
static uint64_t *var_of(struct vcpu *v, uint32_t msr)
{
	unsigned int n = (msr - 0x200) / 2;

	return (msr & 1) != 0 ? &v->x86->mtrr_mask[n] : &v->x86->mtrr_base[n];
}

bool vmsr_mtrr_var_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = *var_of(v, msr);
	return true;
}

bool vmsr_mtrr_var_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	bool mask = (msr & 1) != 0;
	uint64_t reserved = ~(BIT(52) - 1) | vcpuid_reserved_pa(v) | (mask ? 0x7ff : 0xf00);

	if ((val & reserved) != 0 || (!mask && !type_ok(val & 0xff))) {
		return false;
	}
	*var_of(v, msr) = val;
	return true;
}

/* 250h, 258h, 259h, 268h-26Fh: eleven in a row. */
static uint64_t *fixed_of(struct vcpu *v, uint32_t msr)
{
	unsigned int n = msr == 0x250 ? 0 : msr < 0x268 ? msr - 0x257 : msr - 0x265;

	return &v->x86->mtrr_fixed[n];
}

bool vmsr_mtrr_fixed_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = *fixed_of(v, msr);
	return true;
}

bool vmsr_mtrr_fixed_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (!types_ok(val, false)) {
		return false;
	}
	*fixed_of(v, msr) = val;
	return true;
}

bool vmsr_mtrr_def_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->x86->mtrr_def_type;
	return true;
}

bool vmsr_mtrr_def_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if ((val & ~DEF_BITS) != 0 || !type_ok(val & 0xff)) {
		return false;
	}
	v->x86->mtrr_def_type = val;
	return true;
}

static uint64_t eight(uint64_t type)
{
	return type * 0x0101010101010101ul;
}

void vmsr_mtrr_firmware(struct vcpu *v)
{
	struct vcpu_x86 *x = v->x86;
	uint64_t window = GPA_HIGH_RAM - GPA_LOW_RAM_MAX;

	for (unsigned int i = 0; i < 11; i++) { /* 0-512K, 512-640K, VGA, then C0000h on */
		x->mtrr_fixed[i] = eight(i < 2 ? TYPE_WB : i == 2 ? TYPE_UC : TYPE_WP);
	}
	x->mtrr_base[0] = GPA_LOW_RAM_MAX | TYPE_UC;
	x->mtrr_mask[0] =
		(WINDOW_MASK(window) & ~(vcpuid_reserved_pa(v) | ~(BIT(52) - 1))) | MASK_VALID;
	x->mtrr_def_type = DEF_ENABLED | TYPE_WB;
}
