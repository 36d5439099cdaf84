/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of RAM by their place on the disk: a tree of three levels that grows with what is written. */
/* Never writes to the disk below. */
#include "drivers/block/overlay.h"

#include "drivers/block/monitor.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define FAN	 512u /* entries of a page of the tree */
#define DISK_MAX (128ul * KIB * GIB)
#define PACE	 8u   /* pages copied, filled or freed between two checkpoints */
#define LOOKS	 256u /* entries only looked at */

/*
 * An entry of the last level is NULL: as the disk below; ZEROS: reads as zeros; or the page. It
 * changes inside the monitor only; so do the bytes of pages, and a page is read there.
 */
typedef uint8_t *entry_t;
struct leaf {
	entry_t page[FAN];
};
struct branch {
	struct leaf *leaf[FAN];
};
_Static_assert(sizeof(struct leaf) == PAGE_SIZE && sizeof(struct branch) == PAGE_SIZE, "a page");

static uint8_t zeros_mark;
#define ZEROS (&zeros_mark)

struct overlay {
	struct block_dev dev;
	struct block_dev *base; /* (c) owned */
	uint64_t limit;		/* (c) bytes */
	uint64_t used;		/* [M] bytes; read by anybody */
	struct monitor monitor;
	uint64_t branches; /* (c) */
	struct branch *branch[];
};

static struct overlay *of(struct block_dev *d)
{
	return container_of(d, struct overlay, dev);
}

uint64_t overlay_used(const struct block_dev *d)
{
	return __atomic_load_n(&container_of(d, const struct overlay, dev)->used, __ATOMIC_RELAXED);
}

/* ---- pages, inside the monitor ---- */

static void count(struct overlay *o, uint64_t change)
{
	__atomic_store_n(&o->used, o->used + change, __ATOMIC_RELAXED);
}

static bool host_has_room(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.free >= PAGE_HEADROOM;
}

/* Zeroed; NULL if that is more than this disk may have. */
static void *take_page(struct overlay *o)
{
	void *p = NULL;

	if (o->used + PAGE_SIZE <= o->limit && host_has_room()) {
		p = page_alloc_as(0, PAGE_DISKS);
	}
	count(o, p != NULL ? PAGE_SIZE : 0);
	return p;
}

static void give_page(struct overlay *o, void *p)
{
	if (p != NULL && p != ZEROS) {
		page_free_as(p, 0, PAGE_DISKS);
		count(o, -PAGE_SIZE);
	}
}

/* Page number n's leaf; NULL if there is none, or with `make` no room for one. */
static struct leaf *leaf_of(struct overlay *o, uint64_t n, bool make)
{
	struct branch **b = &o->branch[n / FAN / FAN];
	struct leaf **l;

	if (*b == NULL && make) {
		*b = take_page(o);
	}
	if (*b == NULL) {
		return NULL;
	}
	l = &(*b)->leaf[n / FAN % FAN];
	if (*l == NULL && make) {
		*l = take_page(o);
	}
	return *l;
}

static entry_t look(struct overlay *o, uint64_t n)
{
	struct leaf *l = leaf_of(o, n, false);

	return l != NULL ? l->page[n % FAN] : NULL;
}

/* ---- reading ---- */

/* Bytes from off on, at most max, that are as the disk below: there may be more. */
static uint64_t base_run(struct overlay *o, uint64_t off, uint64_t max)
{
	uint64_t at = off;

	for (unsigned int i = 0; i < LOOKS && at < off + max; i++) {
		struct leaf *l = leaf_of(o, at / PAGE_SIZE, false);
		uint64_t step = l == NULL ? FAN * PAGE_SIZE : PAGE_SIZE;

		if (l != NULL && l->page[at / PAGE_SIZE % FAN] != NULL) {
			break;
		}
		at = ALIGN_DOWN(at, step) + step;
	}
	return u64_min(at - off, max);
}

static void copy_out(const struct block_vec *v, unsigned int n, const uint8_t *from)
{
	for (unsigned int i = 0; i < n; i++) {
		if (from == NULL) {
			memset(v[i].base, 0, v[i].len);
		} else {
			memcpy(v[i].base, from, v[i].len);
			from += v[i].len;
		}
	}
}

