/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes all of QCOW2's tables anew and switches to them at once: snapshots made, dropped, returned */
/* to, and repair are all this. Guest data stays where it is. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define CHUNK 4096u

struct rewrite {
	struct image *img;
	const struct qcow2_change *change;
	struct qcow2_header h;	 /* of the new state */
	uint64_t next;		 /* the first cluster that is used neither before nor after */
	struct qcow2_run tables; /* copies of L2 tables, in a row */
	struct qcow2_run counts; /* the new table of counts, and the blocks behind it */
	uint64_t blocks;	 /* of them */
	struct qcow2_counts *c;
	uint8_t l1[BLOCK_SECTOR];
	uint8_t chunk[CHUNK];
};

static uint64_t clusters_of(const struct rewrite *w, uint64_t bytes)
{
	uint32_t bits = w->h.cluster_bits;

	return (bytes + BIT(bits) - 1) >> bits;
}

/* Room for that many bytes in a row; its offset. */
static uint64_t take(struct rewrite *w, uint64_t bytes)
{
	uint64_t off = w->next << w->h.cluster_bits;

	w->next += clusters_of(w, bytes);
	return off;
}

/* ---- where nothing is ---- */

static int find_end(struct rewrite *w)
{
	struct qcow2 *q = qcow2_of(w->img);
	uint64_t last = (q->h.reftable_off + qcow2_reftable_bytes(&q->h) - 1) >> q->cluster_bits;
	int r = fmt_qcow2_check_count(w->c, &q->h, 0, NULL, 0);

	if (r == 0 && w->c->bad > 0 && !w->change->forgive) {
		return image_corrupt(w->img, "its tables are damaged");
	}
	for (uint64_t off = 0; r == 0 && off < qcow2_reftable_bytes(&q->h); off += BLOCK_SECTOR) {
		r = block_file_read(w->img->file, q->h.reftable_off + off, w->l1, BLOCK_SECTOR);
		for (unsigned int i = 0; r == 0 && i < BLOCK_SECTOR; i += 8) {
			uint64_t block = bytes_get_be64(w->l1 + i) >> q->cluster_bits;

			/* Blocks past the end are no blocks. */
			last = block << q->cluster_bits < w->img->file->size ? u64_max(last, block)
									     : last;
		}
		thread_checkpoint();
	}
	w->next = u64_max(w->c->last, last) + 1;
	return r;
}

/* ---- L1 and L2 tables ---- */

/* With true flags if counts are known, else without. Wrong entries vanish, if that is forgiven. */
static uint64_t new_entry(const struct rewrite *w, uint64_t raw)
{
	struct qcow2_entry e;

	if (!fmt_qcow2_l2_parse(qcow2_of(w->img), raw, &e) ||
	    (e.len > 0 && e.off >= w->img->file->size)) {
		return 0;
	}
	return e.kind == BLOCK_DEFLATE ? raw : raw & ~QCOW2_COPIED;
}

static int copy_l2(struct rewrite *w, uint64_t from, uint64_t to)
{
	uint64_t size = qcow2_cluster_size(qcow2_of(w->img)), chunk = u64_min(size, CHUNK);
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < size; i += chunk) {
		r = block_file_read(w->img->file, from + i, w->chunk, chunk);
		for (uint64_t k = 0; r == 0 && k < chunk; k += 8) {
			uint64_t raw = bytes_get_be64(w->chunk + k);

			bytes_put_be64(w->chunk + k, new_entry(w, raw));
		}
		r = r ? r : block_file_write(w->img->file, to + i, w->chunk, chunk);
		thread_checkpoint();
	}
	return r;
}

static bool is_table(const struct rewrite *w, uint64_t off)
{
	uint64_t size = qcow2_cluster_size(qcow2_of(w->img));

	return off && off % size == 0 && range_within(off, size, w->img->file->size);
}

