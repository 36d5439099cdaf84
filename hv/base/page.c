/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunk owner table and the page bitmap of each hypervisor chunk. */
/* Mapping is arch/paging's; scrubbing guest chunks is their new owner's. */
#include "hv/base/page.h"

#include "arch/paging.h"
#include "boot/boot_info.h"
#include "hv/base/lock.h"
#include "hv/base/panic.h"
#include "hv/lib/bitset.h"
#include "hv/lib/string.h"

#define CHUNK_PAGES    (PAGE_CHUNK_SIZE / PAGE_SIZE)
#define CHUNK_NONE     UINT32_MAX
#define LOW_MEMORY     MIB /* never handed out: firmware data, the trampoline */
#define PAGES_RESERVED 16u /* kept free for page tables, so that growing can always map */
#define CHUNKS_PER_GIB PAGE_CHUNKS_AT_ONCE
#define RUNS_LOOKED_AT 256u /* of free chunks, when none is long enough: the lock is held */

_Static_assert(CHUNKS_PER_GIB *PAGE_CHUNK_SIZE == GIB, "a large page");

enum owner { OWNER_ABSENT, OWNER_FREE, OWNER_GROWING, OWNER_HYPERVISOR, OWNER_GUEST };

struct chunk {
	uint64_t used[CHUNK_PAGES / 64]; /* hypervisor chunks: a bit per page */
	uint16_t free;			 /* hypervisor chunks: pages not used */
	uint8_t owner;
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_PAGE);
static struct chunk *chunks; /* [lock] by hpa / PAGE_CHUNK_SIZE */
static uint32_t chunk_count;
static struct bitset free_chunks; /* [lock] OWNER_FREE */
static struct bitset with_room;	  /* [lock] OWNER_HYPERVISOR with pages not used */
static uint32_t free_count;	  /* [lock] members of free_chunks */
static uint32_t hypervisor_count; /* [lock] chunks */
static uint32_t pages_free;	  /* [lock] in hypervisor chunks */
static struct page_stats stats;	  /* [lock] hypervisor, free, for_guests, PAGE_OTHER are derived */
static uint64_t bootstrap_pages;  /* of the tables here */

static hpa_t chunk_hpa(uint32_t c)
{
	return (hpa_t){ (uint64_t)c * PAGE_CHUNK_SIZE };
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_end)
{
	return a < b_end && b < a + a_size;
}

/* True if the image or a module lies in the chunk. */
static bool chunk_occupied(const struct boot_info *info, uint64_t base)
{
	if (overlaps(base, PAGE_CHUNK_SIZE, 0, LOW_MEMORY) ||
	    overlaps(base, PAGE_CHUNK_SIZE, info->image_start.v, info->image_end.v)) {
		return true;
	}
	for (unsigned int i = 0; i < info->module_count; i++) {
		const struct boot_module *m = &info->modules[i];

		if (overlaps(base, PAGE_CHUNK_SIZE, m->base.v, m->base.v + m->size)) {
			return true;
		}
	}
	return false;
}

/* Calls fn for each whole chunk of RAM that nothing occupies. */
static void for_each_free_chunk(const struct boot_info *info, void (*fn)(uint32_t chunk))
{
	for (unsigned int i = 0; i < info->mem_count; i++) {
		const struct boot_mem *m = &info->mem[i];
		uint64_t c = ALIGN_UP(m->base.v, PAGE_CHUNK_SIZE);

		for (; m->type == BOOT_MEM_RAM && c + PAGE_CHUNK_SIZE <= m->base.v + m->size;
		     c += PAGE_CHUNK_SIZE) {
			if (!chunk_occupied(info, c)) {
				fn((uint32_t)(c / PAGE_CHUNK_SIZE));
			}
		}
	}
}

static uint32_t first_free;

static void note_first(uint32_t c)
{
	if (c < first_free) {
		first_free = c;
	}
}

/* [lock] */
static void give_chunk(uint32_t c)
{
	chunks[c].owner = OWNER_FREE;
	bitset_add(&free_chunks, c);
	free_count++;
}

/* [lock] */
static void take_chunk(uint32_t c, enum owner owner)
{
	chunks[c].owner = (uint8_t)owner;
	bitset_remove(&free_chunks, c);
	free_count--;
}

/* [lock] */
static void make_hypervisor(uint32_t c)
{
	memset(chunks[c].used, 0, sizeof(chunks[c].used));
	chunks[c].owner = OWNER_HYPERVISOR;
	chunks[c].free = CHUNK_PAGES;
	bitset_add(&with_room, c);
	hypervisor_count++;
	pages_free += CHUNK_PAGES;
}

static void measure(const struct boot_info *info)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < info->mem_count; i++) {
		const struct boot_mem *m = &info->mem[i];

		if (m->type == BOOT_MEM_RAM) {
			stats.total += m->size;
			end = u64_max(end, m->base.v + m->size);
		}
	}
	chunk_count = (uint32_t)(end / PAGE_CHUNK_SIZE);
}

