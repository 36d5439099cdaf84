/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy of the guest's CPUID as tables: host bits that may pass, bits we add, names of features. */
/* Used by vcpuid.c only. */
#ifndef ARCH_X86_HVM_VCPUID_POLICY_H
#define ARCH_X86_HVM_VCPUID_POLICY_H

#include "arch/x86/hvm/vcpuid.h"

enum vcpuid_vendor { VCPUID_ANY, VCPUID_INTEL, VCPUID_AMD };

struct vcpuid_policy {
	uint32_t leaf; /* subleaf 0 */
	enum vcpuid_vendor vendor;
	struct x86_cpuid mask; /* of the host's value */
	struct x86_cpuid set;  /* because we emulate it */
};

/* Rows whose leaf is not in them answer zero. */
const struct vcpuid_policy *vcpuid_policy_rows(unsigned int *count);

/* Takes a named feature away; an unknown name does nothing. */
void vcpuid_policy_clear(struct vcpuid_view *view, const char *name);
/* Takes away what cannot be without a feature that is absent (AVX without XSAVE …). */
void vcpuid_policy_close(struct vcpuid_view *view);
/* The state components of the features that are left. */
uint64_t vcpuid_policy_xcr0(const struct vcpuid_view *view);

#endif
