/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's own CPUID, behind a function so that a unit test can be another CPU. */
/* Holds no policy. */
#include "arch/x86/hvm/vcpuid_host.h"

struct cpuid_regs vcpuid_host(uint32_t leaf, uint32_t sub)
{
	return cpuid_read_checked(leaf, sub);
}
