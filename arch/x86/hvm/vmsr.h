/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers of a guest: a policy table; what has no row gives #GP. */
/* Those in the passthrough list never exit: the backend saves and loads them. */
#ifndef ARCH_X86_HVM_VMSR_H
#define ARCH_X86_HVM_VMSR_H

#include "arch/x86/cpu/msr.h"

struct vcpu;

#define MSR_TSC		   0x10u
#define MSR_SYSENTER_CS	   0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_PAT		   0x277u
#define MSR_X2APIC_FIRST   0x800u
#define MSR_X2APIC_LAST	   0x8ffu
#define MSR_STAR	   0xc0000081u
#define MSR_LSTAR	   0xc0000082u
#define MSR_CSTAR	   0xc0000083u
#define MSR_SFMASK	   0xc0000084u
#define MSR_FS_BASE	   0xc0000100u
#define MSR_GS_BASE	   0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX	   0xc0000103u

/*
 * MSRs that the guest reads and writes without an exit; static storage. The backend saves and loads
 * them (TSC_AUX: vcpu_x86). TSC_AUX is passed through only if vcpuid_has(v, VCPUID_RDTSCP).
 */
const uint32_t *vmsr_passthrough(unsigned int *count);

/* v's thread. False: the guest gets #GP. */
bool vmsr_read(struct vcpu *v, uint32_t msr, uint64_t *val);
bool vmsr_write(struct vcpu *v, uint32_t msr, uint64_t val);

#endif
