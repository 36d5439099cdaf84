/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits of the pages given away, for each 2 MiB in which there are some; chunks that leave, or wait to */
/* come back. Asks nobody to flush. */
#include "hv/gpa_balloon.h"

#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/list.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define PAGES	     (PAGE_CHUNK_SIZE / PAGE_SIZE)
#define REAP_AT_ONCE 16u

struct block {		 /* 2 MiB of RAM of which pages are, or were, in the balloon */
	hpa_t hpa;	 /* its chunk; .v = 0: it has none */
	uint64_t leaves; /* 0, or its chunk leaves when the space is clean of that generation */
	struct list_node node; /* in leaving */
	uint32_t given;	       /* members of map */
	uint64_t map[PAGES / 64];
};

struct spare {
	struct list_node node;
	hpa_t hpa;
};

struct gpa_balloon { /* [space's lock], but for looks that do not matter */
	uint64_t pages;
	struct list_node leaving; /* in the order of generations */
	struct list_node spare;
	struct block *block[]; /* NULL: as it was when the VM started */
};

/* ---- blocks ---- */

static uint64_t number_of(const struct gpa_space *s, gpa_t gpa)
{
	uint64_t off = gpa.v < GPA_HIGH_RAM ? gpa.v : s->low_size + (gpa.v - GPA_HIGH_RAM);

	return off / PAGE_CHUNK_SIZE;
}

static struct block *find(const struct gpa_space *s, gpa_t gpa)
{
	return __atomic_load_n(&s->balloon->block[number_of(s, gpa)], __ATOMIC_ACQUIRE);
}

static uint64_t page_in_block(gpa_t gpa)
{
	return gpa.v % PAGE_CHUNK_SIZE / PAGE_SIZE;
}

static bool is_given(const struct block *b, uint64_t page)
{
	return (__atomic_load_n(&b->map[page / 64], __ATOMIC_RELAXED) >> page % 64 & 1) != 0;
}

static void flip(struct gpa_space *s, struct block *b, uint64_t page, bool given)
{
	__atomic_fetch_xor(&b->map[page / 64], BIT(page % 64), __ATOMIC_RELAXED);
	b->given += given ? 1u : -1u;
	s->balloon->pages += given ? 1u : -1ul;
}

bool gpa_space_chunk(const struct gpa_space *s, gpa_t gpa, hpa_t *chunk)
{
	const struct block *b = s->balloon != NULL ? find(s, gpa) : NULL;

	if (b != NULL) {
		*chunk = b->hpa;
		return b->hpa.v != 0;
	}
	for (unsigned int i = 0; i < s->count; i++) {
		const struct gpa_extent *e = &s->extents[i];

		if (range_within(gpa.v - e->gpa.v, 1, e->size)) {
			*chunk = hpa_add(e->hpa, ALIGN_DOWN(gpa.v - e->gpa.v, PAGE_CHUNK_SIZE));
			return true;
		}
	}
	return false;
}

/*
 * A visitor is counted before it looks, a chunk leaves before visitors are counted (gpa_balloon_reap):
 * either it sees that the chunk leaves, or it is waited for. One that comes while the chunk goes sees that
 * it leaves, or else, looking in the other order than it is written there, that it has gone.
 */
void gpa_space_visit(struct gpa_space *s)
{
	__atomic_fetch_add(&s->visitors, 1, __ATOMIC_SEQ_CST);
}

void gpa_space_leave(struct gpa_space *s)
{
	__atomic_fetch_sub(&s->visitors, 1, __ATOMIC_RELEASE);
}

bool gpa_space_visit_chunk(const struct gpa_space *s, gpa_t gpa, hpa_t *chunk)
{
	const struct block *b =
		__atomic_load_n(&s->balloon, __ATOMIC_ACQUIRE) != NULL ? find(s, gpa) : NULL;

	if (b == NULL) {
		return gpa_space_chunk(s, gpa, chunk);
	}
	if (__atomic_load_n(&b->leaves, __ATOMIC_SEQ_CST) != 0) {
		return false;
	}
	chunk->v = __atomic_load_n(&b->hpa.v, __ATOMIC_SEQ_CST);
	return chunk->v != 0;
}

/* As find; makes it. NULL: out of memory. */
static struct block *block_at(struct gpa_space *s, gpa_t gpa)
{
	struct block *b = find(s, gpa);

	if (b == NULL) {
		b = heap_alloc(sizeof(*b));
		if (b == NULL || !gpa_space_chunk(s, gpa, &b->hpa)) {
			heap_free(b);
			return NULL;
		}
		__atomic_store_n(&s->balloon->block[number_of(s, gpa)], b, __ATOMIC_RELEASE);
	}
	return b;
}

