/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the vectors of device interrupts: hands them out and calls their handlers. */
/* Programs no controller itself. */
#include "arch/irq.h"

#include "arch/x86/acpi/acpi.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/irq/ioapic.h"
#include "arch/x86/irq/irq_x86.h"
#include "arch/x86/irq/lapic.h"
#include "arch/x86/irq/nmi.h"
#include "arch/x86/irq/pic.h"
#include "arch/x86/irq/vectors.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

struct irq_line {
	void (*fn)(void *arg); /* NULL: free */
	void *arg;
};

static struct irq_line lines[VECTOR_IRQ_LAST - VECTOR_IRQ_FIRST + 1];
static bool isa_taken[ACPI_ISA_IRQS];

/* Acknowledged, for in service it would hold back all lower ones; told of once per vector. */
static void on_unclaimed(uint8_t vector, void *arg UNUSED)
{
	static bool told[IDT_VECTORS];

	if (!__atomic_exchange_n(&told[vector], true, __ATOMIC_RELAXED)) {
		log_printf(LOG_HOST, "interrupt %u has no handler (told once)", vector);
	}
	lapic_eoi();
}

int irq_init(void)
{
	for (unsigned int v = IDT_EXCEPTIONS; v < IDT_VECTORS; v++) {
		idt_set_handler((uint8_t)v, on_unclaimed, NULL);
	}
	if (acpi()->has_8259) {
		pic_mask();
	}
	int err = lapic_init();
	if (err != 0) {
		return err;
	}
	lapic_init_cpu();
	ioapic_init();
	nmi_init();
	return 0;
}

/* The EOI comes last: a level-triggered line that the handler has calmed is not taken twice. */
static void on_irq(uint8_t vector UNUSED, void *arg)
{
	const struct irq_line *line = arg;

	line->fn(line->arg);
	lapic_eoi();
}

static int allocate(void (*fn)(void *arg), void *arg, uint8_t *vector)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		if (lines[i].fn == NULL) {
			lines[i] = (struct irq_line){ fn, arg };
			*vector = (uint8_t)(VECTOR_IRQ_FIRST + i);
			idt_set_handler(*vector, on_irq, &lines[i]);
			return 0;
		}
	}
	return -EBUSY;
}

static void release(uint8_t vector)
{
	idt_set_handler(vector, on_unclaimed, NULL);
	lines[vector - VECTOR_IRQ_FIRST].fn = NULL;
}

int irq_connect_isa(unsigned int irq, void (*fn)(void *arg), void *arg)
{
	uint32_t apic_id = lapic_id();
	uint8_t vector;

	if (irq >= ACPI_ISA_IRQS ||
	    apic_id > UINT8_MAX) { /* an I/O APIC's destination has 8 bits */
		return -ENODEV;
	}
	if (isa_taken[irq] || allocate(fn, arg, &vector) != 0) {
		return -EBUSY;
	}
	const struct acpi_isa_irq *isa = &acpi()->isa[irq];
	const struct ioapic_route route = {
		.vector = vector,
		.apic_id = (uint8_t)apic_id,
		.active_low = isa->active_low,
		.level = isa->level,
	};
	int err = ioapic_route(isa->gsi, &route);

	if (err != 0) {
		release(vector);
		return err;
	}
	isa_taken[irq] = true;
	return 0;
}
