/* SPDX-License-Identifier: BSD-2-Clause */
/* Processors, buses, the IO-APIC and its inputs as the MultiProcessor Specification writes them. */
/* PCI slots are listed as the bridge's PIRQs are wired, whether a function is there or not. */
#include "hv/mgmt/guest_mptable.h"

#include "hv/lib/bytes.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"

struct mp_floating {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} PACKED;
_Static_assert(sizeof(struct mp_floating) == 16, "\"MP Floating Pointer Structure\"");

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t lapic;
	uint16_t ext_length;
	uint8_t ext_checksum;
	uint8_t reserved;
} PACKED;
_Static_assert(sizeof(struct mp_header) == 44, "\"MP Configuration Table Header\"");

enum mp_type { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_IO_INTERRUPT, MP_LOCAL_INTERRUPT };

struct mp_processor {
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features;
	uint32_t reserved[2];
} PACKED;
_Static_assert(sizeof(struct mp_processor) == 20, "\"Processor Entries\"");
#define PROCESSOR_ENABLED 1u
#define PROCESSOR_BOOT	  2u
#define LAPIC_VERSION	  0x14u
#define FEATURES_FPU_APIC 0x201u

struct mp_bus {
	uint8_t type, id;
	char name[6];
} PACKED;
_Static_assert(sizeof(struct mp_bus) == 8, "\"Bus Entries\"");

struct mp_ioapic {
	uint8_t type, id, version, flags;
	uint32_t address;
} PACKED;
_Static_assert(sizeof(struct mp_ioapic) == 8, "\"I/O APIC Entries\"");
#define IOAPIC_VERSION 0x11u

struct mp_interrupt { /* I/O and local ones alike */
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq, apic, pin;
} PACKED;
_Static_assert(sizeof(struct mp_interrupt) == 8, "\"I/O Interrupt Assignment Entries\"");

enum mp_kind { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3 };
enum mp_flags { MP_CONFORMS = 0, MP_LEVEL_HIGH = 0xd, MP_LEVEL_LOW = 0xf };

#define BUS_PCI	  0u
#define BUS_ISA	  1u
#define ALL_APICS 0xffu
#define ISA_IRQS  16u
#define PCI_SLOTS 32u

struct builder {
	uint8_t *buf;
	size_t size;
	size_t len;
	uint16_t entries;
	bool ok;
};

static void add(struct builder *b, const void *entry, size_t size)
{
	if (!b->ok || !range_within(b->len, size, b->size)) {
		b->ok = false;
		return;
	}
	memcpy(b->buf + b->len, entry, size);
	b->len += size;
	b->entries++;
}

static void add_processors(struct builder *b, unsigned int cpus)
{
	for (unsigned int i = 0; i < cpus; i++) {
		const struct mp_processor e = {
			.type = MP_PROCESSOR,
			.apic_id = (uint8_t)i,
			.apic_version = LAPIC_VERSION,
			.flags = (uint8_t)(PROCESSOR_ENABLED | (i == 0 ? PROCESSOR_BOOT : 0)),
			.signature = 0x600,
			.features = FEATURES_FPU_APIC,
		};

		add(b, &e, sizeof(e));
	}
}

static void add_fixed(struct builder *b)
{
	const struct mp_bus pci = { MP_BUS, BUS_PCI, "PCI   " };
	const struct mp_bus isa = { MP_BUS, BUS_ISA, "ISA   " };
	const struct mp_ioapic ioapic = { MP_IOAPIC, PC_IOAPIC_ID, IOAPIC_VERSION, 1,
					  PC_IOAPIC_BASE };

	add(b, &pci, sizeof(pci));
	add(b, &isa, sizeof(isa));
	add(b, &ioapic, sizeof(ioapic));
}

/* ISA irq 0 is on pin 2; 2 is the PIC's cascade and reaches nothing. */
static void add_isa_interrupts(struct builder *b)
{
	for (unsigned int irq = 0; irq < ISA_IRQS; irq++) {
		const struct mp_interrupt e = {
			.type = MP_IO_INTERRUPT,
			.kind = MP_INT,
			.flags = irq == PC_SCI_IRQ ? MP_LEVEL_HIGH : MP_CONFORMS,
			.bus = BUS_ISA,
			.irq = (uint8_t)irq,
			.apic = PC_IOAPIC_ID,
			.pin = (uint8_t)(irq == 0 ? 2 : irq),
		};

		if (irq != 2) {
			add(b, &e, sizeof(e));
		}
	}
}

static void add_pci_interrupts(struct builder *b)
{
	for (unsigned int i = 4; i < PCI_SLOTS * 4; i++) {
		const struct mp_interrupt e = {
			.type = MP_IO_INTERRUPT,
			.kind = MP_INT,
			.flags = MP_LEVEL_LOW,
			.bus = BUS_PCI,
			.irq = (uint8_t)
				i, /* slot and pin: appendix D.3, "I/O Interrupt Assignment" */
			.apic = PC_IOAPIC_ID,
			.pin = (uint8_t)pc_pci_gsi(i / 4, i % 4),
		};

		add(b, &e, sizeof(e));
	}
}

static void add_local_interrupts(struct builder *b)
{
	const struct mp_interrupt lint0 = { MP_LOCAL_INTERRUPT, MP_EXTINT, MP_CONFORMS, BUS_ISA, 0,
					    ALL_APICS,		0 };
	const struct mp_interrupt lint1 = { MP_LOCAL_INTERRUPT, MP_NMI, MP_CONFORMS, BUS_ISA, 0,
					    ALL_APICS,		1 };

	add(b, &lint0, sizeof(lint0));
	add(b, &lint1, sizeof(lint1));
}

static void fill_header(struct builder *b)
{
	struct mp_header *h = (struct mp_header *)(b->buf + sizeof(struct mp_floating));
	size_t len = b->len - sizeof(struct mp_floating);

	*h = (struct mp_header){ .signature = { 'P', 'C', 'M', 'P' },
				 .length = (uint16_t)len,
				 .revision = 4,
				 .entries = b->entries,
				 .lapic = PC_LAPIC_BASE };
	memcpy(h->oem_id, "INSULA  ", sizeof(h->oem_id));
	memcpy(h->product_id, "PC          ", sizeof(h->product_id));
	h->checksum = (uint8_t)-bytes_sum(h, len);
}

static void fill_floating(struct builder *b, uint32_t gpa)
{
	struct mp_floating *f = (struct mp_floating *)b->buf;

	*f = (struct mp_floating){ .signature = { '_', 'M', 'P', '_' },
				   .table = gpa + (uint32_t)sizeof(*f),
				   .length = 1,
				   .revision = 4 };
	f->checksum = (uint8_t)-bytes_sum(f, sizeof(*f));
}

size_t guest_mptable_build(uint8_t *buf, size_t size, uint32_t gpa, unsigned int cpus)
{
	struct builder b = { .buf = buf,
			     .size = size,
			     .len = sizeof(struct mp_floating) + sizeof(struct mp_header),
			     .ok = true };

	if (size < b.len) {
		return 0;
	}
	add_processors(&b, cpus);
	add_fixed(&b);
	add_isa_interrupts(&b);
	add_pci_interrupts(&b);
	add_local_interrupts(&b);
	if (!b.ok) {
		return 0;
	}
	fill_header(&b);
	fill_floating(&b, gpa);
	return b.len;
}
