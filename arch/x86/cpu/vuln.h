/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU leaks by speculation, and which of its own means against that are worth using. */
/* Pure: works on what was read of the CPU; arch/x86/cpu/barrier.c reads, and uses the means. */
#ifndef ARCH_X86_CPU_VULN_H
#define ARCH_X86_CPU_VULN_H

#include "arch/cpu.h"

/* Raw, as CPUID and IA32_ARCH_CAPABILITIES give it; 0 where a leaf or the MSR is missing. */
struct vuln_cpu {
	bool intel, amd;
	bool smt;	     /* two threads share a core */
	unsigned int family; /* with the extended family added */
	uint32_t leaf7_ebx;  /* CPUID.(EAX=07H,ECX=0) */
	uint32_t leaf7_edx;
	uint32_t amd8_ebx;  /* CPUID Fn8000_0008_EBX */
	uint32_t amd21_eax; /* CPUID Fn8000_0021_EAX */
	uint64_t arch_caps; /* IA32_ARCH_CAPABILITIES */
};

struct vuln_means {
	/* for good, when the CPU starts */
	bool ibrs;	/* enhanced: SPEC_CTRL.IBRS is set once */
	bool auto_ibrs; /* EFER.AutoIBRS */
	bool stibp;
	/* after each stay in a guest */
	bool ibrs_at_exits; /* not enhanced: SPEC_CTRL.IBRS is written */
	bool rsb_at_exits;  /* the return stack buffer is filled */
	/* whenever the CPU changes over to another VM */
	bool ibpb;
	bool l1d_flush;
	bool verw;
};

struct vuln_means vuln_means(const struct vuln_cpu *c);

/*
 * One row for each weakness that is looked for, by its name in Linux's folder
 * /sys/devices/system/cpu/vulnerabilities. In doubt a CPU counts as affected.
 */
#define VULN_COUNT 13u
void vuln_assess(const struct vuln_cpu *c, struct cpu_vulnerability rows[VULN_COUNT]);

#endif
