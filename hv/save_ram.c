/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies guest memory into a file and back, some pages at a time: others run in between. */
/* A page that is all zero costs a bit. */
#include "hv/save_ram.h"

#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_memory.h"

#define VERSION 1u
#define PAGES	(PAGE_CHUNK_SIZE / PAGE_SIZE)
/* Pages looked at or copied between checkpoints: some 8,000 instructions at most. */
#define BATCH 8u

/* Of a section of pages, and all of one of those given away. */
struct ram_header {
	uint64_t gpa; /* 2 MiB aligned */
	uint64_t map[PAGES / 64];
};
_Static_assert(sizeof(struct ram_header) == 72, "the file's layout");

struct chunk {
	struct ram_header h;
	hpa_t hpa;
	uint8_t pages[BATCH][PAGE_SIZE];
};

static bool in_map(const struct ram_header *h, unsigned int page)
{
	return (h->map[page / 64] >> page % 64 & 1) != 0;
}

static uint64_t pages_in(const struct ram_header *h)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < PAGES; i++) {
		n += in_map(h, i);
	}
	return n;
}

/* ---- writing ---- */

static bool is_zero(const void *page)
{
	const uint64_t *p = page;

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*p); i += 4) {
		if ((p[i] | p[i + 1] | p[i + 2] | p[i + 3]) != 0) {
			return false;
		}
	}
	return true;
}

/*
 * A sleep may move us to another CPU: the window is opened anew for each batch. What was given away
 * counts as zero: if it comes back it is.
 */
static void map_chunk(struct chunk *c, const uint64_t *given)
{
	memset(c->h.map, 0, sizeof(c->h.map));
	for (unsigned int i = 0; i < PAGES; i += BATCH) {
		const uint8_t *window = paging_window(c->hpa);

		for (unsigned int k = i; k < i + BATCH; k++) {
			c->h.map[k / 64] |= is_zero(window + k * PAGE_SIZE) ? 0 : BIT(k % 64);
		}
		paging_window_close();
		thread_checkpoint();
	}
	for (unsigned int i = 0; given != NULL && i < ARRAY_SIZE(c->h.map); i++) {
		c->h.map[i] &= ~given[i];
	}
}

/* The numbers of the next pages of the map from *i on, a batch at most. */
static unsigned int next_batch(const struct ram_header *h, unsigned int *i, uint16_t page[BATCH])
{
	unsigned int n = 0;

	for (; *i < PAGES && n < BATCH; ++*i) {
		if (in_map(h, *i)) {
			page[n++] = (uint16_t)*i;
		}
	}
	return n;
}

static int write_pages(struct chunk *c, struct save_out *out)
{
	uint16_t page[BATCH];
	unsigned int i = 0, n;
	int err = 0;

	while (err == 0 && (n = next_batch(&c->h, &i, page)) > 0) {
		const uint8_t *window = paging_window(c->hpa);

		for (unsigned int k = 0; k < n; k++) {
			memcpy(c->pages[k], window + page[k] * PAGE_SIZE, PAGE_SIZE);
		}
		paging_window_close();
		err = save_data(out, c->pages, n * PAGE_SIZE);
	}
	return err;
}

static int write_chunk(struct chunk *c, const uint64_t *given, struct save_out *out)
{
	struct save_section s = { .name = SAVE_RAM, .version = VERSION };
	uint64_t pages;
	int err;

	map_chunk(c, given);
	pages = pages_in(&c->h);
	if (pages == 0) {
		return 0;
	}
	s.length = sizeof(c->h) + pages * PAGE_SIZE;
	err = save_section(out, &s);
	err = err != 0 ? err : save_data(out, &c->h, sizeof(c->h));
	return err != 0 ? err : write_pages(c, out);
}

/* All of a chunk's pages may be: then it has no memory. */
static int write_given(uint64_t gpa, const uint64_t *given, struct save_out *out)
{
	struct ram_header h = { .gpa = gpa };
	int err;

	if (given == NULL) {
		return 0;
	}
	memcpy(h.map, given, sizeof(h.map));
	if (pages_in(&h) == 0) {
		return 0;
	}
	err = save_section(out, &(struct save_section){ .name = SAVE_GIVEN,
							.version = VERSION,
							.length = sizeof(h) });
	return err != 0 ? err : save_data(out, &h, sizeof(h));
}