/* One sector of the L1 table, in w->l1: its tables are copied and it refers to the copies. */
static int copy_tables(struct rewrite *w)
{
	uint32_t bits = w->h.cluster_bits;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < BLOCK_SECTOR; i += 8) {
		uint64_t from = bytes_get_be64(w->l1 + i) & QCOW2_OFFSET;
		uint64_t to = (w->tables.first + w->tables.count) << bits;

		if (!is_table(w, from)) {
			bytes_put_be64(w->l1 + i, 0);
			continue;
		}
		w->tables.count++;
		w->next++;
		r = copy_l2(w, from, to);
		/* A new snapshot shares all tables with the disk. */
		bytes_put_be64(w->l1 + i, w->change->add ? to : to | QCOW2_COPIED);
	}
	return r;
}

/* The new active L1 table, and the new snapshot's at *twin, which is the same. */
static int write_l1(struct rewrite *w, uint64_t *twin)
{
	uint64_t bytes = qcow2_l1_bytes(&w->h);
	int r = 0;

	w->h.l1_off = take(w, bytes);
	*twin = w->change->add ? take(w, bytes) : 0;
	w->tables.first = w->next;
	for (uint64_t off = 0; r == 0 && off < bytes; off += BLOCK_SECTOR) {
		r = block_file_read(w->img->file, w->change->l1_off + off, w->l1, BLOCK_SECTOR);
		if (bytes - off < BLOCK_SECTOR) { /* what lies behind the table is not of it */
			memset(w->l1 + (bytes - off), 0, BLOCK_SECTOR - (bytes - off));
		}
		r = r ? r : copy_tables(w);
		r = r ? r : block_file_write(w->img->file, w->h.l1_off + off, w->l1, BLOCK_SECTOR);
		if (r == 0 && *twin) {
			r = block_file_write(w->img->file, *twin + off, w->l1, BLOCK_SECTOR);
		}
	}
	return r;
}

/* ---- the snapshot table ---- */

struct stream { /* bytes that are written sector by sector */
	struct block_file *file;
	uint64_t off; /* of the sector */
	uint32_t fill;
	int error;
	uint8_t sector[BLOCK_SECTOR];
};

static void put(struct stream *s, const void *bytes, uint64_t len)
{
	const uint8_t *p = bytes;

	while (len-- > 0 && s->error == 0) {
		s->sector[s->fill++] = *p++;
		if (s->fill == BLOCK_SECTOR) {
			s->error = block_file_write(s->file, s->off, s->sector, BLOCK_SECTOR);
			s->off += BLOCK_SECTOR;
			s->fill = 0;
		}
	}
}

static void put_padding(struct stream *s)
{
	static const uint8_t zeros[8];

	put(s, zeros, -s->fill % 8);
}

/* "Snapshot table entry", with the extra data that version 3 asks for */
static void put_snapshot(struct rewrite *w, struct stream *s, uint64_t l1, uint32_t id)
{
	uint8_t head[56] = { 0 };
	char number[16];
	size_t name = strlen(w->change->add);
	uint16_t digits = (uint16_t)fmt_snprintf(number, sizeof(number), "%u", id);

	bytes_put_be64(head, l1);
	bytes_put_be32(head + 8, w->h.l1_size);
	bytes_put_be16(head + 12, digits);
	bytes_put_be16(head + 14, (uint16_t)name);
	bytes_put_be32(head + 16, (uint32_t)w->change->seconds);
	bytes_put_be32(head + 36, 16);
	bytes_put_be64(head + 48, w->h.size);
	put(s, head, sizeof(head));
	put(s, number, digits);
	put(s, w->change->add, name);
	put_padding(s);
}

/* An entry as it is, whatever else it holds. */
static int put_old(struct rewrite *w, struct stream *s, const struct qcow2_snapshot *old)
{
	int r = 0;

	for (uint64_t off = old->off; r == 0 && off < old->next;) {
		uint64_t len = u64_min(old->next - off, BLOCK_SECTOR);

		r = block_file_read_any(w->img->file, off, w->l1, len);
		put(s, w->l1, len);
		off += len;
	}
	return r ? r : s->error;
}

