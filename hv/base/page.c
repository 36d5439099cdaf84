/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunk owner table and the page bitmap of each hypervisor chunk. */
/* Mapping is arch/paging's; scrubbing guest chunks is their new owner's. */
#include "hv/base/page.h"

#include "arch/paging.h"
#include "boot/boot_info.h"
#include "hv/base/lock.h"
#include "hv/base/panic.h"
#include "hv/lib/string.h"

#define CHUNK_PAGES    (PAGE_CHUNK_SIZE / PAGE_SIZE)
#define CHUNK_NONE     UINT32_MAX
#define LOW_MEMORY     MIB /* never handed out: firmware data, the trampoline */
#define PAGES_RESERVED 16u /* kept free for page tables, so that growing can always map */

enum owner { OWNER_ABSENT, OWNER_FREE, OWNER_GROWING, OWNER_HYPERVISOR, OWNER_GUEST };

struct chunk {
	uint64_t used[CHUNK_PAGES / 64]; /* hypervisor chunks: a bit per page */
	uint16_t free;			 /* hypervisor chunks: pages not used */
	uint8_t owner;
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_PAGE);
static struct chunk *chunks; /* [lock] by hpa / PAGE_CHUNK_SIZE */
static uint32_t chunk_count;
static uint32_t pages_free;	 /* [lock] in hypervisor chunks */
static uint32_t hint;		 /* [lock] chunk where a page was last found */
static struct page_stats stats;	 /* [lock] hypervisor and free are derived */
static uint64_t bootstrap_pages; /* of the chunk table itself */

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

static void mark_free(uint32_t c)
{
	chunks[c].owner = OWNER_FREE;
}

