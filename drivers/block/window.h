/* SPDX-License-Identifier: BSD-2-Clause */
/* A part of a block device as a block device of its own: a partition, or the whole disk. */
/* Which parts do not overlap is the caller's care. */
#ifndef DRIVERS_BLOCK_WINDOW_H
#define DRIVERS_BLOCK_WINDOW_H

#include "drivers/block/block.h"

struct window_params {
	struct block_dev *base; /* stays open, also when the window is closed */
	uint64_t off;		/* bytes, whole sectors */
	uint64_t size;
	bool readonly;
	void (*closed)(void *arg); /* NULL or: block_close is done with it */
	void *arg;
};

/* NULL: no memory. */
struct block_dev *window_open(const struct window_params *p);

#endif
