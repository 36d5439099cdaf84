/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's reference counts: a table of blocks of counts, 1 to 64 bits each, one per host cluster. */
/* Finds free clusters; what is stored in them is others' business. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define PACE	     64u	 /* clusters looked at between two checkpoints */
#define CLUSTERS_MAX (1ul << 55) /* offsets have 56 bits */

/* ---- counts in memory ---- */

uint64_t fmt_qcow2_refcount_peek(const uint8_t *block, uint64_t index, uint32_t order)
{
	if (order < 3) {
		uint32_t per_byte = 8u >> order, bits = 1u << order;

		return block[index / per_byte] >> (index % per_byte * bits) & ((1u << bits) - 1);
	}
	switch (order) {
	case 3:
		return block[index];
	case 4:
		return bytes_get_be16(block + index * 2);
	case 5:
		return bytes_get_be32(block + index * 4);
	default:
		return bytes_get_be64(block + index * 8);
	}
}

void fmt_qcow2_refcount_poke(uint8_t *block, uint64_t index, uint32_t order, uint64_t count)
{
	if (order < 3) {
		uint32_t per_byte = 8u >> order, bits = 1u << order;
		uint32_t shift = (uint32_t)(index % per_byte) * bits;
		uint8_t *b = block + index / per_byte;

		*b = (uint8_t)((*b & ~(((1u << bits) - 1) << shift)) | (uint32_t)count << shift);
		return;
	}
	switch (order) {
	case 3:
		block[index] = (uint8_t)count;
		break;
	case 4:
		bytes_put_be16(block + index * 2, (uint16_t)count);
		break;
	case 5:
		bytes_put_be32(block + index * 4, (uint32_t)count);
		break;
	default:
		bytes_put_be64(block + index * 8, count);
	}
}

/* ---- counts on disk ---- */

static uint64_t table_entries(const struct qcow2 *q)
{
	return qcow2_reftable_bytes(&q->h) / 8;
}

/* The offset of a cluster's block of counts; 0 if there is none. */
static int find_block(struct image *img, uint64_t cluster, uint64_t *off)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t index = cluster >> q->refblock_bits;
	uint8_t *p;
	int r;

	*off = 0;
	if (index >= table_entries(q)) {
		return 0;
	}
	r = meta_get(img->meta, q->h.reftable_off + index * 8, META_INDEX, &p);
	if (r) {
		return r;
	}
	*off = bytes_get_be64(p) & QCOW2_REFTABLE_MASK;
	if (*off % qcow2_cluster_size(q) ||
	    !range_within(*off, qcow2_cluster_size(q), img->file->size)) {
		return image_corrupt(img, "refcount block %lu is misplaced", index);
	}
	return 0;
}

/* The bytes of a cache block in which a cluster's count lies, at *index of them; *p NULL: all 0. */
static int get_block(struct image *img, uint64_t cluster, uint8_t **p, uint64_t *index)
{
	struct qcow2 *q = qcow2_of(img);
	uint32_t order = q->h.refcount_order, size = meta_block_size(img->meta);
	uint64_t in_block = cluster & ((1ul << q->refblock_bits) - 1), off;
	uint64_t start = ALIGN_DOWN((in_block << order) / 8, (uint64_t)size);
	int r = find_block(img, cluster, &off);

	*p = NULL;
	*index = in_block - ((start * 8) >> order);
	return r || off == 0 ? r : meta_get(img->meta, off + start, META_REFS, p);
}

int fmt_qcow2_refcount_get(struct image *img, uint64_t cluster, uint64_t *count)
{
	uint64_t index;
	uint8_t *p;
	int r = get_block(img, cluster, &p, &index);

	*count = r == 0 && p ? fmt_qcow2_refcount_peek(p, index, qcow2_of(img)->h.refcount_order)
			     : 0;
	return r;
}

int fmt_qcow2_refcount_set(struct image *img, uint64_t cluster, uint64_t count)
{
	uint32_t order = qcow2_of(img)->h.refcount_order;
	uint64_t index;
	uint8_t *p;
	int r = get_block(img, cluster, &p, &index);

	if (r) {
		return r;
	}
	if (p == NULL) {
		return image_corrupt(img, "cluster %lu has no reference count", cluster);
	}
	if (order < 6 && count >> (1u << order)) {
		return -ENOSPC;
	}
	fmt_qcow2_refcount_poke(p, index, order, count);
	meta_dirty(img->meta, p);
	return 0;
}

/* ---- more room for counts ---- */

