/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC virtualized by the processor: controls, requests, and the exits that are left. */
/* What the registers mean is arch/x86/hvm/vlapic's. */
#ifndef ARCH_X86_VMX_VMX_APIC_H
#define ARCH_X86_VMX_VMX_APIC_H

#include "arch/x86/hvm/exit.h"

struct vcpu;
struct vmx_vcpu;

/* All but the first two: v's thread, its VMCS current, vmx_caps.apicv. */

/* v->lapic is there, its VMCS current: software does it all at first. -ENOMEM */
int vmx_apic_create(struct vcpu *v);
void vmx_apic_destroy(struct vcpu *v);

/* Before an entry with v->pending set: the mode that the guest chose; then, below, what was requested. */
void vmx_apic_settle(struct vcpu *v);
void vmx_apic_deliver(struct vcpu *v);

enum exit_action vmx_apic_on_hlt(struct vcpu *v);
enum exit_action vmx_apic_on_access(struct vcpu *v);
enum exit_action vmx_apic_on_write(struct vcpu *v);
enum exit_action vmx_apic_on_eoi(struct vcpu *v);

#endif
