/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's two levels of tables: which host cluster holds which guest cluster. */
/* Counts of host clusters are fmt_qcow2_refcount.c's. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/lib/errno.h"

#define ENTRY 8u

/* ---- entries ---- */

/* "L2 table entry", "Compressed Clusters Descriptor" */
bool fmt_qcow2_l2_parse(const struct qcow2 *q, uint64_t raw, struct qcow2_entry *e)
{
	uint64_t off = raw & QCOW2_OFFSET;
	bool zero = raw & QCOW2_ZERO;

	if (raw & QCOW2_COMPRESSED) {
		uint32_t shift = 62 - (q->cluster_bits - 8);
		uint64_t sectors = (raw >> shift & ((1ul << (q->cluster_bits - 8)) - 1)) + 1;

		*e = (struct qcow2_entry){ .kind = BLOCK_DEFLATE,
					   .off = raw & ((1ul << shift) - 1) };
		e->len = sectors * BLOCK_SECTOR - e->off % BLOCK_SECTOR;
		return true;
	}
	*e = (struct qcow2_entry){ .kind = zero	 ? BLOCK_ZERO
					   : off ? BLOCK_DATA
						 : BLOCK_UNALLOCATED,
				   .off = off,
				   .len = off ? qcow2_cluster_size(q) : 0,
				   .copied = off && (raw & QCOW2_COPIED) };
	return off % qcow2_cluster_size(q) == 0 && (!zero || q->h.version >= 3);
}

static int parse(struct image *img, uint64_t raw, struct qcow2_entry *e)
{
	return fmt_qcow2_l2_parse(qcow2_of(img), raw, e)
		       ? 0
		       : image_corrupt(img, "L2 entry %016lx", raw);
}

static uint64_t l2_index(const struct qcow2 *q, uint64_t off)
{
	return off >> q->cluster_bits & ((1ul << q->l2_bits) - 1);
}

/* Where the entry of an L1 table for off lies in the file. */
static uint64_t l1_place(const struct qcow2 *q, uint64_t off)
{
	return q->h.l1_off + (off >> (q->cluster_bits + q->l2_bits)) * ENTRY;
}

/* The L2 table for off, 0 if there is none; *own: no snapshot shares it. */
static int find_table(struct image *img, uint64_t off, uint64_t *table, bool *own)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t size = qcow2_cluster_size(q);
	uint8_t *p;
	int r = meta_get(img->meta, l1_place(q, off), META_ROOT, &p);

	if (r) {
		return r;
	}
	*table = bytes_get_be64(p) & QCOW2_OFFSET;
	*own = bytes_get_be64(p) & QCOW2_COPIED;
	if (*table == 0) {
		return 0;
	}
	if (*table % size || !range_within(*table, size, img->file->size) ||
	    fmt_qcow2_is_metadata(q, *table, size)) {
		return image_corrupt(img, "L2 table at %lx is misplaced", *table);
	}
	return 0;
}

/* The raw entries from off's on, up to the end of their block: *count of them. */
static int get_entries(struct image *img, uint64_t table, uint64_t off, uint8_t **p,
		       uint64_t *count)
{
	uint64_t at = table + l2_index(qcow2_of(img), off) * ENTRY;
	uint32_t size = meta_block_size(img->meta);

	*count = (size - at % size) / ENTRY;
	return meta_get(img->meta, at, META_MAP, p);
}

static int put_entry(struct image *img, uint64_t table, uint64_t off, uint64_t raw)
{
	uint64_t count;
	uint8_t *p;
	int r = get_entries(img, table, off, &p, &count);

	if (r == 0) {
		bytes_put_be64(p, raw);
		meta_dirty(img->meta, p);
	}
	return r;
}

/* ---- map ---- */

/* True if b is what follows a, i clusters further on. */
static bool follows(const struct qcow2 *q, const struct qcow2_entry *a, const struct qcow2_entry *b,
		    uint64_t i)
{
	if (a->kind != b->kind) {
		return false;
	}
	return a->kind == BLOCK_UNALLOCATED || a->kind == BLOCK_ZERO ||
	       (a->kind == BLOCK_DATA && a->copied == b->copied &&
		b->off == a->off + (i << q->cluster_bits));
}

