/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the image's functions by address, for backtraces and the trace listing. */
/* Reads no debug information and knows no data symbols. */
#ifndef HV_BASE_SYMTAB_H
#define HV_BASE_SYMTAB_H

#include "hv/lib/types.h"

/* One function; the table is sorted by addr. Layout shared with hv/base/mksymtab.py. */
struct symtab_entry {
	uint64_t addr; /* of the first byte */
	uint64_t name; /* offset of its NUL-terminated name in symtab_names */
};

/* The table, generated at link time (empty in the first of the two links). */
extern const struct symtab_entry symtab_entries[];
extern const uint64_t symtab_count;
extern const char symtab_names[];

/*
 * Name of the function that holds addr, and in *offset (may be NULL) the distance from its start;
 * NULL if addr lies before the first function. An address behind the last function gets that
 * function's name: the caller bounds addr to the image. Any context, also in a panic.
 */
const char *symtab_lookup(uint64_t addr, uint64_t *offset);

#endif
