/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's view of CPUID as a block of a saved VM's file: the guest must find the processor it knows. */
/* Whether this host can give it that one, vcpuid.c decides. */
#include "arch/x86/hvm/vcpu_save.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"

static size_t cpuid_size(const struct vcpu *v)
{
	(void)v;
	return sizeof(struct vcpuid_view);
}

static int cpuid_save(struct vcpu *v, void *block)
{
	memcpy(block, v->x86->cpuid, sizeof(struct vcpuid_view));
	return 0;
}

static int cpuid_load(struct vcpu *v, const void *block)
{
	return vcpuid_adopt(v, block) ? 0 : -ENODEV;
}

const struct hvm_part vcpuid_save_part = {
	.name = "cpuid",
	.version = 1,
	.size = cpuid_size,
	.save = cpuid_save,
	.load = cpuid_load,
};
