/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks an address up in the sorted table of function addresses. */
/* Does not make the table: hv/base/mksymtab.py does, between the two links of the image. */
#include "hv/base/symtab.h"

_Static_assert(sizeof(struct symtab_entry) == 16, "two .quad per row in mksymtab.py");

const char *symtab_lookup(uint64_t addr, uint64_t *offset)
{
	uint64_t low = 0;
	uint64_t high = symtab_count;

	while (low < high) { /* low = number of entries at or below addr */
		uint64_t mid = low + (high - low) / 2;

		if (symtab_entries[mid].addr <= addr) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	if (low == 0) {
		return NULL;
	}
	if (offset != NULL) {
		*offset = addr - symtab_entries[low - 1].addr;
	}
	return symtab_names + symtab_entries[low - 1].name;
}
