/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of a vCPU's state that VMX and SVM keep alike, outside their control blocks: FPU, debug */
/* registers, XCR0, and the MSRs that we emulate by value. */
#ifndef ARCH_X86_HVM_VCPU_X86_H
#define ARCH_X86_HVM_VCPU_X86_H

#include "arch/x86/hvm/code_page.h"
#include "arch/x86/hvm/pv_steal.h"
#include "arch/x86/hvm/pvclock.h"
#include "hv/lib/types.h"

struct vcpu;
struct vcpuid_view;

struct vcpu_x86 {
	struct vcpuid_view *cpuid; /* (c) what CPUID answers */
	void *xsave;		   /* (c) area for every component we offer, 64-byte aligned */
	uint64_t xcr0;		   /* [O] as the guest set it; it stays loaded in root mode */
	uint64_t dr[4];		   /* [O] DR0-DR3 while it has no CPU */
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base; /* [O] while it has no CPU, VMX only */
	uint64_t tsc_aux;				     /* [O] while it has no CPU */
	uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	uint64_t misc_enable;
	uint64_t tsc_adjust;
	uint64_t mcg_status;
	uint64_t hwcr, nb_cfg; /* AMD only */
	uint32_t unknown_msrs; /* logged so far */
	uint32_t kvm_used;     /* atomic: features of KVM's that kvm_leaf_note_use was told of */
	bool has_firmware;     /* (c) there is code at the reset vector */
	struct pvclock clock;  /* [O] */
	struct pv_steal steal; /* [O] */
	struct code_page code; /* [O] */
};

/* vcpu_x86.c: allocates v->x86 and its CPUID, sets reset values; before ops->vcpu_create. -ENOMEM */
int vcpu_x86_create(struct vcpu *v);
void vcpu_x86_destroy(struct vcpu *v);
/* An INIT: DR0-3 are cleared, FPU, XCR0 and MSRs stay. v's thread. */
void vcpu_x86_init(struct vcpu *v);
/* XCR0 as the guest has it now; v's thread. (Some CPUs let the guest set it without an exit.) */
uint64_t vcpu_x86_xcr0(const struct vcpu *v);
void vcpu_x86_set_xcr0(struct vcpu *v, uint64_t val);
/* Loads FPU (XRSTOR), XCR0, DR0-3 and TSC_AUX of v into this CPU; saves them again. */
void vcpu_x86_load(struct vcpu *v);
void vcpu_x86_save(struct vcpu *v);
/* Writes them down without taking them away: all of v->x86 is as the guest has it. v's thread. */
void vcpu_x86_sync(struct vcpu *v);

#endif
