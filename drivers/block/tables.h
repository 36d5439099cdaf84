/* SPDX-License-Identifier: BSD-2-Clause */
/* One or two levels of tables of places, new ones at the end of the file: what VDI, VHD, QED, QCOW */
/* and VMDK have in common. What an entry means is the format's. */
#ifndef DRIVERS_BLOCK_TABLES_H
#define DRIVERS_BLOCK_TABLES_H

#include "drivers/block/format.h"

struct tables {		     /* first in the format's state; (c) but for `next` */
	uint32_t entry_size; /* bytes, 4 or 8 */
	bool big_endian;
	uint64_t root;	       /* first level: where in the file, */
	uint64_t root_entries; /* how many entries, */
	uint64_t root_twin;    /* and its copy, whose tables are copies too; or 0 */
	uint64_t entries;      /* of a last-level table */
	uint64_t map;	       /* one level only: where the table is; then root is 0 */
	uint32_t unit_shift;   /* log2 of what first-level entries count in */
	uint64_t unused;       /* an entry of the last level that holds nothing */
	uint64_t first;	       /* no data and no table lies below this offset */
	uint64_t fixed;	       /* headers and names that may lie above `first` end here */
	uint64_t next;	       /* [M] where the next cluster or table goes */
	uint64_t align;	       /* of new places, bytes */
	uint64_t stride;       /* bytes of the file that a cluster takes */
	/* Takes an entry apart that is not `unused`: kind and where the cluster begins. -EIO by image_corrupt. */
	int (*decode)(struct image *img, uint64_t raw, struct block_map *m);
	uint64_t (*encode)(struct image *img, uint64_t file_off);
	/* NULL, or: len more bytes at off are about to be used; *skip of them precede the data. */
	int (*prepare)(struct image *img, uint64_t off, uint64_t *skip);
	/* NULL, or: a place at off has been entered. */
	int (*linked)(struct image *img, uint64_t off);
};

/* Makes the cache and finds the end. After all fields and img's are set; -ENOMEM, -EIO, -EINVAL. */
int tables_open(struct image *img);

int tables_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m);
int tables_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p);
int tables_link(struct image *img, uint64_t off, const struct block_place *p);
void tables_unalloc(struct image *img, uint64_t off, const struct block_place *p);

/* A `prepare` for formats whose file holds whole clusters only. */
int tables_extend(struct image *img, uint64_t off, uint64_t *skip);

/* Calls fn with every last-level entry that is used. */
int tables_for_each(struct image *img, int (*fn)(struct image *img, uint64_t raw, void *arg),
		    void *arg);

/* ---- tables_check.c ---- */

/*
 * Looks at every entry: it leads into the file, and no two clusters lie on each other. Copies of tables
 * that differ from the first ones are made as they are if `repair`. A format's `check`.
 */
int tables_check(struct image *img, bool repair, struct image_check *result);
/* The copies only. Not flushed. */
int tables_check_twins(struct image *img, bool repair, struct image_check *result);

/* ---- of tables.c, for tables_check.c ---- */

/* Where the last-level table for cluster `index` is, by the first level at `root`; 0: there is none. */
int tables_find(struct image *img, uint64_t root, uint64_t index, uint64_t *table);
/* The entries of the table from `index` on, up to where they end in the cache: *count of them. */
int tables_entries(struct image *img, uint64_t table, uint64_t index, uint8_t **p, uint64_t *count);
/* A new table, of zeros; what refers to it is written by a later stage of the flush. */
int tables_add(struct image *img, uint64_t root, uint64_t index);
/* Kind and place of what an entry says, checked. */
int tables_decode(struct image *img, uint64_t raw, struct block_map *m);

#endif