static void make_hypervisor(uint32_t c)
{
	memset(chunks[c].used, 0, sizeof(chunks[c].used));
	chunks[c].owner = OWNER_HYPERVISOR;
	chunks[c].free = CHUNK_PAGES;
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

void page_init(const struct boot_info *info)
{
	uint64_t table_chunks;

	first_free = CHUNK_NONE;
	pages_free = 0;
	stats = (struct page_stats){ 0 };
	measure(info);
	for_each_free_chunk(info, note_first);
	BUG_ON(first_free == CHUNK_NONE);
	table_chunks =
		ALIGN_UP(chunk_count * sizeof(struct chunk), PAGE_CHUNK_SIZE) / PAGE_CHUNK_SIZE;
	chunks = paging_direct(chunk_hpa(first_free));
	memset(chunks, 0, chunk_count * sizeof(struct chunk));
	for_each_free_chunk(info, mark_free);
	bootstrap_pages = ALIGN_UP(chunk_count * sizeof(struct chunk), PAGE_SIZE) / PAGE_SIZE;
	for (uint32_t i = 0; i < table_chunks; i++) {
		BUG_ON(chunks[first_free + i].owner != OWNER_FREE);
		make_hypervisor(first_free + i);
	}
	for (uint64_t p = 0; p < bootstrap_pages; p++) {
		struct chunk *c = &chunks[first_free + p / CHUNK_PAGES];

		c->used[p % CHUNK_PAGES / 64] |= BIT(p % 64);
		c->free--;
		pages_free--;
	}
	hint = first_free;
	for (uint32_t c = 0; c < chunk_count; c++) {
		stats.free += chunks[c].owner != OWNER_ABSENT ? PAGE_CHUNK_SIZE : 0;
	}
	stats.image = stats.total - stats.free;
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

static void set_run(struct chunk *c, uint64_t first, uint64_t n, bool used)
{
	for (uint64_t p = first; p < first + n; p++) {
		uint64_t bit = BIT(p % 64);

		BUG_ON(!(c->used[p / 64] & bit) != used);
		c->used[p / 64] ^= bit;
	}
	c->free = (uint16_t)(used ? c->free - n : c->free + n);
	pages_free = (uint32_t)(used ? pages_free - n : pages_free + n);
}

/* Takes n pages out of the hypervisor's chunks; NULL if they hold no such run. [lock] */
static void *take_pages(uint64_t n)
{
	for (uint32_t i = 0; i < chunk_count; i++) {
		uint32_t c = (hint + i) % chunk_count;
		uint64_t first;

		if (chunks[c].owner != OWNER_HYPERVISOR || chunks[c].free < n) {
			continue;
		}
		first = find_run(&chunks[c], n);
		if (first < CHUNK_PAGES) {
			hint = c;
			set_run(&chunks[c], first, n, true);
			return paging_direct(hpa_add(chunk_hpa(c), first * PAGE_SIZE));
		}
	}
	return NULL;
}

/* Lowest free chunk, so that page tables stay low; CHUNK_NONE if there is none. [lock] */
static uint32_t find_free_chunk(void)
{
	for (uint32_t c = 0; c < chunk_count; c++) {
		if (chunks[c].owner == OWNER_FREE) {
			return c;
		}
	}
	return CHUNK_NONE;
}

/* One more chunk for the hypervisor; false when memory is out. */
static bool grow(void)
{
	uint32_t c;

	spin_lock(&lock);
	c = find_free_chunk();
	if (c != CHUNK_NONE) {
		chunks[c].owner = OWNER_GROWING; /* ours, but not in use before it is mapped */
	}
	spin_unlock(&lock);
	if (c == CHUNK_NONE) {
		return false;
	}
	if (paging_direct_add(chunk_hpa(c), PAGE_CHUNK_SIZE, PAGING_W) != 0) {
		chunks[c].owner = OWNER_FREE;
		return false;
	}
	spin_lock(&lock);
	make_hypervisor(c);
	spin_unlock(&lock);
	return true;
}

void *page_alloc(unsigned int order)
{
	uint64_t n = BIT(order);
	void *p = NULL;

	BUG_ON(n > CHUNK_PAGES);
	for (;;) {
		spin_lock(&lock);
		if (pages_free >= n + PAGES_RESERVED) {
			p = take_pages(n);
		}
		spin_unlock(&lock);
		if (p != NULL) {
			memset(p, 0, n * PAGE_SIZE);
			return p;
		}
		if (!grow()) {
			return NULL;
		}
	}
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

void page_free(void *p, unsigned int order)
{
	uint64_t hpa = paging_hpa(p).v;
	struct chunk *c = &chunks[hpa / PAGE_CHUNK_SIZE];

	BUG_ON(hpa / PAGE_CHUNK_SIZE >= chunk_count || c->owner != OWNER_HYPERVISOR);
	BUG_ON(hpa & (BIT(order + PAGE_SHIFT) - 1));
	spin_lock(&lock);
	set_run(c, hpa % PAGE_CHUNK_SIZE / PAGE_SIZE, BIT(order), false);
	spin_unlock(&lock);
}

void page_for_each_hypervisor_chunk(void (*fn)(hpa_t chunk))
{
	for (uint32_t c = 0; c < chunk_count; c++) {
		if (chunks[c].owner == OWNER_HYPERVISOR) {
			fn(chunk_hpa(c));
		}
	}
}

/* Length of the free run at c, at most want. [lock] */
static uint32_t free_run(uint32_t c, uint32_t want)
{
	uint32_t n = 0;

	while (n < want && c + n < chunk_count && chunks[c + n].owner == OWNER_FREE) {
		n++;
	}
	return n;
}

/* Start of the best run: 1 GiB aligned and whole if want allows, else the longest. [lock] */
static uint32_t find_chunks(uint32_t want, uint32_t *len)
{
	uint32_t per_gib = (uint32_t)(GIB / PAGE_CHUNK_SIZE);
	uint32_t best = CHUNK_NONE, best_len = 0;

	for (uint32_t c = 0; want >= per_gib && c < chunk_count; c += per_gib) {
		uint32_t n = free_run(c, want);

		if (n >= per_gib) {
			*len = n;
			return c;
		}
	}
	for (uint32_t c = 0; c < chunk_count && best_len < want; c++) {
		uint32_t n = free_run(c, want);

		if (n > best_len) {
			best = c;
			best_len = n;
		}
		c += n;
	}
	*len = best_len;
	return best;
}

unsigned int page_alloc_chunks(unsigned int want, hpa_t *base)
{
	uint32_t first, len = 0;

	spin_lock(&lock);
	first = find_chunks(want, &len);
	for (uint32_t i = 0; i < len; i++) {
		chunks[first + i].owner = OWNER_GUEST;
	}
	stats.guest += len * PAGE_CHUNK_SIZE;
	spin_unlock(&lock);
	*base = len > 0 ? chunk_hpa(first) : (hpa_t){ 0 };
	return len;
}

void page_free_chunks(hpa_t base, unsigned int count)
{
	uint64_t first = base.v / PAGE_CHUNK_SIZE;

	spin_lock(&lock);
	for (uint64_t c = first; c < first + count; c++) {
		BUG_ON(chunks[c].owner != OWNER_GUEST);
		chunks[c].owner = OWNER_FREE;
	}
	stats.guest -= count * PAGE_CHUNK_SIZE;
	spin_unlock(&lock);
}

void page_stats(struct page_stats *s)
{
	uint64_t hypervisor = 0;

	spin_lock(&lock);
	for (uint32_t c = 0; c < chunk_count; c++) {
		if (chunks[c].owner == OWNER_HYPERVISOR) {
			hypervisor += (CHUNK_PAGES - chunks[c].free) * PAGE_SIZE;
		}
	}
	*s = stats;
	s->hypervisor = hypervisor;
	s->free = stats.free - hypervisor - stats.guest;
	spin_unlock(&lock);
}
