/* SPDX-License-Identifier: BSD-2-Clause */
/* Events into the guest: what an entry injects, which windows it asks for, and what an exit cut short. */
/* Which event comes first is arch/x86/hvm/event's. */
#ifndef ARCH_X86_VMX_VMX_EVENT_H
#define ARCH_X86_VMX_VMX_EVENT_H

#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/vcpu.h"

#define VMX_EVENT_WINDOWS (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)

/* SDM Vol. 3C, "VM-Exit Interruption-Information Field" and its two siblings. */
#define INTR_VECTOR	 0xffu
#define INTR_TYPE(info)	 ((info) >> 8 & 7)
#define INTR_ERROR_CODE	 BIT(11)
#define INTR_NMI_UNBLOCK BIT(12) /* exits only */
#define INTR_VALID	 BIT(31)
enum intr_type {
	INTR_EXTERNAL = 0,
	INTR_NMI = 2,
	INTR_EXCEPTION = 3,
	INTR_SOFT_INTERRUPT = 4,
	INTR_SOFT_PRIVILEGED = 5,
	INTR_SOFT_EXCEPTION = 6,
};

/* All: v's thread, its VMCS current. */

/* True if an entry has nothing to inject, and no window to open or close. */
static inline bool vmx_event_is_idle(const struct vcpu *v)
{
	const struct vmx_vcpu *x = v->hvm;

	return (__atomic_load_n(&v->pending, __ATOMIC_RELAXED) | x->reinject |
		(x->proc & (uint32_t)VMX_EVENT_WINDOWS)) == 0;
}
/* Before each entry at which something is pending, cut short or a window is open. */
void vmx_event_prepare(struct vcpu *v);
/* After an exit with this valid IDT-vectoring information, before the exit is handled. */
void vmx_event_cut_short(struct vcpu *v, uint32_t info);
/* The exit came from an IRET that had unblocked NMIs already: they stay blocked. */
void vmx_event_block_nmi(void);
/* Nothing is under way any more: an INIT. */
void vmx_event_init(struct vcpu *v);

#endif
