/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID tells a guest: a policy table over the host's values, computed once per vCPU. */
/* Executes no CPUID on the exit path; the host's values come through vcpuid_host.h. */
#ifndef ARCH_X86_HVM_VCPUID_H
#define ARCH_X86_HVM_VCPUID_H

#include "arch/x86/cpu/x86.h"
#include "hv/lib/types.h"

struct vcpu;

#define VCPUID_BASIC_MAX 0x1fu
#define VCPUID_EXT_MAX	 0x21u /* above 80000000h */
#define VCPUID_ROWS	 96u
#define VCPUID_HYPERS	 4u

/* Where the answers of a leaf are: rows[first + ECX]; ECX is ignored unless indexed. */
struct vcpuid_leaf {
	uint8_t first;	/* row; 0 is all zero */
	uint8_t last;	/* first + the highest subleaf with an answer of its own */
	uint8_t beyond; /* row of higher subleaves */
	bool indexed;
};

/* A leaf of the hypervisors'; kvm_leaf.c makes them. */
struct vcpuid_hyper {
	uint32_t leaf;
	struct x86_cpuid regs;
};

struct vcpuid_view {
	uint32_t max_basic;
	uint32_t max_ext;
	bool intel;    /* a leaf out of range gives the last basic one, else zeros */
	uint8_t count; /* rows in use */
	uint64_t xcr0; /* every state component we offer; 0 without XSAVE */
	struct vcpuid_leaf basic[VCPUID_BASIC_MAX + 1];
	struct vcpuid_leaf ext[VCPUID_EXT_MAX + 1];
	uint32_t kvm_features; /* 1 << enum kvm_feature */
	unsigned int hyper_count;
	struct vcpuid_hyper hyper[VCPUID_HYPERS];
	struct x86_cpuid rows[VCPUID_ROWS];
};

/* What the CPU model of a VM can do, for the checks of control registers and MSRs. */
enum vcpuid_feature {
	VCPUID_VME,
	VCPUID_DE,
	VCPUID_PSE,
	VCPUID_PAE,
	VCPUID_MCE,
	VCPUID_PGE,
	VCPUID_FXSR,
	VCPUID_SSE,
	VCPUID_XSAVE,
	VCPUID_FSGSBASE,
	VCPUID_SMEP,
	VCPUID_SMAP,
	VCPUID_UMIP,
	VCPUID_PCID,
	VCPUID_INVPCID,
	VCPUID_NX,
	VCPUID_LM,
	VCPUID_SYSCALL,
	VCPUID_FXSR_OPT,
	VCPUID_RDTSCP,
	VCPUID_PAGE1GB,
	VCPUID_TSC_ADJUST,
	VCPUID_TSC_DEADLINE,
	VCPUID_X2APIC,
	VCPUID_SPEC_CTRL, /* IBRS and IBPB */
	VCPUID_STIBP,
	VCPUID_SSBD,
};

/* v->x86->cpuid by host, policy, v's id and the VM's configuration. -ENOMEM */
int vcpuid_create(struct vcpu *v);
void vcpuid_destroy(struct vcpu *v);
/* Before a lookup of leaf 1 or 0Dh: they show the guest's CR4, APIC base and XCR0 as they are now. */
void vcpuid_refresh(struct vcpu *v, uint32_t leaf);

/* v's thread or creation. */
const struct x86_cpuid *vcpuid_lookup(const struct vcpuid_view *view, uint32_t leaf, uint32_t sub);
bool vcpuid_has(const struct vcpu *v, enum vcpuid_feature f);
/* True for a CPU of Intel's: some MSRs and leaves exist on one vendor only. */
bool vcpuid_is_intel(const struct vcpu *v);
/* Bits 51:x of a physical address that must be 0. */
uint64_t vcpuid_reserved_pa(const struct vcpu *v);
/*
 * False, and nothing changed: a guest that knew `saved` would find another processor on v. True: all
 * is the same but rates of clocks, which are now as the guest knows them.
 */
bool vcpuid_adopt(struct vcpu *v, const struct vcpuid_view *saved);
/* Bytes of an XSAVE area (or FXSAVE's 512) for all state we offer. */
uint32_t vcpuid_xsave_size(const struct vcpuid_view *view);
/* State components that XCR0 may name. */
uint64_t vcpuid_xcr0_offered(const struct vcpu *v);

#endif
