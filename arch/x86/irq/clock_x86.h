/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bring-up of a CPU needs from the clock. */
/* The public side is arch/clock.h. */
#ifndef ARCH_X86_IRQ_CLOCK_X86_H
#define ARCH_X86_IRQ_CLOCK_X86_H

/* Prepares the executing CPU's alarm, disarmed. After clock_init measured, on the other CPUs. */
void clock_init_cpu(void);

#endif