/* A cluster's bytes become zeros on disk, past the cache: nothing refers to it yet. */
static int clear_cluster(struct image *img, uint64_t cluster)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t size = qcow2_cluster_size(q);

	meta_forget(img->meta, cluster << q->cluster_bits, size);
	return block_file_write_zeros(img->file, cluster << q->cluster_bits, size);
}

/*
 * Makes the block of counts for the clusters around `cluster`, none of which is in use: it lies in the
 * first of them and counts itself.
 */
static int add_block(struct image *img, uint64_t cluster)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t index = cluster >> q->refblock_bits, home = index << q->refblock_bits;
	uint64_t off = home << q->cluster_bits;
	uint8_t *p;
	int r;

	if (fmt_qcow2_is_metadata(q, off, qcow2_cluster_size(q))) {
		return image_corrupt(img, "tables at %lx have no reference count", off);
	}
	r = clear_cluster(img, home);
	r = r ? r : meta_get(img->meta, off, META_REFS, &p);
	if (r) {
		return r;
	}
	fmt_qcow2_refcount_poke(p, 0, q->h.refcount_order, 1);
	meta_dirty(img->meta, p);
	r = meta_get(img->meta, q->h.reftable_off + index * 8, META_INDEX, &p);
	if (r) {
		return r;
	}
	bytes_put_be64(p, off);
	meta_dirty(img->meta, p);
	return 0;
}

static int copy_table(struct image *img, uint64_t to)
{
	const struct qcow2_header *h = &qcow2_of(img)->h;
	uint8_t sector[BLOCK_SECTOR];
	int r = 0;

	for (uint64_t off = 0; r == 0 && off < qcow2_reftable_bytes(h); off += sizeof(sector)) {
		r = block_file_read(img->file, h->reftable_off + off, sector, sizeof(sector));
		r = r ? r : block_file_write(img->file, to + off, sector, sizeof(sector));
	}
	return r;
}

/* Counts for `count` clusters from `home` on, whose first `blocks` ones are the blocks themselves. */
static int write_counts(struct image *img, uint64_t home, uint64_t count)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t per_sector = (BLOCK_SECTOR * 8ul) >> q->h.refcount_order;
	uint64_t off = home << q->cluster_bits;
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < count; done += per_sector) {
		uint8_t sector[BLOCK_SECTOR] = { 0 };

		for (uint64_t i = 0; i < per_sector && done + i < count; i++) {
			fmt_qcow2_refcount_poke(sector, i, q->h.refcount_order, 1);
		}
		r = block_file_write(img->file, off, sector, sizeof(sector));
		off += sizeof(sector);
	}
	return r;
}

static int write_entries(struct image *img, uint64_t table, uint64_t first, uint64_t blocks,
			 uint64_t home)
{
	struct qcow2 *q = qcow2_of(img);
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < blocks; i++) {
		uint64_t at = table + (first + i) * 8;
		uint8_t sector[BLOCK_SECTOR];

		r = block_file_read(img->file, ALIGN_DOWN(at, (uint64_t)BLOCK_SECTOR), sector,
				    sizeof(sector));
		bytes_put_be64(sector + at % BLOCK_SECTOR, (home + i) << q->cluster_bits);
		r = r ? r
		      : block_file_write(img->file, ALIGN_DOWN(at, (uint64_t)BLOCK_SECTOR), sector,
					 sizeof(sector));
	}
	return r;
}

/*
 * The table is full, so every cluster from the end of its reach on is free: there go new blocks, which
 * count themselves and the new table behind them; the header's sector switches over.
 */
static int grow_table(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t entries = table_entries(q), home = entries << q->refblock_bits;
	uint64_t clusters = q->h.reftable_clusters + q->h.reftable_clusters / 2ul + 1, blocks = 1;
	struct qcow2_run old = { q->h.reftable_off >> q->cluster_bits, q->h.reftable_clusters };
	uint64_t table;
	int r;

	while (blocks << q->refblock_bits < blocks + clusters) {
		blocks++;
	}
	table = (home + blocks) << q->cluster_bits;
	if (clusters << q->cluster_bits > QCOW2_REFTABLE_MAX || home + blocks > CLUSTERS_MAX ||
	    entries + blocks > (clusters << q->cluster_bits) / 8) {
		return -ENOSPC;
	}
	r = meta_flush(img->meta);
	for (uint64_t i = 0; r == 0 && i < blocks + clusters; i++) {
		r = clear_cluster(img, home + i);
	}
	r = r ? r : write_counts(img, home, blocks + clusters);
	r = r ? r : copy_table(img, table);
	r = r ? r : write_entries(img, table, entries, blocks, home);
	if (r) {
		return r;
	}
	q->h.reftable_off = table;
	q->h.reftable_clusters = (uint32_t)clusters;
	r = fmt_qcow2_write_header(img);
	if (r) {
		q->h.reftable_off = old.first << q->cluster_bits;
		q->h.reftable_clusters = (uint32_t)old.count;
		return r;
	}
	meta_forget(img->meta, old.first << q->cluster_bits, old.count << q->cluster_bits);
	return fmt_qcow2_refcount_release(img, old.first, old.count);
}

