/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of any length in pieces that a disk takes at once: one after another, the first error ends it. */
/* What a piece is on the disk is the driver's. */
#ifndef DRIVERS_HOST_DISK_PIECES_H
#define DRIVERS_HOST_DISK_PIECES_H

#include "drivers/block/block.h"

struct disk_piece {
	uint64_t off;		   /* bytes */
	uint64_t len;		   /* bytes, at most the driver's maximum */
	const struct block_vec *v; /* data; NULL: a range without */
	unsigned int n;
	bool write;
};

/* Sleeps; 0 or -Exxx. */
typedef int disk_piece_fn(struct block_dev *d, const struct disk_piece *p);

/* Threads; checkpoints in between. max: bytes, whole sectors. 0, or what fn returned last. */
int disk_pieces_move(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n,
		     bool write, uint64_t max, disk_piece_fn *fn);
int disk_pieces_range(struct block_dev *d, uint64_t off, uint64_t len, uint64_t max,
		      disk_piece_fn *fn);

#endif
