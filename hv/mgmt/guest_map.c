/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the guest's memory map from its RAM. */
/* Writes nothing into the guest: the loaders do, in their protocol's form. */
#include "hv/mgmt/guest_map.h"

unsigned int guest_map_build(const struct gpa_space *mem, struct guest_map_entry map[GUEST_MAP_MAX])
{
	unsigned int n = 0;

	map[n++] = (struct guest_map_entry){ 0, GUEST_EBDA, GUEST_MAP_RAM };
	map[n++] = (struct guest_map_entry){ GUEST_EBDA, GPA_VGA_HOLE - GUEST_EBDA,
					     GUEST_MAP_RESERVED };
	map[n++] =
		(struct guest_map_entry){ GUEST_ACPI, GUEST_1M - GUEST_ACPI, GUEST_MAP_RESERVED };
	map[n++] = (struct guest_map_entry){ GUEST_1M, mem->low_size - GUEST_1M, GUEST_MAP_RAM };
	if (mem->size > mem->low_size) {
		map[n++] = (struct guest_map_entry){ GPA_HIGH_RAM, mem->size - mem->low_size,
						     GUEST_MAP_RAM };
	}
	return n;
}

bool guest_map_in_low_ram(const struct gpa_space *mem, uint64_t base, uint64_t size)
{
	return base >= GUEST_1M && range_within(base, size, mem->low_size);
}
