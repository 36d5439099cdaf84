/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the partition table of a disk: GPT (UEFI Specification, chapter 5) or MBR. */
/* Believes nothing that it reads, and changes nothing. */
#ifndef DRIVERS_BLOCK_PARTITION_H
#define DRIVERS_BLOCK_PARTITION_H

#include "drivers/block/block.h"

#define PARTITION_MAX  128u
#define PARTITION_NAME 37u /* bytes: a GPT name, what is not ASCII as '?' */

enum partition_scheme { PARTITION_NO_TABLE, PARTITION_MBR, PARTITION_GPT };

struct partition {
	unsigned int number; /* as Linux counts: GPT by entry, MBR 1-4, logical ones from 5 */
	uint64_t off;	     /* bytes */
	uint64_t size;	     /* bytes, not 0; [off, off + size) lies on the disk */
	uint8_t mbr_type;
	uint8_t gpt_type[16]; /* GUID as on the disk */
	char name[PARTITION_NAME];
};

struct partition_table {
	enum partition_scheme scheme;
	bool backup;	    /* GPT: the first copy is damaged, this is the other one */
	unsigned int count; /* no two of them overlap */
	struct partition part[PARTITION_MAX]; /* in the table's order */
};

/*
 * 0: *out is what the disk says; a disk without any table has no partitions. -EINVAL: there is one, but it
 * is damaged, and *why, static, says how; -ENOMEM; or what reading returned. A thread; sleeps if d does.
 */
int partition_read(struct block_dev *d, struct partition_table *out, const char **why);
/* NULL: there is none of that number. */
const struct partition *partition_find(const struct partition_table *t, unsigned int number);

#endif
