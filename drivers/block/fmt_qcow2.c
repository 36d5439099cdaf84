/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2: the header, what of it is refused and why, and the order of a flush. */
/* Tables are read in fmt_qcow2_l2.c and fmt_qcow2_refcount.c. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define EXTENSIONS_MAX 64u

/* ---- the header's fields ---- */

struct field {
	uint8_t off;
	uint8_t size;
};

#define FIELD(name)                                                                                \
	{                                                                                          \
		offsetof(struct qcow2_header, name), sizeof(((struct qcow2_header *)0)->name)      \
	}
static const struct field fields[] = {
	FIELD(magic),	      FIELD(version),		FIELD(backing_off),
	FIELD(backing_len),   FIELD(cluster_bits),	FIELD(size),
	FIELD(crypt_method),  FIELD(l1_size),		FIELD(l1_off),
	FIELD(reftable_off),  FIELD(reftable_clusters), FIELD(snapshot_count),
	FIELD(snapshots_off), FIELD(incompatible),	FIELD(compatible),
	FIELD(autoclear),     FIELD(refcount_order),	FIELD(header_length),
};

static void swap(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields) && fields[i].off < len; i++) {
		for (size_t b = 0; b < fields[i].size; b++) {
			size_t last = fields[i].off + (size_t)fields[i].size - 1;

			to[fields[i].off + b] = from[last - b];
		}
	}
}

void fmt_qcow2_get_header(struct qcow2_header *h, const uint8_t *raw)
{
	swap((uint8_t *)h, raw, sizeof(*h));
	if (h->version == 2) {
		h->incompatible = h->compatible = h->autoclear = 0;
		h->refcount_order = 4;
		h->header_length = QCOW2_HEADER_V2;
	}
}

void fmt_qcow2_put_header(uint8_t *raw, const struct qcow2_header *h)
{
	swap(raw, (const uint8_t *)h, h->version == 2 ? QCOW2_HEADER_V2 : sizeof(*h));
}

/* The sector is written whole or not at all: this is the one way to change several fields at once. */
int fmt_qcow2_write_header(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	fmt_qcow2_put_header(raw, &q->h);
	r = r ? r : block_file_flush(img->file);
	r = r ? r : block_file_write(img->file, 0, raw, sizeof(raw));
	return r ? r : block_file_flush(img->file);
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

bool fmt_qcow2_is_metadata(const struct qcow2 *q, uint64_t off, uint64_t len)
{
	return off < qcow2_cluster_size(q) ||
	       overlap(off, len, q->h.l1_off, qcow2_l1_bytes(&q->h)) ||
	       overlap(off, len, q->h.reftable_off, qcow2_reftable_bytes(&q->h)) ||
	       (q->h.snapshot_count > 0 && overlap(off, len, q->h.snapshots_off, 1));
}

/* ---- opening ---- */

struct rule {
	bool broken;
	int err;
	const char *text;
};

static int first_broken(struct image *img, const struct rule *rules, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (rules[i].broken) {
			return image_error(img, rules[i].err, "%s", rules[i].text);
		}
	}
	return 0;
}

static int check_features(struct image *img, const struct qcow2_header *h)
{
	uint64_t bits = h->incompatible;
	const struct rule rules[] = {
		{ h->crypt_method != 0, -ENOTSUP, "is encrypted" },
		{ bits & QCOW2_INCOMPATIBLE_DATAFILE, -ENOTSUP, "has an external data file" },
		{ bits & QCOW2_INCOMPATIBLE_COMPRESS, -ENOTSUP,
		  "is compressed by another method than deflate" },
		{ bits & QCOW2_INCOMPATIBLE_L2_EXT, -ENOTSUP, "has extended L2 entries" },
		{ (bits & QCOW2_INCOMPATIBLE_CORRUPT) && !img->dev.readonly && !img->repair, -EROFS,
		  "is marked corrupt: repair it before writing" },
	};

	if (bits >> 5) {
		return image_error(img, -ENOTSUP, "needs a feature that is not known: bit %d",
				   __builtin_ctzl(bits & ~0x1ful));
	}
	return first_broken(img, rules, ARRAY_SIZE(rules));
}

/* A table within the file, at a cluster's start. */
static bool misplaced(const struct image *img, uint64_t off, uint64_t len, uint32_t cluster_bits)
{
	return off % (1ul << cluster_bits) || !range_within(off, len, img->file->size);
}

