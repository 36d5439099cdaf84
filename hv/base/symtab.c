/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks an address up in the sorted table of function names. */
/* Does not make the table: hv/base/mksymtab.py does, between the two links of the image. */
#include "hv/base/symtab.h"

_Static_assert(sizeof(struct symtab_group) == 16, "two .quad per row in mksymtab.py");

/* Groups that begin at or below addr. */
static uint64_t groups_up_to(uint64_t addr)
{
	uint64_t low = 0;
	uint64_t high = (symtab_count + SYMTAB_GROUP - 1) / SYMTAB_GROUP;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (symtab_groups[mid].addr <= addr) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

static const uint8_t *read_distance(const uint8_t *record, uint64_t *distance)
{
	unsigned int shift = 0;

	*distance = 0;
	do {
		*distance |= (uint64_t)(*record & 0x7f) << shift;
		shift += 7;
	} while (*record++ & 0x80);
	return record;
}

/* Over what the name before left in it. */
static const uint8_t *read_name(const uint8_t *record, char name[SYMTAB_NAME])
{
	char *end = name + *record++;

	do {
		*end++ = (char)*record;
	} while (*record++ != 0);
	return record;
}

bool symtab_lookup(uint64_t addr, struct symtab_hit *hit)
{
	uint64_t group = groups_up_to(addr);
	const uint8_t *record;
	uint64_t left, distance;

	if (group == 0) {
		return false;
	}
	group--;
	hit->offset = addr - symtab_groups[group].addr;
	record = symtab_records + symtab_groups[group].record;
	left = u64_min(symtab_count - group * SYMTAB_GROUP, SYMTAB_GROUP);
	for (; left > 0; left--) {
		record = read_distance(record, &distance);
		if (distance > hit->offset) {
			break;
		}
		hit->offset -= distance;
		record = read_name(record, hit->name);
	}
	return true;
}
