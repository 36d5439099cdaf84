/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of what is under way: as many as there are requests, so walking it is cheap. */
/* Does not know what a request does. */
#include "drivers/block/span.h"

bool span_free(struct image *img, uint64_t start, uint64_t end, bool exclusive)
{
	struct list_node *it;

	list_for_each (it, &img->spans) {
		const struct span *s = container_of(it, struct span, node);

		if (s->start < end && start < s->end && (exclusive || s->exclusive)) {
			return false;
		}
	}
	return true;
}

void span_begin(struct image *img, struct span *s, uint64_t start, uint64_t end, bool exclusive)
{
	s->start = start;
	s->end = end;
	s->exclusive = exclusive;
	list_push_back(&img->spans, &s->node);
}

void span_wait_begin(struct image *img, struct span *s, uint64_t start, uint64_t end,
		     bool exclusive)
{
	while (!span_free(img, start, end, exclusive)) {
		monitor_wait(&img->monitor);
	}
	span_begin(img, s, start, end, exclusive);
}

void span_end(struct image *img, struct span *s)
{
	monitor_enter(&img->monitor);
	list_remove(&s->node);
	monitor_wake_all(&img->monitor);
	monitor_leave(&img->monitor);
}
