/* SPDX-License-Identifier: BSD-2-Clause */
/* One command to a disk and its data, which goes by way of a buffer that DMA reaches. */
/* What the command says is its driver's. */
#ifndef DRIVERS_HOST_DISK_JOB_H
#define DRIVERS_HOST_DISK_JOB_H

#include "drivers/block/block.h"

struct disk_job {
	const void *command;	   /* the driver's */
	const struct block_vec *v; /* data; NULL: zeros */
	unsigned int n;
	uint32_t bytes; /* of data, at most what a buffer holds; 0: none */
	bool reads;
	bool alone; /* no other command may be under way */
};

/* Before the command: what it writes, if it does. */
void disk_job_fill(const struct disk_job *j, uint8_t *buffer);
/* After it: what it read, if it did. */
void disk_job_take(const struct disk_job *j, const uint8_t *buffer);

#endif