static int map_entries(struct image *img, uint64_t table, uint64_t off, uint64_t len, bool own,
		       struct block_map *m)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t skip = off & (qcow2_cluster_size(q) - 1), i = 1, count;
	struct qcow2_entry e, next;
	uint8_t *p;
	int r = get_entries(img, table, off, &p, &count);

	r = r ? r : parse(img, bytes_get_be64(p), &e);
	if (r) {
		return r;
	}
	count = u64_min(count, (skip + len + qcow2_cluster_size(q) - 1) >> q->cluster_bits);
	while (i < count && parse(img, bytes_get_be64(p + i * ENTRY), &next) == 0 &&
	       follows(q, &e, &next, i)) {
		i++;
	}
	*m = (struct block_map){ .kind = e.kind, .len = (i << q->cluster_bits) - skip };
	if (e.kind == BLOCK_DEFLATE) {
		m->file_off = e.off;
		m->file_len = e.len;
		m->skip = skip;
	} else if (e.kind == BLOCK_DATA) {
		m->file_off = e.off + skip;
		m->in_place = own && e.copied;
	}
	if (m->in_place && fmt_qcow2_is_metadata(q, e.off, i << q->cluster_bits)) {
		return image_corrupt(img, "data at %lx overlaps tables", e.off);
	}
	return 0;
}

int fmt_qcow2_l2_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t reach = 1ul << (q->cluster_bits + q->l2_bits), table;
	bool own;
	int r = find_table(img, off, &table, &own);

	if (r) {
		return r;
	}
	if (table == 0) {
		*m = (struct block_map){ .kind = BLOCK_UNALLOCATED,
					 .len = reach - (off & (reach - 1)) };
		return 0;
	}
	return map_entries(img, table, off, len, own, m);
}

/* ---- tables of our own ---- */

static int copy_table(struct image *img, uint64_t from, uint64_t to)
{
	uint32_t size = meta_block_size(img->meta);
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < img->cluster_size; i += size) {
		uint8_t *p;

		r = meta_get(img->meta, from + i, META_MAP, &p);
		r = r ? r : block_file_write(img->file, to + i, p, size);
	}
	return r;
}

/* An L2 table for off that no snapshot shares: new, or a copy of the shared one. */
static int own_table(struct image *img, uint64_t off, uint64_t *table)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t old, cluster, count = 1;
	uint8_t *p;
	bool own;
	int r = find_table(img, off, &old, &own);

	*table = old;
	if (r || (old != 0 && own)) {
		return r;
	}
	r = fmt_qcow2_refcount_alloc(img, &count, &cluster);
	if (r) {
		return r;
	}
	/* Past the cache, since nothing refers to it yet; the flush before META_ROOT makes it durable. */
	*table = cluster << q->cluster_bits;
	meta_forget(img->meta, *table, img->cluster_size);
	r = old ? copy_table(img, old, *table)
		: block_file_write_zeros(img->file, *table, img->cluster_size);
	r = r ? r : meta_get(img->meta, l1_place(q, off), META_ROOT, &p);
	if (r) {
		fmt_qcow2_refcount_undo(img, cluster, 1);
		return r;
	}
	bytes_put_be64(p, *table | QCOW2_COPIED);
	meta_dirty(img->meta, p);
	return old ? fmt_qcow2_refcount_release(img, old >> q->cluster_bits, 1) : 0;
}

/* ---- alloc, link, unalloc ---- */

