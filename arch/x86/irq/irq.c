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
#include "hv/base/lock.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

/* SDM Vol. 3A, "Message Address Register Format": fixed destination, physical mode */
#define MESSAGE_ADDRESS	   0xfee00000u
#define MESSAGE_DEST_SHIFT 12u

#define SHARES_MAX 32u /* handlers of PCI pins, all lines together */

struct irq_line {
	void (*fn)(void *arg); /* NULL: free */
	void *arg;
};

/* One of those that share a PCI line; never removed. */
struct irq_share {
	void (*fn)(void *arg);
	void *arg;
	const struct irq_share *next;
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_IRQ); /* all below: who connects */
static struct irq_line lines[VECTOR_IRQ_LAST - VECTOR_IRQ_FIRST + 1];
static bool isa_taken[ACPI_ISA_IRQS];
static struct irq_share shares[SHARES_MAX];
static unsigned int share_count;
static const struct irq_share *pci_lines[ACPI_ISA_IRQS]; /* read by handlers without the lock */

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

/* A vector on the executing CPU, routed there from the interrupt's global number. Locked. */
static int connect_line(const struct acpi_isa_irq *isa, void (*fn)(void *arg), void *arg)
{
	uint32_t apic_id = lapic_id();
	uint8_t vector;

	if (apic_id > UINT8_MAX) { /* an I/O APIC's destination has 8 bits */
		return -ENODEV;
	}
	if (allocate(fn, arg, &vector) != 0) {
		return -EBUSY;
	}
	const struct ioapic_route route = {
		.vector = vector,
		.apic_id = (uint8_t)apic_id,
		.active_low = isa->active_low,
		.level = isa->level,
	};
	int err = ioapic_route(isa->gsi, &route);

	if (err != 0) {
		release(vector);
	}
	return err;
}

int irq_connect_isa(unsigned int irq, void (*fn)(void *arg), void *arg)
{
	int err = -EBUSY;

	if (irq >= ACPI_ISA_IRQS) {
		return -ENODEV;
	}
	spin_lock(&lock);
	if (!isa_taken[irq]) {
		err = connect_line(&acpi()->isa[irq], fn, arg);
		isa_taken[irq] = err == 0;
	}
	spin_unlock(&lock);
	return err;
}

/* ---- PCI pins ---- */

static void on_pci_line(void *arg)
{
	const struct irq_share *const *line = arg;

	for (const struct irq_share *s = __atomic_load_n(line, __ATOMIC_ACQUIRE); s != NULL;
	     s = s->next) {
		s->fn(s->arg);
	}
}

/* The bus' own kind, unless an override in the MADT says that the line is level-triggered. */
static int connect_pci_line(unsigned int line)
{
	struct acpi_isa_irq pin = acpi()->isa[line];
	int err;

	if (isa_taken[line]) {
		return -EBUSY;
	}
	pin.active_low |= !pin.level;
	pin.level = true;
	err = connect_line(&pin, on_pci_line, &pci_lines[line]);
	isa_taken[line] = err == 0;
	return err;
}

int irq_connect_pci(unsigned int line, void (*fn)(void *arg), void *arg)
{
	int err = 0;

	if (line >= ACPI_ISA_IRQS) {
		return -ENODEV;
	}
	spin_lock(&lock);
	if (share_count == SHARES_MAX) {
		err = -ENOMEM;
	} else if (pci_lines[line] == NULL) {
		err = connect_pci_line(line);
	}
	if (err == 0) {
		struct irq_share *s = &shares[share_count++];

		*s = (struct irq_share){ fn, arg, pci_lines[line] };
		__atomic_store_n(&pci_lines[line], s, __ATOMIC_RELEASE);
	}
	spin_unlock(&lock);
	return err;
}

/* ---- messages ---- */

int irq_connect_message(void (*fn)(void *arg), void *arg, struct irq_message *out)
{
	uint32_t apic_id = lapic_id();
	uint8_t vector;
	int err;

	if (apic_id > UINT8_MAX) { /* needs interrupt remapping */
		return -ENODEV;
	}
	spin_lock(&lock);
	err = allocate(fn, arg, &vector);
	spin_unlock(&lock);
	if (err == 0) {
		out->address = MESSAGE_ADDRESS | (uint64_t)apic_id << MESSAGE_DEST_SHIFT;
		out->data = vector;
	}
	return err;
}