int gpa_balloon_create(struct gpa_space *s)
{
	uint64_t blocks = s->size / PAGE_CHUNK_SIZE;
	struct gpa_balloon *balloon;

	if (s->balloon != NULL) {
		return 0;
	}
	balloon = heap_alloc(sizeof(*balloon) + blocks * sizeof(balloon->block[0]));
	if (balloon == NULL || paging_space_make_sink(&s->root) != 0) {
		heap_free(balloon);
		return -ENOMEM;
	}
	list_init(&balloon->leaving);
	list_init(&balloon->spare);
	__atomic_store_n(&s->balloon, balloon, __ATOMIC_RELEASE);
	return 0;
}

/* ---- host memory ---- */

static void free_chunk(struct gpa_space *s, hpa_t chunk)
{
	s->held -= PAGE_CHUNK_SIZE;
	page_free_chunks(chunk, 1);
}

bool gpa_balloon_drop_spare(struct gpa_space *s)
{
	struct spare *spare = NULL;

	spin_lock(&s->lock);
	if (!list_empty(&s->balloon->spare)) {
		spare = container_of(s->balloon->spare.next, struct spare, node);
		list_remove(&spare->node);
		free_chunk(s, spare->hpa);
	}
	spin_unlock(&s->lock);
	heap_free(spare);
	return spare != NULL;
}

/* What a VM holds is never more than what the host has given: counted later, and taken off first. */
static int take_chunk(struct gpa_space *s, hpa_t *chunk)
{
	int err = 0;

	spin_lock(&s->lock);
	if (s->held >= s->size) {
		err = -EBUSY;
	} else if (page_alloc_chunks(1, chunk) == 0) {
		err = -ENOSPC;
	} else {
		s->held += PAGE_CHUNK_SIZE;
	}
	spin_unlock(&s->lock);
	return err;
}

int gpa_balloon_add_spare(struct gpa_space *s)
{
	struct spare *spare = heap_alloc(sizeof(*spare));
	int err = spare != NULL ? take_chunk(s, &spare->hpa) : -ENOSPC;

	if (err != 0) {
		heap_free(spare);
		return err;
	}
	gpa_space_scrub_chunk(spare->hpa);
	spin_lock(&s->lock);
	list_push_back(&s->balloon->spare, &spare->node);
	spin_unlock(&s->lock);
	return 0;
}

bool gpa_balloon_reap(struct gpa_space *s)
{
	struct list_node *leaving = &s->balloon->leaving;
	unsigned int n = 0;
	bool more;

	spin_lock(&s->lock);
	for (; n < REAP_AT_ONCE && !list_empty(leaving); n++) {
		struct block *b = container_of(leaving->next, struct block, node);

		if (!paging_space_is_clean(&s->root, b->leaves)) {
			break;
		}
		if (__atomic_load_n(&s->visitors, __ATOMIC_SEQ_CST) != 0) {
			n = REAP_AT_ONCE; /* gone before one could look twice */
			break;
		}
		list_remove(&b->node);
		free_chunk(s, b->hpa);
		__atomic_store_n(&b->hpa.v, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&b->leaves, 0, __ATOMIC_SEQ_CST);
	}
	more = n == REAP_AT_ONCE;
	spin_unlock(&s->lock);
	return more;
}

/* ---- pages ---- */

static bool leave(struct gpa_space *s, struct block *b, gpa_t gpa)
{
	if (paging_space_unmap(&s->root, gpa) != 0) {
		return false; /* the VM keeps the memory */
	}
	__atomic_store_n(&b->leaves, s->root.generation, __ATOMIC_SEQ_CST);
	list_push_back(&s->balloon->leaving, &b->node);
	return true;
}

enum gpa_taken gpa_balloon_take(struct gpa_space *s, gpa_t page)
{
	enum gpa_taken taken = GPA_TAKEN_NOT;
	struct block *b;

	spin_lock(&s->lock);
	b = block_at(s, page);
	if (b != NULL && !is_given(b, page_in_block(page))) {
		flip(s, b, page_in_block(page), true);
		taken = b->given == PAGES && leave(s, b, page) ? GPA_TAKEN_CHUNK : GPA_TAKEN;
	} else if (b != NULL) {
		taken = GPA_TAKEN;
	}
	spin_unlock(&s->lock);
	return taken;
}

