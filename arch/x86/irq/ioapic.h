/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's I/O APICs: which CPU gets a global system interrupt, and as which vector. */
/* Guests' I/O APICs are drivers/emul. */
#ifndef ARCH_X86_IRQ_IOAPIC_H
#define ARCH_X86_IRQ_IOAPIC_H

#include "hv/lib/types.h"

struct ioapic_route {
	uint8_t vector;
	uint8_t apic_id; /* physical destination */
	bool active_low;
	bool level;
};

/* Maps all of them and masks every pin. Once, after acpi_init. */
void ioapic_init(void);
/* Routes and unmasks; -ENODEV if no I/O APIC has that global system interrupt. */
int ioapic_route(uint32_t gsi, const struct ioapic_route *route);

#endif