int fmt_qcow2_l2_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t table, count, cluster;
	struct qcow2_entry e;
	uint8_t *raw;
	int r = own_table(img, off, &table);

	r = r ? r : get_entries(img, table, off, &raw, &count);
	r = r ? r : parse(img, bytes_get_be64(raw), &e);
	if (r) {
		return r;
	}
	if (e.kind == BLOCK_ZERO && e.copied &&
	    !fmt_qcow2_is_metadata(q, e.off, img->cluster_size)) {
		*p = (struct block_place){ .file_off = e.off, .len = img->cluster_size };
		return 0;
	}
	count = u64_min(count, len >> q->cluster_bits);
	r = fmt_qcow2_refcount_alloc(img, &count, &cluster);
	if (r) {
		return r;
	}
	*p = (struct block_place){ .file_off = cluster << q->cluster_bits,
				   .len = count << q->cluster_bits };
	p->fresh = p->file_off >= img->file->size;
	meta_forget(img->meta, p->file_off, p->len);
	return 0;
}

/* What an entry held is not referred to any more. */
static int release(struct image *img, const struct qcow2_entry *e)
{
	uint32_t bits = qcow2_of(img)->cluster_bits;
	uint64_t first = e->off >> bits;

	if (e->kind == BLOCK_DEFLATE) {
		return fmt_qcow2_refcount_release(img, first,
						  ((e->off + e->len - 1) >> bits) - first + 1);
	}
	return e->off ? fmt_qcow2_refcount_release(img, first, 1) : 0;
}

/* Puts raw into off's entry and releases what it held, unless that is where raw points to. */
static int replace(struct image *img, uint64_t table, uint64_t off, uint64_t raw)
{
	uint64_t count;
	struct qcow2_entry e;
	uint8_t *p;
	int r = get_entries(img, table, off, &p, &count);

	r = r ? r : parse(img, bytes_get_be64(p), &e);
	r = r ? r : put_entry(img, table, off, raw);
	if (r || (e.kind != BLOCK_DEFLATE && e.off == (raw & QCOW2_OFFSET))) {
		return r;
	}
	return release(img, &e);
}

int fmt_qcow2_l2_link(struct image *img, uint64_t off, const struct block_place *p)
{
	uint64_t table;
	bool own;
	int r = find_table(img, off, &table, &own);

	for (uint64_t i = 0; r == 0 && i < p->len; i += img->cluster_size) {
		r = replace(img, table, off + i, (p->file_off + i) | QCOW2_COPIED);
	}
	return r;
}

void fmt_qcow2_l2_unalloc(struct image *img, uint64_t off, const struct block_place *p)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t table, count;
	struct qcow2_entry e;
	uint8_t *raw;
	bool own;
	int r = find_table(img, off, &table, &own);

	r = r ? r : get_entries(img, table, off, &raw, &count);
	r = r ? r : parse(img, bytes_get_be64(raw), &e);
	if (r == 0 && e.off != p->file_off) { /* else it is the place of a ZERO cluster */
		fmt_qcow2_refcount_undo(img, p->file_off >> q->cluster_bits,
					p->len >> q->cluster_bits);
	}
}

/* ---- discard ---- */

static bool hides_backing(const struct image *img, uint64_t off)
{
	return img->backing != NULL && off < img->backing->dev.size;
}

static int discard_cluster(struct image *img, uint64_t off)
{
	uint64_t raw = hides_backing(img, off) ? QCOW2_ZERO : 0, table, count;
	uint8_t *p;
	bool own;
	int r = find_table(img, off, &table, &own);

	if (r || (table == 0 && raw == 0)) {
		return r;
	}
	if (table != 0) {
		r = get_entries(img, table, off, &p, &count);
		if (r || bytes_get_be64(p) == raw) {
			return r;
		}
	}
	r = own_table(img, off, &table);
	return r ? r : replace(img, table, off, raw);
}

int fmt_qcow2_l2_discard(struct image *img, uint64_t off, uint64_t len, bool zeros)
{
	int r = 0;

	(void)zeros; /* no cheaper way without */
	if (qcow2_of(img)->h.version < 3 && hides_backing(img, off)) {
		return -ENOTSUP;
	}
	for (uint64_t i = 0; r == 0 && i < len; i += img->cluster_size) {
		r = discard_cluster(img, off + i);
	}
	return r;
}