/* The tables lie in the first free memory, which is zeroed for them; returns their size. */
static uint64_t place_tables(void)
{
	uint64_t map = bitset_words(chunk_count) * sizeof(uint64_t);
	uint64_t table = chunk_count * sizeof(struct chunk);
	char *at = paging_direct(chunk_hpa(first_free));

	memset(at, 0, table + 2 * map);
	chunks = (struct chunk *)at;
	bitset_init(&free_chunks, (uint64_t *)(at + table), chunk_count);
	bitset_init(&with_room, (uint64_t *)(at + table + map), chunk_count);
	return table + 2 * map;
}

static void set_run(uint32_t c, uint64_t first, uint64_t n, bool used);

/* The tables' own memory is the first that the hypervisor takes. */
static void take_tables(uint64_t size)
{
	bootstrap_pages = ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE;
	for (uint32_t i = 0; i * CHUNK_PAGES < bootstrap_pages; i++) {
		uint64_t left = bootstrap_pages - i * CHUNK_PAGES;

		BUG_ON(chunks[first_free + i].owner != OWNER_FREE);
		take_chunk(first_free + i, OWNER_GROWING);
		make_hypervisor(first_free + i);
		set_run(first_free + i, 0, u64_min(left, CHUNK_PAGES), true);
	}
	stats.use[PAGE_MAP] = bootstrap_pages * PAGE_SIZE;
}

void page_init(const struct boot_info *info)
{
	uint64_t size;

	first_free = CHUNK_NONE;
	free_count = hypervisor_count = pages_free = 0;
	stats = (struct page_stats){ 0 };
	measure(info);
	for_each_free_chunk(info, note_first);
	BUG_ON(first_free == CHUNK_NONE);
	size = place_tables();
	for_each_free_chunk(info, give_chunk);
	stats.free = free_count * PAGE_CHUNK_SIZE;
	stats.image = stats.total - stats.free;
	take_tables(size);
}

/* First run of n free pages at a multiple of n in c; CHUNK_PAGES if there is none. */
static uint64_t find_run(const struct chunk *c, uint64_t n)
{
	if (n >= 64) {
		for (uint64_t w = 0; w < ARRAY_SIZE(c->used); w += n / 64) {
			uint64_t any = 0;

			for (uint64_t i = 0; i < n / 64; i++) {
				any |= c->used[w + i];
			}
			if (any == 0) {
				return w * 64;
			}
		}
		return CHUNK_PAGES;
	}
	for (uint64_t w = 0; w < ARRAY_SIZE(c->used); w++) {
		for (uint64_t b = 0; c->used[w] != UINT64_MAX && b < 64; b += n) {
			if ((c->used[w] >> b & (BIT(n) - 1)) == 0) {
				return w * 64 + b;
			}
		}
	}
	return CHUNK_PAGES;
}

/* [lock] */
static void set_run(uint32_t at, uint64_t first, uint64_t n, bool used)
{
	struct chunk *c = &chunks[at];

	for (uint64_t p = first; p < first + n; p++) {
		uint64_t bit = BIT(p % 64);

		BUG_ON(!(c->used[p / 64] & bit) != used);
		c->used[p / 64] ^= bit;
	}
	c->free = (uint16_t)(used ? c->free - n : c->free + n);
	(c->free > 0 ? bitset_add : bitset_remove)(&with_room, at);
	pages_free = (uint32_t)(used ? pages_free - n : pages_free + n);
}

/*
 * Takes n pages out of the hypervisor's chunks; NULL if they hold no such run. One page is in the
 * first chunk that has room. [lock]
 */
static void *take_pages(uint64_t n)
{
	for (uint32_t c = bitset_next(&with_room, 0); c < chunk_count;
	     c = bitset_next(&with_room, c + 1)) {
		uint64_t first = chunks[c].free >= n ? find_run(&chunks[c], n) : CHUNK_PAGES;

		if (first < CHUNK_PAGES) {
			set_run(c, first, n, true);
			return paging_direct(hpa_add(chunk_hpa(c), first * PAGE_SIZE));
		}
	}
	return NULL;
}

/* One more chunk for the hypervisor; false when memory is out. */
static bool grow(void)
{
	uint32_t c;
	int err;

	spin_lock(&lock);
	c = bitset_next(&free_chunks, 0); /* the lowest, so that page tables stay low */
	if (c < chunk_count) {
		take_chunk(c, OWNER_GROWING); /* ours, but not in use before it is mapped */
	}
	spin_unlock(&lock);
	if (c == chunk_count) {
		return false;
	}
	err = paging_direct_add(chunk_hpa(c), PAGE_CHUNK_SIZE, PAGING_W);
	spin_lock(&lock);
	if (err == 0) {
		make_hypervisor(c);
	} else {
		give_chunk(c);
	}
	spin_unlock(&lock);
	return err == 0;
}

