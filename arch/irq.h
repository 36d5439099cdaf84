/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of real devices: route one to a handler. */
/* Virtual interrupts of guests are hv/virq. */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include "hv/lib/types.h"

/*
 * Routes ISA interrupt 0-15 (through the MADT's overrides and the IO-APIC) to fn(arg) on the
 * executing CPU and unmasks it. fn runs in an interrupt window: masked, no lock held, must not
 * sleep. Returns 0, -EBUSY (taken) or -ENODEV (no IO-APIC serves it).
 */
int irq_connect_isa(unsigned int irq, void (*fn)(void *arg), void *arg);

/*
 * The same for a PCI pin that the firmware led to ISA interrupt `line` (register "Interrupt Line"):
 * level-triggered, and active low unless the MADT says otherwise. The line is shared: each fn that is
 * connected is called, and returns quietly if its device wants nothing. Connected for good. -ENOMEM:
 * too many share.
 */
int irq_connect_pci(unsigned int line, void (*fn)(void *arg), void *arg);

/* What a device writes where to interrupt: a message (PCI's MSI and MSI-X). */
struct irq_message {
	uint64_t address;
	uint32_t data;
};
/* A vector of its own on the executing CPU for fn(arg). 0, -EBUSY (none left) or -ENODEV. */
int irq_connect_message(void (*fn)(void *arg), void *arg, struct irq_message *out);

#endif
