/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2 as its parts share it: what lies where on disk, the state of an open image. */
/* Section titles are those of the specification, "QCOW2 image format". */
#ifndef DRIVERS_BLOCK_FMT_QCOW2_H
#define DRIVERS_BLOCK_FMT_QCOW2_H

#include "drivers/block/format.h"

#define QCOW2_MAGIC	    0x514649fbu
#define QCOW2_HEADER_V2	    72u
#define QCOW2_HEADER_V3	    104u
#define QCOW2_CLUSTER_MIN   9u /* bits */
#define QCOW2_CLUSTER_MAX   21u
#define QCOW2_L1_MAX	    (32ul * MIB) /* bytes, as QEMU allows */
#define QCOW2_REFTABLE_MAX  (64ul * MIB)
#define QCOW2_SNAPSHOTS_MAX 65536u
#define QCOW2_OFFSET	    0x00fffffffffffe00ul /* of a cluster, in L1 and L2 entries */
#define QCOW2_REFTABLE_MASK 0xfffffffffffffe00ul
#define QCOW2_COPIED	    BIT(63) /* reference count is exactly one */
#define QCOW2_COMPRESSED    BIT(62)
#define QCOW2_ZERO	    BIT(0)

/* "Header": all numbers are big-endian. */
struct qcow2_header {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_off;
	uint32_t backing_len;
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t crypt_method;
	uint32_t l1_size; /* entries */
	uint64_t l1_off;
	uint64_t reftable_off;
	uint32_t reftable_clusters;
	uint32_t snapshot_count;
	uint64_t snapshots_off;
	uint64_t incompatible; /* from here on version 3 */
	uint64_t compatible;
	uint64_t autoclear;
	uint32_t refcount_order;
	uint32_t header_length;
} PACKED;
_Static_assert(sizeof(struct qcow2_header) == QCOW2_HEADER_V3, "QCOW2 image format, Header");
_Static_assert(offsetof(struct qcow2_header, incompatible) == QCOW2_HEADER_V2, "version 2's end");

#define QCOW2_INCOMPATIBLE_DIRTY    BIT(0)
#define QCOW2_INCOMPATIBLE_CORRUPT  BIT(1)
#define QCOW2_INCOMPATIBLE_DATAFILE BIT(2)
#define QCOW2_INCOMPATIBLE_COMPRESS BIT(3)
#define QCOW2_INCOMPATIBLE_L2_EXT   BIT(4)

#define QCOW2_EXT_END	  0u
#define QCOW2_EXT_BACKING 0xe2792acau /* the backing file's format */
#define QCOW2_EXT_NAMES	  0x6803f857u /* of features */

#define QCOW2_PENDING 128u

struct qcow2_run { /* of host clusters */
	uint64_t first;
	uint64_t count;
};

struct qcow2 {
	struct qcow2_header h; /* in the CPU's byte order; what is on disk */
	uint32_t cluster_bits;
	uint32_t l2_bits;	/* entries of an L2 table */
	uint32_t refblock_bits; /* counts in a refcount block */
	uint64_t next_free;	/* no free cluster lies below this one */
	uint32_t pending_count;
	/* No reference any more in the cache, but perhaps on disk: one count less after the next flush. */
	struct qcow2_run pending[QCOW2_PENDING];
};

static inline struct qcow2 *qcow2_of(const struct image *img)
{
	return img->state;
}

static inline uint64_t qcow2_cluster_size(const struct qcow2 *q)
{
	return 1ul << q->cluster_bits;
}

static inline uint64_t qcow2_l1_bytes(const struct qcow2_header *h)
{
	return h->l1_size * 8ul;
}

static inline uint64_t qcow2_reftable_bytes(const struct qcow2_header *h)
{
	return (uint64_t)h->reftable_clusters << h->cluster_bits;
}

/* ---- fmt_qcow2.c ---- */

/* Big-endian fields to and from the CPU's order. */
void fmt_qcow2_get_header(struct qcow2_header *h, const uint8_t *raw);
void fmt_qcow2_put_header(uint8_t *raw, const struct qcow2_header *h);
/* Writes q->h as it is now, in one sector, and flushes before and after. */
int fmt_qcow2_write_header(struct image *img);
/* True if a table or the header lies in [off, off + len) of the file. */
bool fmt_qcow2_is_metadata(const struct qcow2 *q, uint64_t off, uint64_t len);
int fmt_qcow2_flush(struct image *img);

/* ---- fmt_qcow2_create.c ---- */

int fmt_qcow2_create(struct block_file *f, const struct image_create_params *p,
		     struct image_why *why);

struct qcow2_plan { /* in clusters */
	uint64_t table;
	uint64_t blocks;
};

/* How many clusters of counts n clusters need, with these and their table counted in. */
struct qcow2_plan fmt_qcow2_create_plan(uint64_t n, uint32_t cluster_bits, uint32_t order);
/* Writes `entries` entries of a table: first, first + step, … */
int fmt_qcow2_create_table(struct block_file *f, uint64_t off, uint64_t entries, uint64_t first,
			   uint64_t step);

/* ---- fmt_qcow2_l2.c: the ops of the same names ---- */

