/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of an image that requests are busy with: readers and in-place writers side by side, */
/* whoever changes the map of a cluster alone. All inside the image's monitor. */
#ifndef DRIVERS_BLOCK_SPAN_H
#define DRIVERS_BLOCK_SPAN_H

#include "drivers/block/format.h"

struct span { /* lives on the stack of the request */
	struct list_node node;
	uint64_t start;
	uint64_t end;
	bool exclusive;
};

/* True if no other span is in the way of [start, end). */
bool span_free(struct image *img, uint64_t start, uint64_t end, bool exclusive);
void span_begin(struct image *img, struct span *s, uint64_t start, uint64_t end, bool exclusive);
/* Waits until the way is free, then begins. What was looked up before is stale. */
void span_wait_begin(struct image *img, struct span *s, uint64_t start, uint64_t end,
		     bool exclusive);
/* Enters the monitor for the moment. */
void span_end(struct image *img, struct span *s);

#endif