/* Reads what is in RAM from off on, up to max bytes and PACE pages; returns how much that was. */
static uint64_t read_pages(struct overlay *o, uint64_t off, uint64_t max, struct block_cursor *c)
{
	uint64_t start = off,
		 end = u64_min(off + max, ALIGN_DOWN(off, PAGE_SIZE) + PACE * PAGE_SIZE);

	while (off < end) {
		entry_t page = look(o, off / PAGE_SIZE);
		struct block_vec part[BLOCK_SLICE];
		unsigned int n;
		uint64_t len;

		if (page == NULL) {
			break;
		}
		len = u64_min(end - off, PAGE_SIZE - off % PAGE_SIZE);
		len = block_cursor_take(c, len, part, &n);
		copy_out(part, n, page == ZEROS ? NULL : page + off % PAGE_SIZE);
		off += len;
	}
	return off - start;
}

static int read_base(struct overlay *o, uint64_t off, uint64_t len, struct block_cursor *c)
{
	struct block_vec part[BLOCK_SLICE];
	unsigned int n;
	int r = 0;

	while (r == 0 && len > 0) {
		uint64_t got = block_cursor_take(c, len, part, &n);

		r = block_read(o->base, off, part, n);
		off += got;
		len -= got;
	}
	return r;
}

static int overlay_read(struct block_dev *d, uint64_t off, const struct block_vec *v,
			unsigned int n)
{
	struct overlay *o = of(d);
	struct block_cursor c = { .v = v, .n = n };
	uint64_t end = off + block_vec_bytes(v, n);
	int r = 0;

	while (r == 0 && off < end) {
		uint64_t run;

		monitor_enter(&o->monitor);
		off += read_pages(o, off, end - off, &c);
		run = base_run(o, off, end - off);
		monitor_leave(&o->monitor);
		r = run > 0 ? read_base(o, off, run, &c) : 0;
		off += run;
		if (off < end) {
			thread_checkpoint();
		}
	}
	return r;
}

/* ---- writing ---- */

/* Into a page: what the disk below has at off. */
static int copy_below(struct overlay *o, uint64_t off, uint8_t *page)
{
	struct block_vec v = { page, u64_min(PAGE_SIZE, o->dev.size - off) };

	return block_read(o->base, off, &v, 1);
}

/*
 * The page at off (aligned) is to be written in part: makes it one of RAM. Inside the monitor, which
 * it leaves to read what lies below.
 */
static int fill_page(struct overlay *o, uint64_t off)
{
	uint8_t *page = take_page(o);
	struct leaf *l;
	int r;

	if (page == NULL) {
		return -ENOSPC;
	}
	monitor_leave(&o->monitor);
	r = copy_below(o, off, page);
	monitor_enter(&o->monitor);
	l = leaf_of(o, off / PAGE_SIZE, false);
	if (r != 0 || l->page[off / PAGE_SIZE % FAN] != NULL) {
		give_page(o, page); /* somebody else was faster */
	} else {
		l->page[off / PAGE_SIZE % FAN] = page;
	}
	return r;
}

/* The RAM for [off, off + len), which lies in one page, to write to. Inside the monitor. */
static int writable_page(struct overlay *o, uint64_t off, uint64_t len, uint8_t **out)
{
	uint64_t n = off / PAGE_SIZE;
	struct leaf *l = leaf_of(o, n, true);
	entry_t *e;
	int r = 0;

	if (l == NULL) {
		return -ENOSPC;
	}
	e = &l->page[n % FAN];
	while (r == 0 && *e == NULL && len < PAGE_SIZE) {
		r = fill_page(o, n * PAGE_SIZE);
	}
	if (r == 0 && (*e == NULL || *e == ZEROS)) {
		uint8_t *page = take_page(o);

		r = page != NULL ? 0 : -ENOSPC;
		*e = page != NULL ? page : *e;
	}
	*out = *e + off % PAGE_SIZE;
	return r;
}

/* Takes the bytes from c, or zeros if that is NULL. */
static int write_page(struct overlay *o, uint64_t off, uint64_t len, struct block_cursor *c)
{
	struct block_vec part[BLOCK_SLICE];
	unsigned int n;
	uint8_t *to;
	int r = writable_page(o, off, len, &to);

	if (r == 0 && c == NULL) {
		memset(to, 0, len);
	}
	while (r == 0 && c != NULL && len > 0) {
		len -= block_cursor_take(c, len, part, &n);
		for (unsigned int i = 0; i < n; i++) {
			memcpy(to, part[i].base, part[i].len);
			to += part[i].len;
		}
	}
	return r;
}

static uint64_t in_page(uint64_t off, uint64_t end)
{
	return u64_min(end - off, PAGE_SIZE - off % PAGE_SIZE);
}

