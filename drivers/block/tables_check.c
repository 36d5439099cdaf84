/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks an image of tables: where entries lead, whether clusters lie on each other, whether copies */
/* of tables are copies. Repairs copies only: which of two clusters is right, nobody can know. */
#include "drivers/block/tables.h"

#include "drivers/block/meta.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define PART_ORDER 4u /* allocating zeroes it in one go, masked */
#define PART	   ((PAGE_SIZE << PART_ORDER) / sizeof(uint32_t)) /* slots */
#define PARTS	   16u
#define WINDOW_MAX ((uint64_t)PARTS * PART) /* slots looked at in one walk; 1 MiB */

/*
 * The file in slots as large as a cluster. Of clusters that do not overlap, at most one begins in each
 * slot, and those in neighbouring slots begin at least a cluster apart.
 */
struct overlaps {
	struct image_check *result;
	uint64_t first;	 /* slot of the window, */
	uint64_t window; /* which has as many */
	uint32_t last;	 /* of the window before */
	/* Sector in the slot where a cluster begins, and 1; 0: none does. */
	uint32_t *begin[PARTS];
	struct image_watch watch; /* all walks as one, to */
	const struct image_watch *above;
	uint64_t slots; /* of the file */
};

static struct tables *tables_of(const struct image *img)
{
	return img->state;
}

static uint32_t *begin_of(struct overlaps *o, uint64_t slot)
{
	return &o->begin[slot / PART][slot % PART];
}

static void bad(struct image_check *result, const char *what, uint64_t where)
{
	if (result->corruptions++ == 0) {
		fmt_snprintf(result->first.text, sizeof(result->first.text), "%s %lx", what, where);
	}
}

/* image_corrupt() has said what is wrong. */
static int bad_entry(struct image *img, struct image_check *result)
{
	if (result->corruptions++ == 0) {
		result->first = img->why;
	}
	return 0;
}

/* ---- entries ---- */

static int see_entry(struct image *img, uint64_t raw, void *arg)
{
	struct overlaps *o = arg;
	uint64_t cs = img->cluster_size, slot;
	struct block_map m;
	int r = tables_decode(img, raw, &m);

	if (r) {
		return r == -EIO && o->first == 0 ? bad_entry(img, o->result) : 0;
	}
	slot = m.file_off / cs - o->first;
	if (m.kind != BLOCK_DATA || m.file_off / cs < o->first || slot >= o->window) {
		return 0;
	}
	if (*begin_of(o, slot) != 0) {
		bad(o->result, "two clusters lie on each other at", m.file_off);
	}
	*begin_of(o, slot) = (uint32_t)(m.file_off % cs / BLOCK_SECTOR) + 1;
	return 0;
}

/* A cluster that begins earlier in its slot than its neighbour does in the one before lies on it. */
static void see_neighbours(const struct image *img, struct overlaps *o)
{
	for (uint64_t i = 0; i < o->window; i++) {
		uint32_t begin = *begin_of(o, i);

		if (begin != 0 && begin < o->last) {
			bad(o->result, "two clusters lie on each other at",
			    (o->first + i) * img->cluster_size);
		}
		o->last = begin;
		if (i % 4096 == 0) {
			thread_checkpoint();
		}
	}
}

static void free_parts(struct overlaps *o)
{
	for (unsigned int i = 0; i < PARTS && o->begin[i] != NULL; i++) {
		page_free(o->begin[i], PART_ORDER);
	}
}

static int alloc_parts(struct overlaps *o)
{
	for (uint64_t i = 0; i * PART < o->window; i++) {
		o->begin[i] = page_alloc(PART_ORDER);
		if (o->begin[i] == NULL) {
			return -ENOMEM;
		}
		thread_checkpoint();
	}
	return 0;
}

