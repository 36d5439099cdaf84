/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's own MSRs, 4B564D00h on: which feature each belongs to, and whose functions it calls. */
/* They are #GP for a guest that is not offered the feature. */
#ifndef ARCH_X86_HVM_KVM_MSR_H
#define ARCH_X86_HVM_KVM_MSR_H

#include "hv/lib/types.h"

struct vcpu;

#define KVM_MSR_FIRST 0x4b564d00u
#define KVM_MSR_LAST  0x4b564d04u

/* False: #GP. v's thread. */
bool kvm_msr_read(struct vcpu *v, uint32_t msr, uint64_t *val);
bool kvm_msr_write(struct vcpu *v, uint32_t msr, uint64_t val);

#endif
