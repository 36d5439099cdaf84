/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: chunks from the page allocator, scrubbed, listed as extents, mapped for root mode. */
/* Knows no second-level table. */
#include "hv/gpa_space.h"

#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SCRUB_SLICE (64 * KIB) /* 8,192 iterations of REP STOSQ between checkpoints */

/* A sleep in the middle may move us to another CPU: the window is opened anew for each slice. */
void gpa_space_scrub_chunk(hpa_t chunk)
{
	for (uint64_t off = 0; off < PAGE_CHUNK_SIZE; off += SCRUB_SLICE) {
		char *window = paging_window(chunk);

		memset(window + off, 0, SCRUB_SLICE);
		paging_window_close();
		thread_checkpoint();
	}
}

static void scrub_extent(const struct gpa_extent *e)
{
	for (uint64_t off = 0; off < e->size; off += PAGE_CHUNK_SIZE) {
		gpa_space_scrub_chunk(hpa_add(e->hpa, off));
	}
}

void gpa_space_scrub(struct gpa_space *s)
{
	for (unsigned int i = 0; i < s->count; i++) {
		scrub_extent(&s->extents[i]);
	}
}

/* Guest-physical address of byte `off` of the RAM. */
static gpa_t gpa_of(const struct gpa_space *s, uint64_t off)
{
	return (gpa_t){ off < s->low_size ? off : GPA_HIGH_RAM + (off - s->low_size) };
}

/* The last extent if what is at hpa continues it, else one more; NULL if there is no room. */
static struct gpa_extent *extent_for(struct gpa_space *s, gpa_t gpa, hpa_t hpa)
{
	struct gpa_extent *last = s->count > 0 ? &s->extents[s->count - 1] : NULL;

	if (last != NULL && last->gpa.v + last->size == gpa.v &&
	    last->hpa.v + last->size == hpa.v) {
		return last;
	}
	if (s->count == GPA_EXTENTS_MAX) {
		return NULL;
	}
	last = &s->extents[s->count++];
	*last = (struct gpa_extent){ .gpa = gpa, .hpa = hpa };
	return last;
}

/* Some chunks for the RAM from `*off` on, which is moved past them. */
static int add_chunks(struct gpa_space *s, uint64_t *off)
{
	uint64_t left = (*off < s->low_size ? s->low_size : s->size) - *off;
	struct gpa_extent *e;
	unsigned int got;
	hpa_t hpa;

	got = page_alloc_chunks((unsigned int)(left / PAGE_CHUNK_SIZE), &hpa);
	thread_checkpoint();
	if (got == 0) {
		return -ENOSPC;
	}
	e = extent_for(s, gpa_of(s, *off), hpa);
	if (e == NULL) {
		page_free_chunks(hpa, got);
		return -E2BIG;
	}
	e->size += got * PAGE_CHUNK_SIZE;
	s->held += got * PAGE_CHUNK_SIZE;
	*off += got * PAGE_CHUNK_SIZE;
	return 0;
}

static int allocate(struct gpa_space *s)
{
	for (uint64_t off = 0; off < s->size;) {
		int err = add_chunks(s, &off);

		if (err != 0) {
			return err;
		}
	}
	for (unsigned int i = 0; i < s->count; i++) {
		const struct gpa_extent *e = &s->extents[i];
		int err = paging_space_map(&s->root, e->gpa, e->hpa, e->size);

		if (err != 0) {
			return err;
		}
	}
	return 0;
}

int gpa_space_create(struct gpa_space *s, uint64_t size)
{
	int err;

	memset(s, 0, sizeof(*s));
	spin_init(&s->lock, LOCK_MEMORY);
	s->size = ALIGN_UP(size, PAGE_CHUNK_SIZE);
	s->low_size = u64_min(s->size, GPA_LOW_RAM_MAX);
	s->extents = heap_alloc(GPA_EXTENTS_MAX * sizeof(*s->extents));
	err = s->extents != NULL ? paging_space_create(&s->root) : -ENOMEM;
	if (err == 0) {
		thread_checkpoint();
		err = allocate(s);
	}
	thread_checkpoint();
	if (err != 0) {
		gpa_space_destroy(s);
		return err;
	}
	gpa_space_scrub(s);
	return 0;
}

static void free_extent(const struct gpa_extent *e)
{
	const uint64_t slice = PAGE_CHUNKS_AT_ONCE * PAGE_CHUNK_SIZE;

	for (uint64_t off = 0; off < e->size; off += slice) {
		page_free_chunks(hpa_add(e->hpa, off),
				 (unsigned int)(u64_min(e->size - off, slice) / PAGE_CHUNK_SIZE));
		thread_checkpoint();
	}
}

/* Chunk by chunk: some have gone, others are not where they were. */
static void free_what_is_left(struct gpa_space *s)
{
	for (uint64_t off = 0; off < s->size; off += PAGE_CHUNK_SIZE) {
		hpa_t chunk;

		if (gpa_space_chunk(s, gpa_of(s, off), &chunk)) {
			page_free_chunks(chunk, 1);
		}
		thread_checkpoint();
	}
}

void gpa_space_destroy(struct gpa_space *s)
{
	if (s->balloon != NULL) {
		free_what_is_left(s);
		gpa_balloon_destroy(s);
		s->count = 0;
	}
	for (unsigned int i = 0; i < s->count; i++) {
		free_extent(&s->extents[i]);
	}
	paging_space_destroy(&s->root);
	heap_free(s->extents);
	memset(s, 0, sizeof(*s));
}

uint64_t gpa_space_held(struct gpa_space *s)
{
	uint64_t held;

	spin_lock(&s->lock);
	held = s->held;
	spin_unlock(&s->lock);
	return held;
}

bool gpa_space_is_ram(const struct gpa_space *s, gpa_t gpa, uint64_t len)
{
	if (gpa.v >= GPA_HIGH_RAM) {
		return range_within(gpa.v - GPA_HIGH_RAM, len, s->size - s->low_size);
	}
	if (!range_within(gpa.v, len, s->low_size)) {
		return false;
	}
	return gpa.v + len <= GPA_VGA_HOLE || gpa.v >= GPA_VGA_END;
}
