/* SPDX-License-Identifier: BSD-2-Clause */
/* What the bring-up of a CPU needs from the clock. */
/* The public side is arch/clock.h. */
#ifndef ARCH_X86_IRQ_CLOCK_X86_H
#define ARCH_X86_IRQ_CLOCK_X86_H

/* Calibrates the TSC and reads the battery clock. Once, on the boot CPU, after irq_init. */
void clock_init(void);
/* Prepares the executing CPU's alarm, disarmed. After clock_init, on each other CPU. */
void clock_init_cpu(void);

#endif