/* ---- finding free clusters ---- */

/* 1: cluster is free and has a count; 0: it is not; or an error. */
static int is_free(struct image *img, uint64_t cluster)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t index;
	uint8_t *p;
	int r = cluster < CLUSTERS_MAX >> q->cluster_bits ? 0 : -ENOSPC;

	r = r ? r : get_block(img, cluster, &p, &index);
	if (r == 0 && p == NULL) {
		if (cluster >> q->refblock_bits >= table_entries(q)) {
			r = grow_table(img);
		} else {
			r = add_block(img, cluster);
		}
		r = r ? r : get_block(img, cluster, &p, &index);
	}
	return r ? r : fmt_qcow2_refcount_peek(p, index, q->h.refcount_order) == 0;
}

/* The first free cluster from q->next_free on. */
static int find_first(struct image *img, uint64_t *cluster)
{
	struct qcow2 *q = qcow2_of(img);
	int r = 0;

	for (*cluster = q->next_free; r == 0; *cluster += r == 0) {
		r = is_free(img, *cluster);
		if (*cluster % PACE == 0) {
			thread_checkpoint();
		}
	}
	return r < 0 ? r : 0;
}

int fmt_qcow2_refcount_alloc(struct image *img, uint64_t *count, uint64_t *first)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t want = *count, got = 0;
	int r = find_first(img, first);

	q->next_free = r ? q->next_free : *first;
	while (r == 0 && got < want) {
		uint64_t cluster = *first + got;

		r = got > 0 ? is_free(img, cluster) : 1;
		if (r <= 0) {
			break;
		}
		if (fmt_qcow2_is_metadata(q, cluster << q->cluster_bits, qcow2_cluster_size(q))) {
			r = image_corrupt(img, "a table at cluster %lu counts as free", cluster);
			break;
		}
		r = fmt_qcow2_refcount_set(img, cluster, 1);
		got += r == 0;
	}
	if (got == 0) {
		return r;
	}
	q->next_free = *first + got;
	*count = got;
	return 0;
}

/* ---- giving back ---- */

static int lower(struct image *img, uint64_t cluster)
{
	struct qcow2 *q = qcow2_of(img);
	uint64_t count;
	int r = fmt_qcow2_refcount_get(img, cluster, &count);

	if (r) {
		return r;
	}
	if (count == 0) {
		return image_corrupt(img, "cluster %lu is in use but counts as free", cluster);
	}
	r = fmt_qcow2_refcount_set(img, cluster, count - 1);
	if (r == 0 && count == 1) {
		q->next_free = u64_min(q->next_free, cluster);
		block_file_discard(img->file, cluster << q->cluster_bits, qcow2_cluster_size(q));
	}
	return r;
}

void fmt_qcow2_refcount_undo(struct image *img, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		(void)lower(img, first + i); /* at worst it leaks */
	}
}

int fmt_qcow2_refcount_release(struct image *img, uint64_t first, uint64_t count)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_run *last = q->pending_count > 0 ? &q->pending[q->pending_count - 1] : NULL;
	int r = 0;

	if (last != NULL && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	if (q->pending_count == QCOW2_PENDING) {
		r = fmt_qcow2_flush(img);
	}
	if (r == 0) {
		q->pending[q->pending_count++] = (struct qcow2_run){ first, count };
	}
	return r;
}

int fmt_qcow2_refcount_settle(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint32_t n = q->pending_count;

	/* Wrong counts were reported; what is left of a failed run leaks. */
	q->pending_count = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct qcow2_run *run = &q->pending[i];

		for (uint64_t c = run->first; c < run->first + run->count; c++) {
			int r = lower(img, c);

			if (r && r != -EIO) {
				return r;
			}
		}
		thread_checkpoint();
	}
	return 0;
}
