/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's own CPUID, behind a function so that a unit test can be another CPU. */
/* Holds no policy. */
#include "arch/x86/hvm/vcpuid_host.h"

struct x86_cpuid vcpuid_host(uint32_t leaf, uint32_t sub)
{
	return x86_cpuid_checked(leaf, sub);
}
