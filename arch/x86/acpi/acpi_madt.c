/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the MADT: processors, I/O APICs, ISA interrupt overrides, NMI pins. */
/* Touches no interrupt controller. */
#include "arch/x86/acpi/acpi_parse.h"
#include "arch/x86/acpi/acpi_tables.h"
#include "hv/lib/bytes.h"

#define APIC_ID_NONE 0xffu /* an 8-bit APIC id that addresses all */
#define UID_ALL	     0xffu

static void add_cpu(struct acpi_info *out, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	if ((flags & ACPI_MADT_ENABLED) == 0) {
		return;
	}
	for (unsigned int i = 0; i < out->cpu_count; i++) {
		if (out->cpus[i].apic_id == apic_id) {
			out->cpus_ignored++;
			return;
		}
	}
	if (out->cpu_count == CPU_MAX) {
		out->cpus_ignored++;
		return;
	}
	out->cpus[out->cpu_count++] = (struct acpi_cpu){ .apic_id = apic_id, .uid = uid };
}

static void on_lapic(const uint8_t *e, struct acpi_info *out)
{
	if (e[3] != APIC_ID_NONE) {
		add_cpu(out, e[3], e[2], bytes_get_le32(e + 4));
	}
}

static void on_x2apic(const uint8_t *e, struct acpi_info *out)
{
	if (bytes_get_le32(e + 4) != UINT32_MAX) {
		add_cpu(out, bytes_get_le32(e + 4), bytes_get_le32(e + 12), bytes_get_le32(e + 8));
	}
}

static void on_ioapic(const uint8_t *e, struct acpi_info *out)
{
	if (out->ioapic_count < ACPI_IOAPICS_MAX) {
		out->ioapics[out->ioapic_count++] = (struct acpi_ioapic){
			.id = e[2],
			.base = { bytes_get_le32(e + 4) },
			.gsi_base = bytes_get_le32(e + 8),
		};
	}
}

/* "MPS INTI Flags": 0 in a field means "as the bus has it", which for ISA is edge, active high. */
static bool inti_active_low(unsigned int flags)
{
	return (flags & 3) == 3;
}

static bool inti_level(unsigned int flags)
{
	return (flags >> 2 & 3) == 3;
}

static void on_override(const uint8_t *e, struct acpi_info *out)
{
	unsigned int flags = bytes_get_le16(e + 8);

	if (e[2] == 0 && e[3] < ACPI_ISA_IRQS) { /* bus 0 is ISA */
		out->isa[e[3]] = (struct acpi_isa_irq){
			.gsi = bytes_get_le32(e + 4),
			.active_low = inti_active_low(flags),
			.level = inti_level(flags),
		};
	}
}

static void add_nmi(struct acpi_info *out, uint32_t uid, unsigned int flags, uint8_t lint)
{
	if (lint <= 1 && out->nmi_count < ACPI_NMIS_MAX) {
		out->nmis[out->nmi_count++] = (struct acpi_lapic_nmi){
			.uid = uid,
			.lint = lint,
			.active_low = inti_active_low(flags),
			.level = inti_level(flags),
		};
	}
}

static void on_lapic_nmi(const uint8_t *e, struct acpi_info *out)
{
	add_nmi(out, e[2] == UID_ALL ? ACPI_ALL_CPUS : e[2], bytes_get_le16(e + 3), e[5]);
}

static void on_x2apic_nmi(const uint8_t *e, struct acpi_info *out)
{
	add_nmi(out, bytes_get_le32(e + 4), bytes_get_le16(e + 2), e[8]);
}

static void on_lapic_address(const uint8_t *e, struct acpi_info *out)
{
	out->lapic_base = bytes_get_le64(e + 4);
}

/* Entry types that matter: the size each must have at least, and its reader. */
static const struct {
	uint8_t size;
	void (*read)(const uint8_t *entry, struct acpi_info *out);
} types[] = {
	[ACPI_MADT_LAPIC] = { 8, on_lapic },
	[ACPI_MADT_IOAPIC] = { 12, on_ioapic },
	[ACPI_MADT_OVERRIDE] = { 10, on_override },
	[ACPI_MADT_LAPIC_NMI] = { 6, on_lapic_nmi },
	[ACPI_MADT_LAPIC_ADDRESS] = { 12, on_lapic_address },
	[ACPI_MADT_X2APIC] = { 16, on_x2apic },
	[ACPI_MADT_X2APIC_NMI] = { 12, on_x2apic_nmi },
};

void acpi_madt_parse(const uint8_t *madt, size_t size, struct acpi_info *out)
{
	if (size < sizeof(struct acpi_madt)) {
		return;
	}
	out->lapic_base = bytes_get_le32(madt + offsetof(struct acpi_madt, lapic));
	out->has_8259 = (bytes_get_le32(madt + offsetof(struct acpi_madt, flags)) &
			 ACPI_MADT_PCAT_COMPAT) != 0;
	size_t off = sizeof(struct acpi_madt);

	while (size - off >= 2) {
		const uint8_t *e = madt + off;
		uint8_t len = e[1];

		if (len < 2 || len > size - off) {
			return; /* what follows cannot be found */
		}
		if (e[0] < ARRAY_SIZE(types) && types[e[0]].read != NULL &&
		    len >= types[e[0]].size) {
			types[e[0]].read(e, out);
		}
		off += len;
	}
}