struct qcow2_entry { /* an L2 entry, taken apart */
	enum block_kind kind;
	uint64_t off; /* DATA, a ZERO with a place: of the host cluster; DEFLATE: of the stream */
	uint64_t len; /* bytes at off, DEFLATE: at most */
	bool copied;
};

/* False: no image of this version has such an entry. */
bool fmt_qcow2_l2_parse(const struct qcow2 *q, uint64_t raw, struct qcow2_entry *e);

int fmt_qcow2_l2_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m);
int fmt_qcow2_l2_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p);
int fmt_qcow2_l2_link(struct image *img, uint64_t off, const struct block_place *p);
void fmt_qcow2_l2_unalloc(struct image *img, uint64_t off, const struct block_place *p);
int fmt_qcow2_l2_discard(struct image *img, uint64_t off, uint64_t len, bool zeros);

/* ---- fmt_qcow2_refcount.c: clusters are numbered by their place in the file ---- */

int fmt_qcow2_refcount_get(struct image *img, uint64_t cluster, uint64_t *count);
/* -ENOSPC if the count does not fit. The block of counts must exist. */
int fmt_qcow2_refcount_set(struct image *img, uint64_t cluster, uint64_t count);
/* Takes 1 to *count free clusters in a row, count 1 each. Sets *count to how many. */
int fmt_qcow2_refcount_alloc(struct image *img, uint64_t *count, uint64_t *first);
/* For clusters that nothing refers to, not even on disk. */
void fmt_qcow2_refcount_undo(struct image *img, uint64_t first, uint64_t count);
/* The reference is gone from the cache; the count follows once it is gone from the disk. */
int fmt_qcow2_refcount_release(struct image *img, uint64_t first, uint64_t count);
/* The disk knows of no reference any more: lowers the counts. */
int fmt_qcow2_refcount_settle(struct image *img);
/* The count at index of a block of counts in memory, and its new value. */
uint64_t fmt_qcow2_refcount_peek(const uint8_t *block, uint64_t index, uint32_t order);
void fmt_qcow2_refcount_poke(uint8_t *block, uint64_t index, uint32_t order, uint64_t count);

/* ---- fmt_qcow2_walk.c ---- */

/* Sees every reference to a place in the file but those to counts and their table. */
struct qcow2_visitor {
	/* [off, off + len) is in use once more. Non-zero ends the walk. */
	int (*use)(struct qcow2_visitor *v, uint64_t off, uint64_t len);
	/* A reference that cannot be one; it is passed over if 0 is returned. */
	int (*bad)(struct qcow2_visitor *v, const char *what, uint64_t val);
	/* NULL or: an entry of an L2 table that the active L1 table, `active`, leads to. */
	int (*entry)(struct qcow2_visitor *v, uint64_t raw, bool is_l1);
};

/* Reads past the cache, which is clean. h says where the tables are. */
int fmt_qcow2_walk(struct image *img, const struct qcow2_header *h, struct qcow2_visitor *v);

struct qcow2_snapshot { /* "Snapshots", as found in the table */
	uint64_t off;	/* of the entry in the file */
	uint64_t next;	/* of the one behind it */
	uint64_t l1_off;
	uint32_t l1_size;
	struct image_snapshot info;
};

/* The snapshot at `off`, the first of which is at h->snapshots_off. -EIO if it cannot be one. */
int fmt_qcow2_walk_snapshot(struct image *img, uint64_t off, struct qcow2_snapshot *s);

/* ---- fmt_qcow2_check.c: counts by walking, some at a time ---- */

struct qcow2_counts {
	struct qcow2_visitor visitor;
	struct image *img;
	uint64_t first;	 /* cluster */
	uint64_t window; /* clusters counted at once */
	uint64_t last;	 /* the highest cluster that was seen in use */
	uint64_t bad;
	struct image_why *why; /* takes the first bad one; or NULL */
	uint16_t *count;       /* [window], no higher than 65535 */
};

/* NULL: no memory. `last` and `bad` are of all clusters after any call of _count. */
struct qcow2_counts *fmt_qcow2_check_new(struct image *img);
/* Counts the references of h's tables to clusters from first on; and the clusters of `more` runs. */
int fmt_qcow2_check_count(struct qcow2_counts *c, const struct qcow2_header *h, uint64_t first,
			  const struct qcow2_run *more, unsigned int n);
int fmt_qcow2_check(struct image *img, bool repair, struct image_check *result);

/* ---- fmt_qcow2_rewrite.c ---- */

/* What the image will be after the switch. */
struct qcow2_change {
	uint64_t l1_off; /* the L1 table whose disk is the active one from then on */
	const char *add; /* name of a snapshot that is made of it, or NULL */
	uint64_t seconds;
	uint64_t drop; /* offset of the snapshot's entry that is left out, or 0 */
	bool forgive;  /* entries that are wrong become unallocated */
};

/*
 * Writes all tables anew where nothing is, with true counts and flags, and switches over by one write
 * of the header's sector: a power cut leaves the old state or the new one. The image is at rest.
 * -ENOSPC also if a count does not fit its width.
 */
int fmt_qcow2_rewrite(struct image *img, const struct qcow2_change *change);

/* ---- fmt_qcow2_snapshot.c ---- */

extern const struct block_snapshot_ops fmt_qcow2_snapshot_ops;

#endif