static int write_extent(const struct gpa_space *s, struct chunk *c, const struct gpa_extent *e,
			struct save_out *out)
{
	int err = 0;

	for (uint64_t off = 0; off < e->size && err == 0; off += PAGE_CHUNK_SIZE) {
		gpa_t gpa = gpa_add(e->gpa, off);

		err = write_given(gpa.v, gpa_balloon_map(s, gpa), out);
		c->h.gpa = gpa.v;
		if (err == 0 && gpa_space_chunk(s, gpa, &c->hpa)) {
			err = write_chunk(c, gpa_balloon_map(s, gpa), out);
		}
		thread_checkpoint(); /* many in a row may have left */
	}
	return err;
}

int save_ram_write(const struct gpa_space *s, struct save_out *out)
{
	struct chunk *c = heap_alloc(sizeof(*c));
	int err = c != NULL ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < s->count && err == 0; i++) {
		err = write_extent(s, c, &s->extents[i], out);
	}
	heap_free(c);
	return err;
}

/* ---- loading ---- */

static int load_pages(struct chunk *c, const struct save_in *in, const struct save_place *p)
{
	uint64_t off = sizeof(c->h);
	uint16_t page[BATCH];
	unsigned int i = 0, n;
	int err = 0;

	while (err == 0 && (n = next_batch(&c->h, &i, page)) > 0) {
		uint8_t *window;

		err = save_read(in, p, off, c->pages, n * PAGE_SIZE);
		off += n * PAGE_SIZE;
		window = paging_window(c->hpa);
		for (unsigned int k = 0; err == 0 && k < n; k++) {
			memcpy(window + page[k] * PAGE_SIZE, c->pages[k], PAGE_SIZE);
		}
		paging_window_close();
		thread_checkpoint();
	}
	return err;
}

static int load_header(const struct gpa_space *s, struct chunk *c, const struct save_in *in,
		       const struct save_place *p)
{
	int err = p->s.version == VERSION ? save_read(in, p, 0, &c->h, sizeof(c->h)) : -EINVAL;

	if (err != 0) {
		return err;
	}
	return c->h.gpa % PAGE_CHUNK_SIZE == 0 && gpa_space_is_ram(s, (gpa_t){ c->h.gpa }, 1)
		       ? 0
		       : -EINVAL;
}

static int load_chunk(struct vm *vm, struct chunk *c, const struct save_in *in,
		      const struct save_place *p)
{
	if (!gpa_space_chunk(&vm->mem, (gpa_t){ c->h.gpa }, &c->hpa) ||
	    p->s.length != sizeof(c->h) + pages_in(&c->h) * PAGE_SIZE) {
		return -EINVAL;
	}
	return load_pages(c, in, p);
}

/* Others' turn after each: the first splits a table. */
static int load_given(struct vm *vm, struct chunk *c, const struct save_in *in UNUSED,
		      const struct save_place *p)
{
	int err = p->s.length == sizeof(c->h) ? 0 : -EINVAL;

	for (unsigned int i = 0; err == 0 && i < PAGES; i++) {
		if (in_map(&c->h, i)) {
			spin_lock(&vm->dev_lock);
			err = vm_memory_take(vm, (gpa_t){ c->h.gpa + i * PAGE_SIZE });
			spin_unlock(&vm->dev_lock);
			thread_checkpoint();
		}
	}
	return err;
}

typedef int load_fn(struct vm *vm, struct chunk *c, const struct save_in *in,
		    const struct save_place *p);

/* All sections of that name. */
static int load_all(struct vm *vm, struct chunk *c, const struct save_in *in, const char *name,
		    load_fn *load, unsigned int *used)
{
	struct save_place p = { .data = 0 };
	int err = 0;

	while (err == 0 && save_next(in, &p)) {
		if (strcmp(p.s.name, name) == 0) {
			err = load_header(&vm->mem, c, in, &p);
			err = err != 0 ? err : load(vm, c, in, &p);
			++*used;
		}
		thread_checkpoint();
	}
	return err;
}

int save_ram_load(struct vm *vm, const struct save_in *in, unsigned int *used)
{
	struct chunk *c = heap_alloc(sizeof(*c));
	int err = c != NULL ? load_all(vm, c, in, SAVE_RAM, load_chunk, used) : -ENOMEM;

	err = err != 0 ? err : load_all(vm, c, in, SAVE_GIVEN, load_given, used);
	heap_free(c);
	return err;
}
