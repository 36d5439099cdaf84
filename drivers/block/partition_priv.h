/* SPDX-License-Identifier: BSD-2-Clause */
/* What partition.c and partition_gpt.c share. */
/* The contract is partition.h. */
#ifndef DRIVERS_BLOCK_PARTITION_PRIV_H
#define DRIVERS_BLOCK_PARTITION_PRIV_H

#include "drivers/block/partition.h"

/* One read that is under way. */
struct partition_reader {
	struct block_dev *d;
	struct partition_table *out;
	const char *why;
	uint64_t sectors; /* of the disk */
	uint8_t sector[BLOCK_SECTOR];
};

/* Reads a sector into r->sector. */
int partition_sector(struct partition_reader *r, uint64_t lba);
/* -EINVAL, and why. */
int partition_damaged(struct partition_reader *r, const char *why);
/* A new entry for sectors [first, first + count); NULL, with why: not on the disk, or overlaps. */
struct partition *partition_add(struct partition_reader *r, unsigned int number, uint64_t first,
				uint64_t count);

int partition_gpt_read(struct partition_reader *r);

#endif