/* The chunk that has just left, or a spare one. */
static int attach(struct gpa_space *s, struct block *b, gpa_t gpa)
{
	struct list_node *spares = &s->balloon->spare;
	struct spare *spare = NULL;

	if (b->hpa.v == 0) {
		if (list_empty(spares)) {
			return -EAGAIN;
		}
		spare = container_of(spares->next, struct spare, node);
		b->hpa = spare->hpa;
		list_remove(&spare->node);
		heap_free(spare);
	} else if (b->leaves == 0) {
		return 0;
	} else {
		list_remove(&b->node);
		b->leaves = 0;
	}
	/* The table for it is there. */
	return paging_space_map(&s->root, (gpa_t){ ALIGN_DOWN(gpa.v, PAGE_CHUNK_SIZE) }, b->hpa,
				PAGE_CHUNK_SIZE);
}

static void zero_page(hpa_t hpa)
{
	uint64_t off = hpa.v % PAGE_CHUNK_SIZE;
	char *window = paging_window((hpa_t){ hpa.v - off });

	memset(window + off, 0, PAGE_SIZE);
	paging_window_close();
}

static int give(struct gpa_space *s, gpa_t page, hpa_t *hpa)
{
	struct block *b = find(s, page);
	uint64_t n = page_in_block(page);
	hpa_t chunk;
	int err;

	if (b == NULL || !is_given(b, n)) {
		*hpa = gpa_space_chunk(s, page, &chunk) ? hpa_add(chunk, n * PAGE_SIZE)
							: (hpa_t){ 0 };
		return 0;
	}
	err = attach(s, b, page);
	if (err == 0) {
		*hpa = hpa_add(b->hpa, n * PAGE_SIZE);
		zero_page(*hpa);
		flip(s, b, n, false);
	}
	return err;
}

int gpa_balloon_give(struct gpa_space *s, gpa_t page, hpa_t *hpa)
{
	int err;

	spin_lock(&s->lock);
	err = give(s, page, hpa);
	spin_unlock(&s->lock);
	return err;
}

bool gpa_balloon_attach(struct gpa_space *s, gpa_t gpa)
{
	struct block *b;
	bool there;

	spin_lock(&s->lock);
	b = find(s, gpa);
	there = b != NULL && attach(s, b, gpa) == 0;
	spin_unlock(&s->lock);
	return there;
}

/* ---- looking ---- */

/* The first page of [from, to) that was given away; to: none. */
static uint64_t first_given(const struct block *b, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t bits = __atomic_load_n(&b->map[from / 64], __ATOMIC_RELAXED) >> from % 64;

		if (bits != 0) {
			return u64_min(from + (uint64_t)__builtin_ctzll(bits), to);
		}
		from = (from | 63) + 1;
	}
	return to;
}

bool gpa_balloon_is_whole(const struct gpa_space *s, gpa_t gpa, uint64_t len, gpa_t *first)
{
	uint64_t end = gpa.v + len;

	while (gpa.v < end) {
		uint64_t base = ALIGN_DOWN(gpa.v, PAGE_CHUNK_SIZE);
		uint64_t to = u64_min(end - base, PAGE_CHUNK_SIZE);
		const struct block *b = find(s, gpa);

		to = ALIGN_UP(to, PAGE_SIZE) / PAGE_SIZE;
		if (b != NULL && __atomic_load_n(&b->given, __ATOMIC_RELAXED) != 0) {
			uint64_t page = first_given(b, page_in_block(gpa), to);

			if (page < to) {
				first->v = base + page * PAGE_SIZE;
				return false;
			}
		}
		gpa.v = base + PAGE_CHUNK_SIZE;
	}
	return true;
}

const uint64_t *gpa_balloon_map(const struct gpa_space *s, gpa_t gpa)
{
	const struct block *b = s->balloon != NULL ? find(s, gpa) : NULL;

	return b != NULL ? b->map : NULL;
}

uint64_t gpa_balloon_size(const struct gpa_space *s)
{
	return s->balloon != NULL ? s->balloon->pages * PAGE_SIZE : 0;
}

/* ---- the end ---- */

void gpa_balloon_destroy(struct gpa_space *s)
{
	struct gpa_balloon *balloon = s->balloon;

	if (balloon == NULL) {
		return;
	}
	while (gpa_balloon_drop_spare(s)) {
		thread_checkpoint();
	}
	for (uint64_t i = 0; i < s->size / PAGE_CHUNK_SIZE; i++) {
		heap_free(balloon->block[i]);
		thread_checkpoint();
	}
	s->balloon = NULL;
	heap_free(balloon);
}
