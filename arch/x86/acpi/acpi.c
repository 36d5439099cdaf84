/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the ACPI tables in this machine's memory and keeps what acpi_parse made of them. */
/* Reset and power-off through them are acpi_power.c. */
#include "arch/x86/acpi/acpi.h"

#include "arch/paging.h"
#include "arch/x86/acpi/acpi_parse.h"
#include "arch/x86/acpi/acpi_tables.h"
#include "arch/x86/cpu/x86.h"
#include "boot/boot_info.h"
#include "hv/base/log.h"
#include "hv/lib/bytes.h"

#define BDA_EBDA_SEGMENT 0x40eu /* real-mode segment of the extended BIOS data area */
#define BIOS_ROM	 0xe0000u
#define BIOS_ROM_SIZE	 0x20000u

static struct acpi_info info; /* constant after acpi_init */

const struct acpi_info *acpi(void)
{
	return &info;
}

/* A table's address is the firmware's word: beyond what the CPU can address it is refused. */
static bool addressable(uint64_t hpa, uint64_t size)
{
	uint32_t bits = 36;

	if (x86_cpuid(0x80000000, 0).eax >= 0x80000008) {
		bits = x86_cpuid(0x80000008, 0).eax & 0xff;
	}
	return bits < 64 && range_within(hpa, size, 1ul << bits);
}

static const void *map(uint64_t hpa, uint64_t size)
{
	if (!addressable(hpa, size)) {
		return NULL;
	}
	return paging_map_table((hpa_t){ hpa }, size);
}

static void complain(const char *signature, const char *why)
{
	log_printf(LOG_HOST, "acpi: table %s left out: %s", signature, why);
}

static const void *search(uint64_t hpa, uint64_t size)
{
	const void *mem = map(hpa, size);

	return mem != NULL ? acpi_parse_find_rsdp(mem, size) : NULL;
}

/* "Finding the RSDP on IA-PC Systems": the first KiB of the EBDA, then the BIOS ROM. */
static const void *search_bios(void)
{
	const void *bda = map(BDA_EBDA_SEGMENT, 2);
	uint64_t ebda = bda != NULL ? (uint64_t)bytes_get_le16(bda) << 4 : 0;
	const void *rsdp = NULL;

	if (ebda >= 0x80000 && ebda < 0xa0000) {
		rsdp = search(ebda, KIB);
	}
	return rsdp != NULL ? rsdp : search(BIOS_ROM, BIOS_ROM_SIZE);
}

static const void *find_rsdp(const struct boot_info *boot)
{
	if (boot->rsdp.v != 0) {
		return map(boot->rsdp.v, ACPI_RSDP_V2_SIZE);
	}
	return boot->rsdp_copied ? boot->rsdp_copy : search_bios();
}

void acpi_init(const struct boot_info *boot)
{
	static const struct acpi_source source = { map, complain };
	const void *rsdp = find_rsdp(boot);

	if (rsdp == NULL) {
		acpi_parse_defaults(&info);
	}
	if (rsdp == NULL || acpi_parse(&source, rsdp, ACPI_RSDP_V2_SIZE, &info) != 0) {
		log_printf(LOG_HOST, "acpi: no usable tables: one CPU, no power-off");
		return;
	}
	if (info.cpus_ignored != 0) {
		log_printf(LOG_HOST, "acpi: %u processors ignored (listed twice, or above %u)",
			   info.cpus_ignored, CPU_MAX);
	}
	log_printf(LOG_DEBUG, "acpi: %u CPUs, %u I/O APICs, HPET at 0x%lx, S5 %s", info.cpu_count,
		   info.ioapic_count, info.hpet.v, info.has_s5 ? "known" : "unknown");
}