/* The entries that stay; *id is a number that none of them has. */
static int put_kept(struct rewrite *w, struct stream *s, struct qcow2_snapshot *old, uint32_t *id)
{
	const struct qcow2_header *before = &qcow2_of(w->img)->h;
	uint64_t off = before->snapshots_off;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < before->snapshot_count; i++) {
		uint64_t number;

		r = fmt_qcow2_walk_snapshot(w->img, off, old);
		if (r) {
			break;
		}
		off = old->next;
		if (string_to_u64(old->info.id, &number) == 0 && number >= *id) {
			*id = (uint32_t)number + 1;
		}
		if (old->off != w->change->drop) {
			r = put_old(w, s, old);
		}
	}
	return r;
}

static int write_snapshots(struct rewrite *w, uint64_t twin)
{
	struct stream s = { .file = w->img->file };
	struct qcow2_snapshot *old;
	uint64_t start = w->next << w->h.cluster_bits;
	uint32_t id = 1;
	int r;

	w->h.snapshot_count += w->change->add ? 1 : 0;
	w->h.snapshot_count -= w->change->drop ? 1 : 0;
	if (w->h.snapshot_count == 0) {
		w->h.snapshots_off = 0;
		return 0;
	}
	old = heap_alloc(sizeof(*old));
	s.off = start;
	r = old ? put_kept(w, &s, old, &id) : -ENOMEM;
	heap_free(old);
	if (r) {
		return r;
	}
	if (w->change->add) {
		put_snapshot(w, &s, twin, id);
	}
	w->h.snapshots_off = take(w, s.off + s.fill - start);
	memset(s.sector + s.fill, 0, BLOCK_SECTOR - s.fill);
	return s.error ? s.error : block_file_write(s.file, s.off, s.sector, BLOCK_SECTOR);
}

/* ---- counts ---- */

static int write_block(struct rewrite *w, uint64_t first, uint64_t to)
{
	uint32_t order = w->h.refcount_order;
	uint64_t per_chunk = (BLOCK_SECTOR * 8ul) >> order;
	uint8_t *sector = w->l1;

	memset(sector, 0, BLOCK_SECTOR);
	for (uint64_t i = 0; i < per_chunk; i++) {
		uint64_t at = first + i - w->c->first;
		uint16_t count = at < w->c->window ? w->c->count[at] : 0;

		if ((order < 4 && count >> (1u << order)) || count == UINT16_MAX) {
			return -ENOSPC;
		}
		fmt_qcow2_refcount_poke(sector, i, order, count);
	}
	return block_file_write(w->img->file, to, sector, BLOCK_SECTOR);
}

static int write_counts(struct rewrite *w)
{
	uint64_t per_sector = (BLOCK_SECTOR * 8ul) >> w->h.refcount_order;
	struct qcow2_plan plan;
	uint64_t end, to;
	int r;

	plan = fmt_qcow2_create_plan(w->next, w->h.cluster_bits, w->h.refcount_order);
	plan.table = u64_max(plan.table, w->h.reftable_clusters);
	w->blocks =
		fmt_qcow2_create_plan(w->next + plan.table, w->h.cluster_bits, w->h.refcount_order)
			.blocks;
	w->h.reftable_clusters = (uint32_t)plan.table;
	w->counts = (struct qcow2_run){ w->next, plan.table + w->blocks };
	w->h.reftable_off = take(w, w->counts.count << w->h.cluster_bits);
	to = w->h.reftable_off + qcow2_reftable_bytes(&w->h);
	/* Everything is in the file before it is walked, so that its end is behind everything. */
	r = block_file_write_zeros(w->img->file, w->h.reftable_off,
				   w->counts.count << w->h.cluster_bits);
	r = r ? r
	      : fmt_qcow2_create_table(w->img->file, w->h.reftable_off, w->blocks, to,
				       BIT(w->h.cluster_bits));
	end = w->blocks * ((8ul << w->h.cluster_bits) >> w->h.refcount_order);
	w->c->window = ALIGN_DOWN(w->c->window, per_sector);
	for (uint64_t first = 0; r == 0 && first < end; first += per_sector) {
		if (first % w->c->window == 0) {
			r = fmt_qcow2_check_count(w->c, &w->h, first, &w->counts, 1);
		}
		r = r ? r : write_block(w, first, to);
		to += BLOCK_SECTOR;
		thread_checkpoint();
	}
	return r;
}

