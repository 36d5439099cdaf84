/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts the interrupt windows of each CPU: what shows that it is alive. */
/* Who looks at the counts is nmi.c. */
#ifndef ARCH_X86_IRQ_WINDOW_H
#define ARCH_X86_IRQ_WINDOW_H

#include "arch/cpu.h"
#include "hv/lib/types.h"

/* Written by their CPU only, read by any. */
extern uint32_t window_counts[CPU_MAX];

static inline void window_note(void)
{
	unsigned int cpu = cpu_id();

	__atomic_store_n(&window_counts[cpu], window_counts[cpu] + 1, __ATOMIC_RELAXED);
}

#endif
