/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes ACPI tables apart. Every byte is suspect: wrong lengths and addresses end in an error, */
/* never in a read outside. Does not map memory: the caller's function does. */
#ifndef ARCH_X86_ACPI_ACPI_PARSE_H
#define ARCH_X86_ACPI_ACPI_PARSE_H

#include "arch/x86/acpi/acpi.h"

#define ACPI_TABLE_MAX (4ul * MIB) /* a longer table is taken for broken */

/* Bytes [hpa, hpa + size) for good, or NULL. */
typedef const void *acpi_map_fn(uint64_t hpa, uint64_t size);
/* One line about a table that was left out; NULL to stay silent. */
typedef void acpi_complain_fn(const char *signature, const char *why);

struct acpi_source {
	acpi_map_fn *map;
	acpi_complain_fn *complain;
};

/* The RSDP on a 16-byte boundary of mem, or NULL. size in bytes. */
const void *acpi_parse_find_rsdp(const void *mem, size_t size);

/* True if the RSDP's signature and checksums are right; size is how many bytes may be read. */
bool acpi_parse_rsdp_valid(const void *rsdp, size_t size);

/* Machine without ACPI: ISA interrupts one to one, all else absent. */
void acpi_parse_defaults(struct acpi_info *out);

/*
 * Fills out from all tables that rsdp leads to; broken ones are left out with a complaint.
 * Returns 0, or -ENOENT if there is no usable root table.
 */
int acpi_parse(const struct acpi_source *src, const void *rsdp, size_t size, struct acpi_info *out);

/* acpi_madt.c: processors and interrupt controllers of a MADT of size bytes, checksum verified. */
void acpi_madt_parse(const uint8_t *madt, size_t size, struct acpi_info *out);

/*
 * acpi_s5.c: looks for Name(_S5, Package() {a, b, ...}) in a definition block's AML. Fills the first
 * two elements; false if there is none that can be read.
 */
bool acpi_s5_find(const uint8_t *aml, size_t size, uint8_t *typ_a, uint8_t *typ_b);

#endif