/* ---- flags ---- */

/* A cluster's new count, by way of w->l1 as a cache of one sector. */
static int new_count(struct rewrite *w, uint64_t cluster, uint64_t *cached, uint64_t *count)
{
	uint32_t order = w->h.refcount_order;
	uint64_t byte = (cluster << order) / 8, sector = ALIGN_DOWN(byte, (uint64_t)BLOCK_SECTOR);
	uint64_t per_sector = (BLOCK_SECTOR * 8ul) >> order;
	int r = 0;

	if (sector != *cached) {
		r = block_file_read(w->img->file,
				    w->h.reftable_off + qcow2_reftable_bytes(&w->h) + sector, w->l1,
				    BLOCK_SECTOR);
		*cached = sector;
	}
	*count = fmt_qcow2_refcount_peek(w->l1, cluster % per_sector, order);
	return r;
}

static int set_flags(struct rewrite *w)
{
	uint64_t size = qcow2_cluster_size(qcow2_of(w->img)), chunk = u64_min(size, CHUNK);
	uint64_t start = w->tables.first << w->h.cluster_bits;
	uint64_t end = start + (w->tables.count << w->h.cluster_bits), cached = UINT64_MAX;
	int r = 0;

	for (uint64_t off = start; r == 0 && off < end; off += chunk) {
		r = block_file_read(w->img->file, off, w->chunk, chunk);
		for (uint64_t k = 0; r == 0 && k < chunk; k += 8) {
			uint64_t raw = bytes_get_be64(w->chunk + k), place = raw & QCOW2_OFFSET,
				 count;

			if (place == 0 || (raw & QCOW2_COMPRESSED)) {
				continue;
			}
			r = new_count(w, place >> w->h.cluster_bits, &cached, &count);
			bytes_put_be64(w->chunk + k, count == 1 ? raw | QCOW2_COPIED : raw);
		}
		r = r ? r : block_file_write(w->img->file, off, w->chunk, chunk);
		thread_checkpoint();
	}
	return r;
}

/* ---- all of it ---- */

static int switch_over(struct rewrite *w)
{
	struct qcow2 *q = qcow2_of(w->img);
	struct qcow2_header before = q->h;
	int r;

	w->h.incompatible &= ~(QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT);
	q->h = w->h;
	r = fmt_qcow2_write_header(w->img);
	if (r) {
		q->h = before;
		return r;
	}
	q->next_free = 1;
	meta_forget(w->img->meta, 0, UINT64_MAX);
	return 0;
}

static int rewrite(struct rewrite *w)
{
	uint64_t twin;
	int r = find_end(w);

	r = r ? r : write_l1(w, &twin);
	r = r ? r : write_snapshots(w, twin);
	r = r ? r : write_counts(w);
	r = r ? r : set_flags(w);
	return r ? r : switch_over(w);
}

int fmt_qcow2_rewrite(struct image *img, const struct qcow2_change *change)
{
	struct rewrite *w = heap_alloc(sizeof(*w));
	int r = w ? fmt_qcow2_flush(img) : -ENOMEM;

	if (r == 0) {
		r = meta_flush(img->meta);
	}
	if (r == 0) {
		w->img = img;
		w->change = change;
		w->h = qcow2_of(img)->h;
		w->c = fmt_qcow2_check_new(img);
		r = w->c ? rewrite(w) : -ENOMEM;
		if (w->c != NULL) {
			heap_free(w->c->count);
			heap_free(w->c);
		}
	}
	heap_free(w);
	return r;
}
