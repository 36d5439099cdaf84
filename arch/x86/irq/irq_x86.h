/* SPDX-License-Identifier: BSD-2-Clause */
/* The bring-up of the interrupt controllers. */
/* The public side is arch/irq.h. */
#ifndef ARCH_X86_IRQ_IRQ_X86_H
#define ARCH_X86_IRQ_IRQ_X86_H

/*
 * Silences the 8259s, sets up the boot CPU's local APIC, the I/O APICs and the NMI handler. After
 * acpi_init. -ENOMEM
 */
int irq_init(void);

#endif
