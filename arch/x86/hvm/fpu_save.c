/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's XSAVE area as a block of a saved VM's file; what XRSTOR would refuse is refused here. */
/* Who loads and stores the area otherwise is vcpu_x86.c. */
#include "arch/x86/hvm/vcpu_save.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"

/* SDM Vol. 1, "Legacy Region of an XSAVE Area", "XSAVE Header"; FXRSTOR takes the first part alone. */
#define AREA_MXCSR  24u
#define AREA_HEADER 512u
#define AREA_XCOMP  (AREA_HEADER + 8)
#define AREA_STATE  (AREA_HEADER + 64)
#define MXCSR_BITS  0xffffu

static size_t fpu_size(const struct vcpu *v)
{
	return vcpuid_xsave_size(v->x86->cpuid);
}

static int fpu_save(struct vcpu *v, void *block)
{
	vcpu_x86_sync(v);
	memcpy(block, v->x86->xsave, fpu_size(v));
	return 0;
}

static bool area_ok(const struct vcpu *v, const uint8_t *area)
{
	uint64_t offered = v->x86->cpuid->xcr0;

	if ((bytes_get_le32(area + AREA_MXCSR) & ~(uint64_t)MXCSR_BITS) != 0) {
		return false;
	}
	if (offered == 0) {
		return true;
	}
	for (unsigned int i = AREA_XCOMP; i < AREA_STATE; i++) {
		if (area[i] != 0) {
			return false;
		}
	}
	return (bytes_get_le64(area + AREA_HEADER) & ~offered) == 0;
}

/* The root-mode XRSTOR of this area must not fault: "XRSTOR", general-protection exceptions. */
static int fpu_load(struct vcpu *v, const void *block)
{
	if (!area_ok(v, block)) {
		return -EINVAL;
	}
	memcpy(v->x86->xsave, block, fpu_size(v));
	return 0;
}

const struct hvm_part fpu_save_part = {
	.name = "fpu",
	.version = 1,
	.size = fpu_size,
	.save = fpu_save,
	.load = fpu_load,
};
