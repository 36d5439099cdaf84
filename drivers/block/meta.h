/* SPDX-License-Identifier: BSD-2-Clause */
/* A cache of an image's metadata, written back in the order that a power cut demands. */
/* Knows blocks of bytes, not what they mean; the image's monitor guards it. */
#ifndef DRIVERS_BLOCK_META_H
#define DRIVERS_BLOCK_META_H

#include "drivers/block/block.h"

/*
 * In the order in which they reach the disk, each kind durable before the next is begun: first the
 * data and what says that a place is taken, then what refers to the place.
 */
enum meta_kind {
	META_REFS,  /* which places are taken: reference counts */
	META_INDEX, /* where those are */
	META_MAP,   /* last level: which place holds which part of the disk */
	META_ROOT,  /* first level: where the last ones are */
	META_KINDS,
};

#define META_BLOCK_MAX PAGE_SIZE

struct meta;

/* For tables in units of `unit` bytes (power of two, at least a sector). NULL: no memory. */
struct meta *meta_new(struct block_file *file, uint32_t unit);
/* Unwritten changes are lost: meta_flush first. m may be NULL. */
void meta_free(struct meta *m);

/* Bytes in a block: a table's run of entries ends where its block does. */
uint32_t meta_block_size(const struct meta *m);
/* The bytes at off, up to the end of their block. *p is valid until the next call of meta_get. */
int meta_get(struct meta *m, uint64_t off, enum meta_kind kind, uint8_t **p);
/* p, got by meta_get, was changed. */
void meta_dirty(struct meta *m, const uint8_t *p);
/* The bytes are no metadata any more, or were written past the cache: nothing of them is kept. */
void meta_forget(struct meta *m, uint64_t off, uint64_t len);
/* Writes all changes in their order and flushes the file; everything written earlier is durable. */
int meta_flush(struct meta *m);
bool meta_is_clean(const struct meta *m);

#endif
