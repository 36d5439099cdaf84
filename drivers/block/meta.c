/* SPDX-License-Identifier: BSD-2-Clause */
/* The metadata cache: a fixed number of blocks, hashed by offset, the least recently used one goes. */
/* A changed block never goes alone: all are written then, in order, so that no order can be broken. */
#include "drivers/block/meta.h"

#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define PART_ORDER 4u /* allocating zeroes it in one go, masked */
#define PART_BYTES (PAGE_SIZE << PART_ORDER)
#define PARTS	   4u
#define DATA_BYTES (PARTS * PART_BYTES) /* 256 KiB for each image, whatever the image says */
#define NONE	   UINT16_MAX
#define BUCKETS	   64u

struct block {
	uint64_t off;
	uint64_t used; /* when, for the choice of the one to go */
	uint16_t next; /* in the bucket */
	uint8_t kind;
	bool dirty;
	bool valid;
};

struct meta {
	struct block_file *file; /* (c) */
	uint8_t *data[PARTS];	 /* (c) count blocks of block_size, in all */
	uint32_t block_size;	 /* (c) */
	uint32_t count;		 /* (c) */
	uint32_t dirty[META_KINDS];
	uint64_t clock;
	uint16_t bucket[BUCKETS];
	struct block block[];
};

struct meta *meta_new(struct block_file *file, uint32_t unit)
{
	uint32_t block_size = (uint32_t)u64_min(unit, META_BLOCK_MAX);
	uint32_t count = (uint32_t)(DATA_BYTES / block_size);
	struct meta *m = heap_alloc(sizeof(*m) + count * sizeof(m->block[0]));

	BUG_ON(block_size < BLOCK_SECTOR);
	if (m == NULL) {
		return NULL;
	}
	for (unsigned int i = 0; i < PARTS; i++) {
		m->data[i] = page_alloc(PART_ORDER);
		if (m->data[i] == NULL) {
			meta_free(m);
			return NULL;
		}
		thread_checkpoint();
	}
	m->file = file;
	m->block_size = block_size;
	m->count = count;
	memset(m->bucket, 0xff, sizeof(m->bucket));
	return m;
}

void meta_free(struct meta *m)
{
	if (m != NULL) {
		for (unsigned int i = 0; i < PARTS && m->data[i] != NULL; i++) {
			page_free(m->data[i], PART_ORDER);
		}
		heap_free(m);
	}
}

uint32_t meta_block_size(const struct meta *m)
{
	return m->block_size;
}

static uint8_t *bytes_of(const struct meta *m, const struct block *b)
{
	size_t at = (size_t)(b - m->block) * m->block_size;

	return m->data[at / PART_BYTES] + at % PART_BYTES;
}

static uint16_t *bucket_of(struct meta *m, uint64_t off)
{
	return &m->bucket[off / m->block_size % BUCKETS];
}

static struct block *find(struct meta *m, uint64_t off)
{
	for (uint16_t i = *bucket_of(m, off); i != NONE; i = m->block[i].next) {
		if (m->block[i].off == off) {
			return &m->block[i];
		}
	}
	return NULL;
}

static void drop(struct meta *m, struct block *b)
{
	uint16_t *link = bucket_of(m, b->off);

	while (*link != b - m->block) {
		link = &m->block[*link].next;
	}
	*link = b->next;
	m->dirty[b->kind] -= b->dirty;
	*b = (struct block){ .valid = false };
}

static int write_kind(struct meta *m, unsigned int kind)
{
	for (uint32_t i = 0; i < m->count && m->dirty[kind] > 0; i++) {
		struct block *b = &m->block[i];
		int r;

		if (!b->dirty || b->kind != kind) {
			continue;
		}
		r = block_file_write(m->file, b->off, bytes_of(m, b), m->block_size);
		if (r) {
			return r;
		}
		b->dirty = false;
		m->dirty[kind]--;
	}
	return 0;
}

int meta_flush(struct meta *m)
{
	int r = 0;

	for (unsigned int kind = 0; r == 0 && kind < META_KINDS; kind++) {
		if (m->dirty[kind] == 0) {
			continue;
		}
		/* What this kind refers to, and the data, before it. */
		r = kind == META_REFS ? 0 : block_file_flush(m->file);
		if (r == 0) {
			r = write_kind(m, kind);
		}
	}
	return r ? r : block_file_flush(m->file);
}

bool meta_is_clean(const struct meta *m)
{
	uint32_t dirty = 0;

	for (unsigned int kind = 0; kind < META_KINDS; kind++) {
		dirty += m->dirty[kind];
	}
	return dirty == 0;
}

/* A block to be filled: an unused one, or the clean one that was not used for longest. */
static struct block *victim(struct meta *m)
{
	struct block *best = NULL;

	for (uint32_t i = 0; i < m->count; i++) {
		struct block *b = &m->block[i];

		if (!b->valid) {
			return b;
		}
		if (!b->dirty && (best == NULL || b->used < best->used)) {
			best = b;
		}
	}
	if (best != NULL) {
		drop(m, best);
	}
	return best;
}

static int load(struct meta *m, uint64_t off, enum meta_kind kind, struct block **out)
{
	struct block *b = victim(m);
	uint16_t *bucket;
	int r;

	if (b == NULL) {
		r = meta_flush(m);
		if (r) {
			return r;
		}
		b = victim(m);
	}
	r = block_file_read(m->file, off, bytes_of(m, b), m->block_size);
	if (r) {
		return r;
	}
	bucket = bucket_of(m, off);
	*b = (struct block){ .off = off, .kind = (uint8_t)kind, .valid = true, .next = *bucket };
	*bucket = (uint16_t)(b - m->block);
	*out = b;
	return 0;
}

int meta_get(struct meta *m, uint64_t off, enum meta_kind kind, uint8_t **p)
{
	uint64_t start = ALIGN_DOWN(off, (uint64_t)m->block_size);
	struct block *b = find(m, start);
	int r = b != NULL ? 0 : load(m, start, kind, &b);

	if (r) {
		return r;
	}
	/* One sector cannot be two tables: only an image that is wrong asks for that. */
	if (unlikely(b->kind != kind)) {
		return -EIO;
	}
	b->used = ++m->clock;
	*p = bytes_of(m, b) + (off - start);
	return 0;
}

void meta_dirty(struct meta *m, const uint8_t *p)
{
	unsigned int part = 0;
	struct block *b;

	while (p < m->data[part] || p >= m->data[part] + PART_BYTES) {
		part++;
	}
	b = &m->block[(part * PART_BYTES + (size_t)(p - m->data[part])) / m->block_size];
	m->dirty[b->kind] += !b->dirty;
	b->dirty = true;
}

void meta_forget(struct meta *m, uint64_t off, uint64_t len)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct block *b = &m->block[i];

		if (b->valid && b->off + m->block_size > off && b->off < off + len) {
			drop(m, b);
		}
	}
}
