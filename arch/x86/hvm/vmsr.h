/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers of a guest: a policy table; what has no row gives #GP. */
/* Those in the passthrough list never exit: the backend saves and loads them. */
#ifndef ARCH_X86_HVM_VMSR_H
#define ARCH_X86_HVM_VMSR_H

#include "arch/x86/cpu/x86.h"

struct vcpu;

/*
 * MSRs that the guest reads and writes without an exit; static storage. The backend saves and loads
 * them (TSC_AUX: vcpu_x86). TSC_AUX is passed through only if vcpuid_has(v, VCPUID_RDTSCP).
 */
const uint32_t *vmsr_passthrough(unsigned int *count);

/* v's thread. False: the guest gets #GP. */
bool vmsr_read(struct vcpu *v, uint32_t msr, uint64_t *val);
bool vmsr_write(struct vcpu *v, uint32_t msr, uint64_t val);

#endif
