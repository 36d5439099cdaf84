/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPUID for tests: an Intel CPU like Haswell, or an AMD CPU like first-generation EPYC. */
/* Only leaves that the policy reads. */
#ifndef TESTS_UNIT_FAKES_FAKE_CPUID_H
#define TESTS_UNIT_FAKES_FAKE_CPUID_H

#include "arch/x86/hvm/vcpuid_host.h"

extern bool fake_cpuid_amd;
extern unsigned int fake_cpuid_reads; /* calls of vcpuid_host */

#endif
