/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU needs against leaks by speculation: read, set up and used. */
/* What follows from what is arch/x86/cpu/vuln.c's. */
#ifndef ARCH_X86_CPU_BARRIER_H
#define ARCH_X86_CPU_BARRIER_H

#include "arch/x86/cpu/percpu.h"

_Static_assert(offsetof(struct percpu, exit_guard) == 16, "svm_entry.S");
_Static_assert(offsetof(struct percpu, exit_spec) == 20, "barrier_switch.S");

/* On each CPU, before it runs any guest. Logs the means it found, on the first. */
void barrier_init_cpu(void);

/* Is barrier_switch_out to be called after each stay in a guest? The executing CPU's. */
bool barrier_at_exits(void);

/*
 * Does SPEC_CTRL have to be written after each stay in a guest? On AMD's CPUs percpu.exit_guard sees to
 * that, on Intel's it is for the VMCS's lists. The executing CPU's.
 */
bool barrier_ibrs_at_exits(void);

#endif