static int check_header(struct image *img, const struct qcow2_header *h)
{
	const struct rule first[] = {
		{ h->magic != QCOW2_MAGIC, -EINVAL, "has no QCOW2 header" },
		{ h->version != 2 && h->version != 3, -ENOTSUP, "is neither version 2 nor 3" },
		{ h->cluster_bits < QCOW2_CLUSTER_MIN || h->cluster_bits > QCOW2_CLUSTER_MAX,
		  -EINVAL, "cluster size is not between 512 bytes and 2 MiB" },
		{ h->refcount_order > 6, -EINVAL, "reference counts of more than 64 bits" },
	};
	/* What follows shifts by the cluster's bits. */
	int r = first_broken(img, first, ARRAY_SIZE(first));
	uint32_t bits = h->cluster_bits;

	if (r == 0) {
		const struct rule then[] = {
			{ h->header_length < QCOW2_HEADER_V2 ||
				  (h->version == 3 && h->header_length < QCOW2_HEADER_V3) ||
				  h->header_length > BIT(h->cluster_bits) || h->header_length % 8,
			  -EINVAL, "header length" },
			{ h->size == 0 || h->size % BLOCK_SECTOR || h->size >> 56, -EINVAL,
			  "size of the disk" },
			{ qcow2_l1_bytes(h) > QCOW2_L1_MAX, -EINVAL, "L1 table is too large" },
			{ ((h->size - 1) >> (2 * bits - 3)) >= h->l1_size, -EINVAL,
			  "L1 table is smaller than the disk" },
			{ misplaced(img, h->l1_off, qcow2_l1_bytes(h), bits) || h->l1_off == 0,
			  -EINVAL, "L1 table is misplaced" },
			{ h->reftable_clusters == 0 || qcow2_reftable_bytes(h) > QCOW2_REFTABLE_MAX,
			  -EINVAL, "size of the refcount table" },
			{ misplaced(img, h->reftable_off, qcow2_reftable_bytes(h), bits) ||
				  h->reftable_off == 0,
			  -EINVAL, "refcount table is misplaced" },
			{ overlap(h->l1_off, qcow2_l1_bytes(h), h->reftable_off,
				  qcow2_reftable_bytes(h)),
			  -EINVAL, "L1 table and refcount table overlap" },
			{ h->snapshot_count > QCOW2_SNAPSHOTS_MAX, -EINVAL, "too many snapshots" },
			{ h->snapshot_count > 0 && (misplaced(img, h->snapshots_off, 1, bits) ||
						    h->snapshots_off == 0),
			  -EINVAL, "snapshot table is misplaced" },
		};
		r = first_broken(img, then, ARRAY_SIZE(then));
	}
	return r;
}

/* "Header extensions": of all of them only the backing file's format matters. */
static int read_extensions(struct image *img, const struct qcow2_header *h)
{
	uint64_t end = h->backing_off ? h->backing_off : BIT(h->cluster_bits);
	uint64_t off = h->header_length;

	for (unsigned int i = 0; i < EXTENSIONS_MAX && off + 8 <= end; i++) {
		uint8_t head[8];
		int r = block_file_read_any(img->file, off, head, sizeof(head));
		uint32_t type = bytes_get_be32(head), len = bytes_get_be32(head + 4);

		if (r || type == QCOW2_EXT_END) {
			return r;
		}
		off += sizeof(head);
		if (!range_within(off, len, end)) {
			return image_error(img, -EINVAL, "header extension is too long");
		}
		if (type == QCOW2_EXT_BACKING) {
			if (len >= sizeof(img->base.format)) {
				return image_error(img, -EINVAL, "name of the backing format");
			}
			r = block_file_read_any(img->file, off, img->base.format, len);
			if (r) {
				return r;
			}
		}
		off += ALIGN_UP((uint64_t)len, 8ul);
	}
	return 0;
}

static int read_backing(struct image *img, const struct qcow2_header *h)
{
	if (h->backing_off == 0) {
		return 0;
	}
	if (h->backing_len == 0 || h->backing_len > IMAGE_NAME_MAX ||
	    !range_within(h->backing_off, h->backing_len, BIT(h->cluster_bits)) ||
	    h->backing_off < h->header_length) {
		return image_error(img, -EINVAL, "name of the backing file is misplaced");
	}
	return block_file_read_any(img->file, h->backing_off, img->base.name, h->backing_len);
}