static void *alloc(unsigned int order, enum page_use use)
{
	uint64_t n = BIT(order);
	void *p = NULL;

	BUG_ON(n > CHUNK_PAGES);
	for (;;) {
		spin_lock(&lock);
		if (pages_free >= n + PAGES_RESERVED) {
			p = take_pages(n);
			stats.use[use] += p != NULL ? n * PAGE_SIZE : 0;
		}
		spin_unlock(&lock);
		if (p != NULL || !grow()) {
			return p;
		}
	}
}

void *page_alloc_as(unsigned int order, enum page_use use)
{
	void *p = alloc(order, use);

	if (p != NULL) {
		memset(p, 0, PAGE_SIZE << order);
	}
	return p;
}

void *page_alloc_dirty(unsigned int order)
{
	return alloc(order, PAGE_OTHER);
}

void *page_alloc(unsigned int order)
{
	return page_alloc_as(order, PAGE_OTHER);
}

void *page_alloc_table(void)
{
	void *p;

	spin_lock(&lock);
	p = take_pages(1);
	spin_unlock(&lock);
	if (p != NULL) {
		memset(p, 0, PAGE_SIZE);
	}
	return p;
}

void page_free_as(void *p, unsigned int order, enum page_use use)
{
	uint64_t hpa = paging_hpa(p).v;
	struct chunk *c = &chunks[hpa / PAGE_CHUNK_SIZE];

	BUG_ON(hpa / PAGE_CHUNK_SIZE >= chunk_count || c->owner != OWNER_HYPERVISOR);
	BUG_ON(hpa & (BIT(order + PAGE_SHIFT) - 1));
	spin_lock(&lock);
	set_run((uint32_t)(hpa / PAGE_CHUNK_SIZE), hpa % PAGE_CHUNK_SIZE / PAGE_SIZE, BIT(order),
		false);
	stats.use[use] -= BIT(order) * PAGE_SIZE;
	spin_unlock(&lock);
}

void page_free(void *p, unsigned int order)
{
	page_free_as(p, order, PAGE_OTHER);
}

void page_for_each_hypervisor_chunk(void (*fn)(hpa_t chunk))
{
	for (uint32_t c = 0; c < chunk_count; c++) {
		if (chunks[c].owner == OWNER_HYPERVISOR) {
			fn(chunk_hpa(c));
		}
	}
}

/* A free 1 GiB page; CHUNK_NONE if there is none. [lock] */
static uint32_t find_gib(void)
{
	for (uint32_t c = 0; c < chunk_count; c += CHUNKS_PER_GIB) {
		if (bitset_run(&free_chunks, c, CHUNKS_PER_GIB) == CHUNKS_PER_GIB) {
			return c;
		}
	}
	return CHUNK_NONE;
}

/* Start of the first run of `want`, else of the longest; CHUNK_NONE if nothing is free. [lock] */
static uint32_t find_longest(uint32_t want, uint32_t *len)
{
	uint32_t best = CHUNK_NONE, c = 0;

	*len = 0;
	for (unsigned int i = 0; i < RUNS_LOOKED_AT && *len < want; i++) {
		uint32_t n;

		c = bitset_next(&free_chunks, c);
		n = bitset_run(&free_chunks, c, want);
		if (n > *len) {
			best = c;
			*len = n;
		}
		c += n;
	}
	return best;
}

unsigned int page_alloc_chunks(unsigned int want, hpa_t *base)
{
	uint32_t first = CHUNK_NONE, len = CHUNKS_PER_GIB;

	spin_lock(&lock);
	if (want >= CHUNKS_PER_GIB) {
		want = CHUNKS_PER_GIB;
		first = find_gib();
	}
	if (first == CHUNK_NONE) {
		first = find_longest(want, &len);
	}
	for (uint32_t i = 0; i < len; i++) {
		take_chunk(first + i, OWNER_GUEST);
	}
	stats.guest += len * PAGE_CHUNK_SIZE;
	spin_unlock(&lock);
	*base = len > 0 ? chunk_hpa(first) : (hpa_t){ 0 };
	return len;
}

void page_free_chunks(hpa_t base, unsigned int count)
{
	uint64_t first = base.v / PAGE_CHUNK_SIZE;

	BUG_ON(count > CHUNKS_PER_GIB);
	spin_lock(&lock);
	for (uint64_t c = first; c < first + count; c++) {
		BUG_ON(chunks[c].owner != OWNER_GUEST);
		give_chunk((uint32_t)c);
	}
	stats.guest -= count * PAGE_CHUNK_SIZE;
	spin_unlock(&lock);
}

void page_stats(struct page_stats *s)
{
	spin_lock(&lock);
	*s = stats;
	s->hypervisor = (hypervisor_count * CHUNK_PAGES - pages_free) * PAGE_SIZE;
	s->free = stats.free - s->hypervisor - stats.guest;
	s->for_guests = free_count * PAGE_CHUNK_SIZE;
	s->use[PAGE_OTHER] = s->hypervisor; /* page_alloc_table's, too */
	for (unsigned int u = 0; u < PAGE_USES; u++) {
		s->use[PAGE_OTHER] -= u != PAGE_OTHER ? s->use[u] : 0;
	}
	spin_unlock(&lock);
}
