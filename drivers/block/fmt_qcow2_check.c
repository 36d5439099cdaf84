/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares QCOW2's reference counts and flags with what its tables refer to. */
/* Counts as many clusters at a time as fit a fixed array; repairing is a rewrite. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define WINDOW_MAX (512ul * KIB)	/* clusters; 1 MiB of counts */
#define WINDOW_MIN (8ul * BLOCK_SECTOR) /* a sector of the narrowest counts */
#define PACE	   128u

/* ---- counting ---- */

static struct qcow2_counts *counts_of(struct qcow2_visitor *v)
{
	return container_of(v, struct qcow2_counts, visitor);
}

static int bad(struct qcow2_visitor *v, const char *what, uint64_t val)
{
	struct qcow2_counts *c = counts_of(v);

	if (c->bad++ == 0 && c->why != NULL) {
		fmt_snprintf(c->why->text, sizeof(c->why->text), "%s %016lx", what, val);
	}
	return 0;
}

static int use(struct qcow2_visitor *v, uint64_t off, uint64_t len)
{
	struct qcow2_counts *c = counts_of(v);
	uint32_t bits = qcow2_of(c->img)->cluster_bits;
	uint64_t first = off >> bits, last = (off + len - 1) >> bits;

	if (first << bits >= c->img->file->size) {
		return bad(v, "a reference past the end of the file:", off);
	}
	c->last = u64_max(c->last, last);
	first = u64_max(first, c->first);
	for (uint64_t i = first; i <= last && i < c->first + c->window; i++) {
		uint16_t *count = &c->count[i - c->first];

		*count = (uint16_t)(*count + (*count < UINT16_MAX));
	}
	return 0;
}

struct qcow2_counts *fmt_qcow2_check_new(struct image *img)
{
	uint64_t clusters = (img->file->size >> qcow2_of(img)->cluster_bits) + 1;
	struct qcow2_counts *c = heap_alloc(sizeof(*c));

	if (c == NULL) {
		return NULL;
	}
	c->img = img;
	c->window = u64_min(clusters + clusters / 8 + WINDOW_MIN, WINDOW_MAX);
	c->count = heap_alloc(c->window * sizeof(c->count[0]));
	c->visitor = (struct qcow2_visitor){ .use = use, .bad = bad };
	if (c->count == NULL) {
		heap_free(c);
		return NULL;
	}
	return c;
}

static void counts_free(struct qcow2_counts *c)
{
	heap_free(c->count);
	heap_free(c);
}

int fmt_qcow2_check_count(struct qcow2_counts *c, const struct qcow2_header *h, uint64_t first,
			  const struct qcow2_run *more, unsigned int n)
{
	uint32_t bits = qcow2_of(c->img)->cluster_bits;
	int r = 0;

	c->first = first;
	c->bad = 0;
	memset(c->count, 0, c->window * sizeof(c->count[0]));
	for (unsigned int i = 0; r == 0 && i < n; i++) {
		r = use(&c->visitor, more[i].first << bits, more[i].count << bits);
	}
	return r ? r : fmt_qcow2_walk(c->img, h, &c->visitor);
}

/* The table of counts and their blocks use clusters, too. */
static int use_blocks(struct qcow2_counts *c, const struct qcow2_header *h)
{
	uint64_t size = qcow2_cluster_size(qcow2_of(c->img));
	int r = use(&c->visitor, h->reftable_off, qcow2_reftable_bytes(h));

	for (uint64_t off = 0; r == 0 && off < qcow2_reftable_bytes(h); off += BLOCK_SECTOR) {
		uint8_t sector[BLOCK_SECTOR];

		r = block_file_read(c->img->file, h->reftable_off + off, sector, sizeof(sector));
		for (unsigned int i = 0; r == 0 && i < sizeof(sector); i += 8) {
			uint64_t block = bytes_get_be64(sector + i) & QCOW2_REFTABLE_MASK;

			if (block % size) {
				r = bad(&c->visitor, "refcount table entry", block);
			} else if (block) {
				r = use(&c->visitor, block, size);
			}
		}
		thread_checkpoint();
	}
	return r;
}