/*
 * Features that only others keep up to date are void once we write. Lazy counts are made true at once
 * and stay so: the flag that says otherwise is never set here.
 */
static int qcow2_start(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	const struct qcow2_change same = { .l1_off = q->h.l1_off };
	uint64_t before = q->h.autoclear;

	q->h.autoclear = 0;
	if (q->h.incompatible & QCOW2_INCOMPATIBLE_DIRTY) {
		return fmt_qcow2_rewrite(img, &same);
	}
	return before ? fmt_qcow2_write_header(img) : 0;
}

static int qcow2_open(struct image *img)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	fmt_qcow2_get_header(&q->h, raw);
	r = r ? r : check_header(img, &q->h);
	r = r ? r : check_features(img, &q->h);
	r = r ? r : read_backing(img, &q->h);
	r = r ? r : read_extensions(img, &q->h);
	if (r) {
		return r;
	}
	q->cluster_bits = q->h.cluster_bits;
	q->l2_bits = q->cluster_bits - 3;
	q->refblock_bits = q->cluster_bits + 3 - q->h.refcount_order;
	q->next_free = 1;
	img->dev.size = q->h.size;
	img->cluster_size = (uint32_t)qcow2_cluster_size(q);
	img->meta = meta_new(img->file, img->cluster_size);
	return img->meta ? 0 : image_error(img, -ENOMEM, "out of memory");
}

/*
 * ---- growing ----
 * The L1 table's last cluster has room for more entries; they were nobody's, so they are cleared first.
 */
static int clear_l1(struct image *img, uint64_t entries)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t *p;
	int r = 0;

	for (uint64_t i = q->h.l1_size; r == 0 && i < entries; i++) {
		r = meta_get(img->meta, q->h.l1_off + i * 8, META_ROOT, &p);
		if (r == 0) {
			bytes_put_be64(p, 0);
			meta_dirty(img->meta, p);
		}
		thread_checkpoint();
	}
	return r ? r : fmt_qcow2_flush(img);
}

static int qcow2_grow(struct image *img, uint64_t size)
{
	struct qcow2 *q = qcow2_of(img);
	struct qcow2_header before = q->h;
	uint64_t entries = ((size - 1) >> (q->cluster_bits + q->l2_bits)) + 1;
	uint64_t room = ALIGN_UP(qcow2_l1_bytes(&q->h), qcow2_cluster_size(q)) / 8;
	int r;

	/* Snapshots of version 2 do not say how large the disk was. */
	if (entries > room || entries * 8 > QCOW2_L1_MAX ||
	    (q->h.version < 3 && q->h.snapshot_count > 0)) {
		return -ENOTSUP;
	}
	r = clear_l1(img, entries);
	if (r) {
		return r;
	}
	q->h.size = size;
	q->h.l1_size = (uint32_t)u64_max(entries, q->h.l1_size);
	r = fmt_qcow2_write_header(img);
	q->h = r ? before : q->h;
	return r;
}

/* ---- flush ---- */

/* Counts go up before a reference is written (the kinds of meta.h) and down after it is gone. */
int fmt_qcow2_flush(struct image *img)
{
	int r = meta_flush(img->meta);

	return r ? r : fmt_qcow2_refcount_settle(img);
}

/* A second flush writes the counts that the first one lowered: nothing leaks when all goes well. */
static void qcow2_close(struct image *img)
{
	if (img->meta != NULL && !img->dev.readonly && !meta_is_clean(img->meta)) {
		(void)meta_flush(img->meta);
	}
}

static const struct block_format fmt_qcow2 = {
	.name = "qcow2",
	.state_size = sizeof(struct qcow2),
	.open = qcow2_open,
	.start = qcow2_start,
	.close = qcow2_close,
	.map = fmt_qcow2_l2_map,
	.alloc = fmt_qcow2_l2_alloc,
	.link = fmt_qcow2_l2_link,
	.grow = qcow2_grow,
	.unalloc = fmt_qcow2_l2_unalloc,
	.discard = fmt_qcow2_l2_discard,
	.flush = fmt_qcow2_flush,
	.create = fmt_qcow2_create,
	.check = fmt_qcow2_check,
	.snapshot = &fmt_qcow2_snapshot_ops,
};
BLOCK_FORMAT_REGISTER(fmt_qcow2);