static void clear_parts(struct overlaps *o)
{
	for (unsigned int i = 0; i < PARTS && o->begin[i] != NULL; i++) {
		memset(o->begin[i], 0, PART * sizeof(uint32_t));
		thread_checkpoint();
	}
}

static bool step(void *arg, uint64_t done, uint64_t total)
{
	struct overlaps *o = arg;
	uint64_t walk = o->first / o->window, walks = (o->slots + o->window - 1) / o->window;

	return o->above->step(o->above->arg, walk * total + done, walks * total);
}

static int check_entries(struct image *img, struct image_check *result)
{
	uint64_t slots = img->file->size / img->cluster_size + 1;
	struct overlaps o = { .result = result,
			      .window = u64_min(slots, WINDOW_MAX),
			      .watch = { .step = step, .arg = &o },
			      .above = img->watch,
			      .slots = slots };
	int r = alloc_parts(&o);

	img->watch = img->watch != NULL ? &o.watch : NULL;
	for (; r == 0 && o.first < slots; o.first += o.window) {
		clear_parts(&o);
		r = tables_for_each(img, see_entry, &o);
		see_neighbours(img, &o);
	}
	img->watch = o.above;
	free_parts(&o);
	if (r == -EIO && img->broken) { /* a first-level entry: what is behind it cannot be seen */
		return bad_entry(img, result);
	}
	return r;
}

/* ---- copies ---- */

/* Compares BLOCK_SECTOR bytes of entries from index on; *n of them. */
static int same_entries(struct image *img, uint64_t table, uint64_t twin, uint64_t index,
			bool repair, bool *same, uint64_t *n)
{
	struct tables *t = tables_of(img);
	uint8_t want[BLOCK_SECTOR], *p;
	uint64_t count;
	int r = tables_entries(img, table, index, &p, n);

	*n = r ? 0 : u64_min(*n, sizeof(want) / t->entry_size);
	memcpy(want, r ? want : p, *n * t->entry_size);
	r = r ? r : tables_entries(img, twin, index, &p, &count);
	if (r) {
		return r;
	}
	*n = u64_min(*n, count);
	*same = memcmp(p, want, *n * t->entry_size) == 0;
	if (!*same && repair) {
		memcpy(p, want, *n * t->entry_size);
		meta_dirty(img->meta, p);
	}
	return 0;
}

/* The tables for the clusters from index on. */
static int check_pair(struct image *img, uint64_t index, bool repair, struct image_check *result)
{
	struct tables *t = tables_of(img);
	uint64_t table, twin = 0, n;
	bool differ = false, same;
	int r = tables_find(img, t->root, index, &table);

	if (r || table == 0) {
		return r == -EIO ? bad_entry(img, result) : r;
	}
	if (tables_find(img, t->root_twin, index, &twin) || twin == 0 || twin == table) {
		differ = true;
		if (repair) {
			r = tables_add(img, t->root_twin, index);
			r = r ? r : tables_find(img, t->root_twin, index, &twin);
		}
	}
	for (uint64_t i = 0; r == 0 && (repair || !differ) && i < t->entries; i += n) {
		r = same_entries(img, table, twin, index + i, repair, &same, &n);
		differ |= r == 0 && !same;
	}
	if (differ) {
		bad(result, "a table differs from its copy, for the disk from",
		    index * img->cluster_size);
		result->fixed += repair && r == 0;
	}
	return r;
}

int tables_check_twins(struct image *img, bool repair, struct image_check *result)
{
	struct tables *t = tables_of(img);
	int r = 0;

	for (uint64_t i = 0; r == 0 && t->root_twin && i < t->root_entries; i++) {
		r = check_pair(img, i * t->entries, repair, result);
		thread_checkpoint();
	}
	return r;
}

int tables_check(struct image *img, bool repair, struct image_check *result)
{
	int r = check_entries(img, result);

	r = r ? r : tables_check_twins(img, repair, result);
	return r == 0 && result->fixed ? meta_flush(img->meta) : r;
}
