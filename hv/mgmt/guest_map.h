/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map that a directly booted guest is told, and where we put things in its first MiB. */
/* What is RAM at all is hv/gpa_space's decision. */
#ifndef HV_MGMT_GUEST_MAP_H
#define HV_MGMT_GUEST_MAP_H

#include "hv/gpa_space.h"
#include "hv/lib/types.h"

/* Below 1 MiB. All from LOADER_END to EBDA is left for the guest's start-up code for other CPUs. */
#define GUEST_LOADER	 0x10000ul /* boot parameters, tables, command line */
#define GUEST_LOADER_END 0x40000ul
#define GUEST_EBDA	 0x9fc00ul
#define GUEST_ACPI	 0xe0000ul /* RSDP first, so that a search finds it, too */
#define GUEST_ACPI_END	 0xf0000ul
#define GUEST_MPTABLE	 0xf0000ul
#define GUEST_1M	 0x100000ul

/* Types of the BIOS call E820h and of multiboot's map. */
enum guest_map_type { GUEST_MAP_RAM = 1, GUEST_MAP_RESERVED = 2 };

struct guest_map_entry { /* struct boot_e820_entry of Linux, too */
	uint64_t base;
	uint64_t size;
	uint32_t type;
} PACKED;
_Static_assert(sizeof(struct guest_map_entry) == 20, "ACPI, \"INT 15H, E820H\"");

#define GUEST_MAP_MAX 8u

/* Fills map, in rising order; returns how many rows. */
unsigned int guest_map_build(const struct gpa_space *mem,
			     struct guest_map_entry map[GUEST_MAP_MAX]);
/* True if [base, base + size) is RAM above 1 MiB and below the devices' hole. */
bool guest_map_in_low_ram(const struct gpa_space *mem, uint64_t base, uint64_t size);

#endif
