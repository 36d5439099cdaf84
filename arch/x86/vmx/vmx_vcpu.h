/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU as VMX keeps it: its VMCS, and what of its state is neither there nor in struct vcpu. */
/* Handles no exit. */
#ifndef ARCH_X86_VMX_VMX_VCPU_H
#define ARCH_X86_VMX_VMX_VCPU_H

#include "arch/cpu.h"
#include "arch/hvm.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/hvm/vlapic_page.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx_caps.h"
#include "hv/lib/types.h"
#include "hv/vcpu.h"

struct vcpu;
struct stretch;
struct trace_ring;

#define VMX_NO_CPU UINT32_MAX

/* What vmx_entry.S reads and writes. */
struct vmx_entry {
	uint64_t host_rsp; /* as in the VMCS */
	bool launched;	   /* VMRESUME will do; VMLAUNCH is needed after each VMCLEAR */
};
_Static_assert(offsetof(struct vmx_entry, host_rsp) == 0, "ENTRY_HOST_RSP in vmx_entry.S");
_Static_assert(offsetof(struct vmx_entry, launched) == 8, "ENTRY_LAUNCHED in vmx_entry.S");

/* SDM Vol. 3C, "VM-Exit Controls for MSRs": an area of one entry. */
struct vmx_msr {
	uint32_t index;
	uint32_t reserved;
	uint64_t val;
};
_Static_assert(sizeof(struct vmx_msr) == 16, "SDM Vol. 3C, Format of an MSR Entry");

struct vmx_vcpu {
	struct vmx_entry entry; /* [O] */
	void *vmcs;		/* (c) page */
	hpa_t vmcs_hpa;		/* (c) */
	void *msr_bitmap;	/* (c) page */
	uint16_t vpid;		/* (c) 0: the CPU has none */
	bool open;		/* [O] the preemption timer is set for a guest with IF = 1 */
	bool live;		/* its thread has a CPU: CR2, DR6 and system-call MSRs are there */
	unsigned int cpu;	/* CPU on which it is current, VMX_NO_CPU */
	unsigned int last_cpu;	/* on which it ran last */
	uint32_t proc;		/* [O] the primary controls as in the VMCS */
	uint32_t proc2;		/* (c) the secondary ones, less the local APIC's */
	enum vlapic_mode apic_mode; /* [O] as the controls say */
	uint64_t eoi_exits[4];	    /* [O] vectors as in the VMCS */
	uint32_t reinject;	    /* [O] event whose delivery an exit cut short, 0: none */
	uint32_t reinject_length;   /* [O] of the instruction that caused it */
	uint64_t rsp;		    /* [O] RSP as in the VMCS */
	const uint64_t *alarm;	    /* [O] timer_next_of() its CPU */
	uint64_t deadline;	    /* [O] what the preemption timer runs towards */
	uint64_t due;		    /* [O] TSC at which it is over, time in root mode counted */
	/* [O] SPEC_CTRL once the guest or the CPU wants any: stored and loaded at exits, loaded at entries */
	struct vmx_msr guest_spec ALIGNED(16), host_spec ALIGNED(16);
	uint64_t cr2; /* [O] as of the last exit, or as set since: root mode may fault */
	uint64_t dr6; /* [O] while it has no CPU */
	struct trace_ring *trace; /* [O] its CPU's, NULL before trace_init_cpu */
	struct stretch *stretch;  /* [O] its CPU's */
};

extern struct vmx_caps vmx_caps;

/* Leaves the registers in their reset state. -ENOMEM, -ENOSPC (VPIDs). */
int vmx_vcpu_create(struct vcpu *v);
void vmx_vcpu_destroy(struct vcpu *v);
void vmx_vcpu_switched_in(struct vcpu *v);
void vmx_vcpu_switched_out(struct vcpu *v);
void vmx_vcpu_flush_tlb(struct vcpu *v);
void vmx_vcpu_fault_mended(void);

/*
 * Makes v's VMCS the current one; vmx_vcpu_unfocus(v, prev) ends that. In v's thread, or before it has
 * one: anybody else would meet it on a CPU that enters its guest, so they ask by vcpu_call().
 */
struct vmx_vcpu *vmx_vcpu_focus(const struct vcpu *v);
void vmx_vcpu_unfocus(const struct vcpu *v, struct vmx_vcpu *prev);
/* HVM_STAR to HVM_KERNEL_GS_BASE, which have no field; same callers. */
uint64_t vmx_vcpu_get_msr(const struct vcpu *v, enum hvm_reg r);
void vmx_vcpu_set_msr(struct vcpu *v, enum hvm_reg r, uint64_t val);
/* v's VMCS current. From the first value other than 0 on the guest reads and writes it without an exit. */
void vmx_vcpu_set_spec_ctrl(struct vcpu *v, uint64_t val);
/* Whose VMCS is current, by CPU; written by vmx_vcpu.c only. */
extern struct vmx_vcpu *vmx_vcpu_current[CPU_MAX];

/* True if v's VMCS is current here: then accessors go straight to it. */
static inline bool vmx_vcpu_is_current(const struct vcpu *v)
{
	return vmx_vcpu_current[percpu_id()] == v->hvm;
}

#endif
