/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's own CPUID. */
/* Holds no policy. */
#ifndef ARCH_X86_HVM_CPUID_HOST_H
#define ARCH_X86_HVM_CPUID_HOST_H

#include "arch/x86/hvm/cpuid.h"

/* Zeros for a leaf above the CPU's highest. Slow: for creation and boot. */
void cpuid_host_read(uint32_t leaf, uint32_t sub, struct cpuid_regs *out);

#endif
