/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID tells a guest: a policy table over the host's values, computed once per vCPU. */
/* Executes no CPUID on the exit path; the host's values come through cpuid_host.h. */
#ifndef ARCH_X86_HVM_CPUID_H
#define ARCH_X86_HVM_CPUID_H

#include "hv/lib/types.h"

struct vcpu;
struct vm_config;

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

#define CPUID_BASIC_MAX 0x1fu
#define CPUID_EXT_MAX   0x21u /* above 80000000h */
#define CPUID_ROWS      96u

/* Where the answers of a leaf are: rows[first + ECX]; ECX is ignored unless indexed. */
struct cpuid_leaf {
	uint8_t first; /* row; 0 is all zero */
	uint8_t last;  /* first + the highest subleaf with an answer of its own */
	bool indexed;
};

struct cpuid_view {
	uint32_t max_basic;
	uint32_t max_ext;
	bool intel;          /* a leaf out of range gives the last basic one, else zeros */
	uint8_t count;       /* rows in use */
	uint64_t xcr0;       /* every state component we offer; 0 without XSAVE */
	struct cpuid_leaf basic[CPUID_BASIC_MAX + 1];
	struct cpuid_leaf ext[CPUID_EXT_MAX + 1];
	struct cpuid_leaf hyper; /* 40000000h */
	struct cpuid_regs rows[CPUID_ROWS];
};

/* What the CPU model of a VM can do, for the checks of control registers and MSRs. */
enum cpuid_feature {
	CPUID_VME, CPUID_DE, CPUID_PSE, CPUID_PAE, CPUID_MCE, CPUID_PGE, CPUID_FXSR, CPUID_SSE,
	CPUID_XSAVE, CPUID_FSGSBASE, CPUID_SMEP, CPUID_SMAP, CPUID_UMIP, CPUID_PCID, CPUID_INVPCID,
	CPUID_NX, CPUID_LM, CPUID_SYSCALL, CPUID_FXSR_OPT, CPUID_RDTSCP, CPUID_PAGE1GB,
	CPUID_MTRR, CPUID_PAT, CPUID_TSC_ADJUST, CPUID_ARAT,
};

/* Is name ("rdrand", without the sign) a feature that a configuration may take away? */
bool cpuid_feature_known(const char *name);

/* v->x86->cpuid by host, policy, v's id and the VM's configuration. -ENOMEM */
int cpuid_create(struct vcpu *v);
void cpuid_destroy(struct vcpu *v);
/* The guest's CR4.OSXSAVE or XCR0 changed: leaves 1 and 0Dh follow. */
void cpuid_update(struct vcpu *v, uint64_t cr4);

/* v's thread or creation. */
const struct cpuid_regs *cpuid_lookup(const struct cpuid_view *view, uint32_t leaf, uint32_t sub);
bool cpuid_has(const struct vcpu *v, enum cpuid_feature f);
/* True for a CPU of Intel's: some MSRs and leaves exist on one vendor only. */
bool cpuid_is_intel(const struct vcpu *v);
/* Bits 51:x of a physical address that must be 0. */
uint64_t cpuid_reserved_pa(const struct vcpu *v);
/* State components that XCR0 may name. */
uint64_t cpuid_xcr0_offered(const struct vcpu *v);

#endif
