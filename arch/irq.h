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

#endif
