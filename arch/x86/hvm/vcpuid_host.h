/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's own CPUID, behind a function so that a unit test can be another CPU. */
/* Holds no policy. */
#ifndef ARCH_X86_HVM_VCPUID_HOST_H
#define ARCH_X86_HVM_VCPUID_HOST_H

#include "arch/x86/cpu/x86.h"

/* Zeros for a leaf above the CPU's highest. Slow: for creation and boot. */
struct x86_cpuid vcpuid_host(uint32_t leaf, uint32_t sub);

#endif
