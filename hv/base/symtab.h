/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the image's functions by address, for backtraces and the trace listing. */
/* Reads no debug information and knows no data symbols. */
#ifndef HV_BASE_SYMTAB_H
#define HV_BASE_SYMTAB_H

#include "hv/lib/types.h"

/*
 * The table, made at link time by hv/base/mksymtab.py (empty in the first of the two links): a record
 * for each function, sorted by address, in groups that are read from their start. A record is
 *   the distance from the function before, seven bits a byte, lowest first, bit 7 in all but the last;
 *   a byte: so many characters are those that the name before begins with;
 *   the rest of the name, and a NUL.
 * A group's first record has distance 0 and a whole name.
 */
struct symtab_group {
	uint64_t addr;	 /* of its first function */
	uint64_t record; /* where its first record begins in symtab_records */
};

#define SYMTAB_GROUP 32u /* functions in each but the last */
#define SYMTAB_NAME  48u /* longest name and its NUL: longer ones are cut off */

extern const struct symtab_group symtab_groups[];
extern const uint64_t symtab_count; /* of functions */
extern const uint8_t symtab_records[];

struct symtab_hit {
	char name[SYMTAB_NAME];
	uint64_t offset; /* from the function's first byte */
};

/*
 * The function that holds addr; false if addr lies before the first one. An address behind the last
 * function gets that function's name: the caller bounds addr to the image. Any context, also in a panic.
 */
bool symtab_lookup(uint64_t addr, struct symtab_hit *hit);

#endif
