/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSRs a saved vCPU has, besides those that are registers to the backend. */
/* Read and written by the guest's own rules, vmsr.c; those of another vendor are 0 and left alone. */
#include "arch/x86/hvm/vcpu_save.h"
#include "arch/x86/hvm/vmsr.h"
#include "arch/x86/hvm/x86_bits.h"

/* The file's order: append only, and count the version of vcpu_save.c's part up. */
static const uint32_t msrs[] = {
	/* MCG_STATUS, MISC_ENABLE */
	0x17a, 0x1a0,
	/* variable MTRRs */
	0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x20a, 0x20b, 0x20c,
	0x20d, 0x20e, 0x20f,
	/* fixed MTRRs */
	0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
	/* PAT, MTRR_DEF_TYPE */
	0x277, 0x2ff,
	/* HWCR, NB_CFG */
	0xc0010015, 0xc001001f, MSR_SPEC_CTRL
};
_Static_assert(ARRAY_SIZE(msrs) == VMSR_SAVED, "part of the saved state");

void vmsr_save_get(struct vcpu *v, uint64_t vals[VMSR_SAVED])
{
	for (unsigned int i = 0; i < VMSR_SAVED; i++) {
		if (!vmsr_read(v, msrs[i], &vals[i])) {
			vals[i] = 0;
		}
	}
}

bool vmsr_save_set(struct vcpu *v, const uint64_t vals[VMSR_SAVED])
{
	for (unsigned int i = 0; i < VMSR_SAVED; i++) {
		uint64_t old;

		if (vmsr_read(v, msrs[i], &old) && vals[i] != old &&
		    !vmsr_write(v, msrs[i], vals[i])) {
			return false;
		}
	}
	return true;
}