/* ---- comparing ---- */

static void corruption(struct image_check *result, const char *what, uint64_t val)
{
	if (result->corruptions++ == 0) {
		fmt_snprintf(result->first.text, sizeof(result->first.text), "%s %lx", what, val);
	}
}

static int compare_window(struct qcow2_counts *c, uint64_t end, struct image_check *result)
{
	int r = 0;

	for (uint64_t i = c->first; r == 0 && i < c->first + c->window && i < end; i++) {
		uint64_t want = c->count[i - c->first], have;

		r = fmt_qcow2_refcount_get(c->img, i, &have);
		if (r == -EIO) { /* said already */
			have = 0;
			r = 0;
		}
		if (have < want) {
			corruption(result, "counted too low: cluster", i);
		}
		result->leaks += have > want;
		if (i % PACE == 0) {
			thread_checkpoint();
		}
	}
	return r;
}

static int compare_counts(struct image *img, struct image_check *result)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_counts *c = fmt_qcow2_check_new(img);
	uint64_t end = (img->file->size + qcow2_cluster_size(q) - 1) >> q->cluster_bits;
	int r = 0;

	if (c == NULL) {
		return -ENOMEM;
	}
	c->why = &result->first;
	for (uint64_t first = 0; r == 0 && first < end; first += c->window) {
		r = fmt_qcow2_check_count(c, &q->h, first, NULL, 0);
		r = r ? r : use_blocks(c, &q->h);
		r = r ? r : compare_window(c, end, result);
	}
	result->corruptions += c->bad;
	counts_free(c);
	return r;
}

/* ---- flags ---- */

struct flags {
	struct qcow2_visitor visitor;
	struct image *img;
	struct image_check *result;
};

static int flags_use(struct qcow2_visitor *v, uint64_t off, uint64_t len)
{
	(void)v;
	(void)off;
	(void)len;
	return 0;
}

static int flags_bad(struct qcow2_visitor *v, const char *what, uint64_t val)
{
	(void)v;
	(void)what;
	(void)val;
	return 0;
}

/* The flag says that the count is one, no more and no less. */
static int flags_entry(struct qcow2_visitor *v, uint64_t raw, bool is_l1)
{
	struct flags *f = container_of(v, struct flags, visitor);
	uint64_t off = raw & QCOW2_OFFSET, count;
	int r;

	if ((raw & QCOW2_COMPRESSED) || off == 0) {
		return 0;
	}
	r = fmt_qcow2_refcount_get(f->img, off >> qcow2_of(f->img)->cluster_bits, &count);
	if (r == 0 && (count == 1) != !!(raw & QCOW2_COPIED)) {
		corruption(f->result, is_l1 ? "wrong flag in L1:" : "wrong flag in L2:", raw);
	}
	return r == -EIO ? 0 : r;
}

static int compare_flags(struct image *img, struct image_check *result)
{
	struct flags f = { .visitor = { flags_use, flags_bad, flags_entry },
			   .img = img,
			   .result = result };

	return fmt_qcow2_walk(img, &qcow2_of(img)->h, &f.visitor);
}

int fmt_qcow2_check(struct image *img, bool repair, struct image_check *result)
{
	const struct qcow2_change same = { .l1_off = qcow2_of(img)->h.l1_off, .forgive = true };
	int r = img->dev.readonly ? 0 : fmt_qcow2_flush(img);

	/* The counts lowered by that flush are only in the cache yet. */
	r = r || img->dev.readonly ? r : meta_flush(img->meta);
	r = r ? r : compare_counts(img, result);
	r = r ? r : compare_flags(img, result);
	if (r == 0 && repair && result->leaks + result->corruptions > 0) {
		r = fmt_qcow2_rewrite(img, &same);
		result->fixed = r ? 0 : result->leaks + result->corruptions;
	}
	return r;
}
