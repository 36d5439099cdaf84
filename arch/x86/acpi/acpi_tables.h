/* SPDX-License-Identifier: BSD-2-Clause */
/* Layouts of the ACPI tables that are read, as in "ACPI Specification", "ACPI Software Programming */
/* Model". Fields are little-endian and unaligned: they are read through hv/lib/bytes.h by offset. */
#ifndef ARCH_X86_ACPI_ACPI_TABLES_H
#define ARCH_X86_ACPI_ACPI_TABLES_H

#include "hv/lib/types.h"

#define ACPI_RSDP_V1_SIZE 20u
#define ACPI_RSDP_V2_SIZE 36u

/* "Root System Description Pointer (RSDP)" */
struct acpi_rsdp {
	char signature[8]; /* "RSD PTR " */
	uint8_t checksum;  /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision; /* 0: ends here after rsdt */
	uint8_t rsdt[4];
	uint8_t length[4];
	uint8_t xsdt[8];
	uint8_t extended_checksum; /* of all `length` bytes */
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct acpi_rsdp) == ACPI_RSDP_V2_SIZE, "ACPI, RSDP Structure");

/* "System Description Table Header" */
struct acpi_header {
	char signature[4];
	uint8_t length[4]; /* of the whole table, this header included */
	uint8_t revision;
	uint8_t checksum; /* all bytes add up to 0 */
	char oem_id[6];
	char oem_table_id[8];
	uint8_t oem_revision[4];
	char creator_id[4];
	uint8_t creator_revision[4];
};
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI, System Description Table Header");

/* "Generic Address Structure" */
struct acpi_gas {
	uint8_t space; /* enum acpi_space */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint8_t address[8];
};
_Static_assert(sizeof(struct acpi_gas) == 12, "ACPI, Generic Address Structure");

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI = 2 };

/* "Fixed ACPI Description Table (FADT)"; revision 1 ends before reset_reg. */
struct acpi_fadt {
	struct acpi_header header;
	uint8_t facs[4];
	uint8_t dsdt[4];
	uint8_t unused1[2];
	uint8_t sci_int[2];
	uint8_t smi_cmd[4];
	uint8_t acpi_enable;
	uint8_t unused2[3];
	uint8_t pm1a_evt[4];
	uint8_t pm1b_evt[4];
	uint8_t pm1a_cnt[4];
	uint8_t pm1b_cnt[4];
	uint8_t pm2_cnt[4];
	uint8_t pm_tmr[4];
	uint8_t gpe[8];
	uint8_t pm1_evt_len;
	uint8_t pm1_cnt_len;
	uint8_t pm2_cnt_len;
	uint8_t pm_tmr_len;
	uint8_t unused3[16];
	uint8_t century; /* index in the RTC's memory; 0: none */
	uint8_t boot_arch[2];
	uint8_t unused4;
	uint8_t flags[4];
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint8_t unused5[3];
	uint8_t x_facs[8];
	uint8_t x_dsdt[8];
	struct acpi_gas x_pm1a_evt;
	struct acpi_gas x_pm1b_evt;
	struct acpi_gas x_pm1a_cnt;
	struct acpi_gas x_pm1b_cnt;
	struct acpi_gas x_pm2_cnt;
	struct acpi_gas x_pm_tmr;
};
_Static_assert(offsetof(struct acpi_fadt, pm_tmr) == 76, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, century) == 108, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, reset_reg) == 116, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "ACPI, FADT Format");
_Static_assert(offsetof(struct acpi_fadt, x_pm_tmr) == 208, "ACPI, FADT Format");

#define ACPI_FADT_V1_SIZE 116u /* bytes that every revision has */

#define ACPI_FADT_TMR_VAL_EXT	BIT(8) /* the PM timer has 32 bits, not 24 */
#define ACPI_FADT_RESET_REG_SUP BIT(10)
#define ACPI_FADT_HW_REDUCED	BIT(20)

#define ACPI_BOOT_LEGACY BIT(0) /* of boot_arch, from revision 2 on */
#define ACPI_BOOT_8042	 BIT(1)
#define ACPI_BOOT_NO_RTC BIT(5)

/* "Multiple APIC Description Table (MADT)": this, then entries of type, length, data. */
struct acpi_madt {
	struct acpi_header header;
	uint8_t lapic[4];
	uint8_t flags[4];
};
_Static_assert(sizeof(struct acpi_madt) == 44, "ACPI, MADT Format");

#define ACPI_MADT_PCAT_COMPAT BIT(0) /* there are 8259s as well */
#define ACPI_MADT_ENABLED     BIT(0) /* of a processor entry */

enum acpi_madt_type {
	ACPI_MADT_LAPIC = 0,
	ACPI_MADT_IOAPIC = 1,
	ACPI_MADT_OVERRIDE = 2,
	ACPI_MADT_LAPIC_NMI = 4,
	ACPI_MADT_LAPIC_ADDRESS = 5,
	ACPI_MADT_X2APIC = 9,
	ACPI_MADT_X2APIC_NMI = 10,
};

/* "IA-PC HPET Specification", "The ACPI 2.0 HPET Description Table" */
struct acpi_hpet {
	struct acpi_header header;
	uint8_t block_id[4];
	struct acpi_gas base;
	uint8_t number;
	uint8_t min_tick[2];
	uint8_t protection;
};
_Static_assert(sizeof(struct acpi_hpet) == 56, "IA-PC HPET, Description Table");

#endif