static int overlay_write(struct block_dev *d, uint64_t off, const struct block_vec *v,
			 unsigned int n)
{
	struct overlay *o = of(d);
	struct block_cursor c = { .v = v, .n = n };
	uint64_t end = off + block_vec_bytes(v, n);
	int r = 0;

	while (r == 0 && off < end) {
		monitor_enter(&o->monitor);
		for (unsigned int i = 0; r == 0 && i < PACE && off < end; i++) {
			uint64_t len = in_page(off, end);

			r = write_page(o, off, len, &c);
			off += len;
		}
		monitor_leave(&o->monitor);
		if (off < end) {
			thread_checkpoint();
		}
	}
	return r;
}

/* ---- zeros ---- */

/* Inside the monitor: the whole page n reads as zeros, and its RAM is free again. */
static int zero_page(struct overlay *o, uint64_t n)
{
	struct leaf *l = leaf_of(o, n, true);

	if (l == NULL) {
		return -ENOSPC;
	}
	give_page(o, l->page[n % FAN]);
	l->page[n % FAN] = ZEROS;
	return 0;
}

static int overlay_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap UNUSED)
{
	struct overlay *o = of(d);
	uint64_t end = off + len;
	int r = 0;

	while (r == 0 && off < end) {
		monitor_enter(&o->monitor);
		for (unsigned int i = 0; r == 0 && i < PACE && off < end; i++) {
			uint64_t part = in_page(off, end);
			bool whole = part == PAGE_SIZE;

			r = whole ? zero_page(o, off / PAGE_SIZE) : write_page(o, off, part, NULL);
			off += part;
		}
		monitor_leave(&o->monitor);
		thread_checkpoint();
	}
	return r;
}

/* What was not written stays as it is below: nothing is gained by remembering that it is not wanted. */
static int overlay_discard(struct block_dev *d, uint64_t off, uint64_t len)
{
	struct overlay *o = of(d);
	uint64_t end = ALIGN_DOWN(off + len, PAGE_SIZE);

	off = ALIGN_UP(off, PAGE_SIZE);
	while (off < end) {
		monitor_enter(&o->monitor);
		off += base_run(o, off, end - off);
		for (unsigned int i = 0; i < PACE && off < end && look(o, off / PAGE_SIZE); i++) {
			(void)zero_page(o, off / PAGE_SIZE); /* its leaf is there */
			off += PAGE_SIZE;
		}
		monitor_leave(&o->monitor);
		thread_checkpoint();
	}
	return 0;
}

/* ---- life ---- */

/* What is in RAM needs no flush to be as safe as it gets. */
static int overlay_flush(struct block_dev *d UNUSED)
{
	return 0;
}

static void free_leaf(struct overlay *o, struct leaf *l)
{
	for (unsigned int i = 0; l != NULL && i < FAN; i++) {
		give_page(o, l->page[i]);
		if (i % PACE == 0) {
			thread_checkpoint();
		}
	}
	give_page(o, l);
}

static int overlay_close(struct block_dev *d)
{
	struct overlay *o = of(d);
	int r = block_close(o->base);

	for (uint64_t i = 0; i < o->branches; i++) {
		for (unsigned int k = 0; o->branch[i] != NULL && k < FAN; k++) {
			free_leaf(o, o->branch[i]->leaf[k]);
		}
		give_page(o, o->branch[i]);
		if (i % LOOKS == 0) {
			thread_checkpoint();
		}
	}
	heap_free(o);
	return r;
}

static const struct block_dev_ops ops = {
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.discard = overlay_discard,
	.write_zeroes = overlay_write_zeroes,
	.close = overlay_close,
};

int overlay_open(struct block_dev *base, uint64_t limit, struct block_dev **out)
{
	uint64_t pages = ALIGN_UP(base->size, PAGE_SIZE) / PAGE_SIZE;
	uint64_t branches = ALIGN_UP(pages, (uint64_t)FAN * FAN) / FAN / FAN;
	struct overlay *o;

	if (base->size > DISK_MAX) {
		return -E2BIG;
	}
	o = heap_alloc(sizeof(*o) + branches * sizeof(o->branch[0]));
	if (o == NULL) {
		return -ENOMEM;
	}
	o->dev = (struct block_dev){ .ops = &ops,
				     .size = base->size,
				     .granularity = PAGE_SIZE,
				     .immediate = base->immediate };
	o->base = base;
	o->limit = limit;
	o->branches = branches;
	monitor_init(&o->monitor);
	*out = &o->dev;
	return 0;
}
