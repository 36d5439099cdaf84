/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU needs against leaks by speculation: read, set up and used. */
/* What follows from what is arch/x86/cpu/vuln.c's. */
#ifndef ARCH_X86_CPU_BARRIER_H
#define ARCH_X86_CPU_BARRIER_H

/* On each CPU, before it runs any guest. Logs the means it found, on the first. */
void barrier_init_cpu(void);

#endif
