/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of what firmware would have left in memory: ACPI tables and the MP table. */
/* Signatures, lengths, checksums and that they name the chips that are there; no AML. */
#include "guests/lib/cpu.h"
#include "guests/lib/mem.h"
#include "guests/pcdev/check.h"

#define BIOS_START 0xe0000u
#define BIOS_END   0x100000u

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
};
_Static_assert(sizeof(struct rsdp) == 20, "ACPI 1.0, \"Root System Description Pointer\"");

struct header {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
};
_Static_assert(sizeof(struct header) == 36, "ACPI, \"System Description Table Header\"");

static const uint8_t *at(uint32_t addr)
{
	uintptr_t p = addr;

	__asm__("" : "+r"(p));
	return (const uint8_t *)p;
}

static uint8_t sum(const void *p, size_t len)
{
	const uint8_t *byte = p;
	uint8_t total = 0;

	while (len--) {
		total = (uint8_t)(total + *byte++);
	}
	return total;
}

/* The first place on a 16-byte border with this signature and a good sum over len bytes. */
static const void *find(const char *signature, size_t signature_len, size_t len)
{
	uint32_t ebda = (uint32_t) * (const uint16_t *)at(0x40e) << 4, addr;

	for (addr = ebda & ~15u; ebda >= 0x80000 && addr < 0xa0000; addr += 16) {
		if (!memcmp(at(addr), signature, signature_len) && !sum(at(addr), len)) {
			return at(addr);
		}
	}
	for (addr = BIOS_START; addr < BIOS_END; addr += 16) {
		if (!memcmp(at(addr), signature, signature_len) && !sum(at(addr), len)) {
			return at(addr);
		}
	}
	return NULL;
}

/* A table of the RSDT with a good sum. */
static const struct header *acpi_table(const char *signature)
{
	const struct rsdp *rsdp = find("RSD PTR ", 8, sizeof(*rsdp));
	const struct header *rsdt;
	uint32_t i, addr;

	if (!rsdp) {
		return NULL;
	}
	rsdt = (const struct header *)at(rsdp->rsdt);
	if (memcmp(rsdt->signature, "RSDT", 4) || sum(rsdt, rsdt->length)) {
		return NULL;
	}
	for (i = sizeof(*rsdt); i + 4 <= rsdt->length; i += 4) {
		const struct header *h;

		memcpy(&addr, (const uint8_t *)rsdt + i, 4);
		h = (const struct header *)at(addr);
		if (!memcmp(h->signature, signature, 4)) {
			return sum(h, h->length) ? NULL : h;
		}
	}
	return NULL;
}

static uint32_t word_of(const struct header *h, size_t offset)
{
	uint32_t val;

	memcpy(&val, (const uint8_t *)h + offset, 4);
	return val;
}

/* PM1a control and the PM timer are where PCI says. */
static bool acpi_fadt(void)
{
	const struct header *fadt = acpi_table("FACP");
	uint32_t base;

	pio_out32(0xcf8, 0x80000b40);
	base = pio_in32(0xcfc) & 0xffc0;
	return fadt && word_of(fadt, 64) == base + 4 && word_of(fadt, 76) == base + 8;
}

static bool acpi_dsdt(void)
{
	const struct header *fadt = acpi_table("FACP");
	const struct header *dsdt = fadt ? (const struct header *)at(word_of(fadt, 40)) : NULL;

	return dsdt && !memcmp(dsdt->signature, "DSDT", 4) && !sum(dsdt, dsdt->length);
}

static bool acpi_madt(void)
{
	const struct header *madt = acpi_table("APIC");
	const uint8_t *entry = (const uint8_t *)madt + 44;
	bool cpu = false, ioapic = false;

	if (!madt || word_of(madt, 36) != 0xfee00000) {
		return false;
	}
	for (; entry < (const uint8_t *)madt + madt->length && entry[1]; entry += entry[1]) {
		cpu = cpu || (entry[0] == 0 && (entry[4] & 1));
		ioapic = ioapic || (entry[0] == 1 && *(const uint32_t *)(entry + 4) == 0xfec00000);
	}
	return cpu && ioapic;
}

/* Multiprocessor Specification 1.4, "MP Floating Pointer Structure". */
static bool mp_table(void)
{
	const uint8_t *pointer = find("_MP_", 4, 16);
	const uint8_t *table = pointer ? at(*(const uint32_t *)(pointer + 4)) : NULL;

	return table && !memcmp(table, "PCMP", 4) && !sum(table, *(const uint16_t *)(table + 4));
}

static const struct check rows[] = {
	{ "acpi_fadt", acpi_fadt },
	{ "acpi_dsdt", acpi_dsdt },
	{ "acpi_madt", acpi_madt },
	{ "mp_table", mp_table },
};

const struct check_table check_tables = { ARRAY_SIZE(rows), rows };
