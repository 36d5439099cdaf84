/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes an empty QCOW2 image: header, refcount table and blocks, L1 table, in this order. */
/* Nothing of an image that exists is changed here. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define CLUSTER_BITS  16u
#define REFCOUNT_BITS 16u

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

struct qcow2_plan fmt_qcow2_create_plan(uint64_t n, uint32_t cluster_bits, uint32_t order)
{
	uint64_t per_block = (8ul << cluster_bits) >> order, per_table = 1ul << (cluster_bits - 3);
	struct qcow2_plan l = { .table = 1, .blocks = 1 };

	for (;;) {
		uint64_t blocks = divide_up(n + l.blocks + l.table, per_block);
		uint64_t table = divide_up(blocks, per_table);

		if (blocks <= l.blocks && table <= l.table) {
			return l;
		}
		l.blocks = u64_max(blocks, l.blocks);
		l.table = u64_max(table, l.table);
	}
}

static uint32_t log2_of(uint64_t v)
{
	return v ? 63u - (uint32_t)__builtin_clzl(v) : 0;
}

static bool is_power_of_2(uint64_t v)
{
	return v && (v & (v - 1)) == 0;
}

static int fail(struct image_why *why, const char *text)
{
	fmt_snprintf(why->text, sizeof(why->text), "%s", text);
	return -EINVAL;
}

static int check_params(const struct image_create_params *p, struct qcow2_header *h,
			struct image_why *why)
{
	uint64_t cluster = p->cluster_size ? p->cluster_size : BIT(CLUSTER_BITS);
	uint64_t width = p->refcount_bits ? p->refcount_bits : REFCOUNT_BITS;

	h->version = p->version ? p->version : 3;
	h->cluster_bits = log2_of(cluster);
	h->refcount_order = log2_of(width);
	if (h->version != 2 && h->version != 3) {
		return fail(why, "the version is neither 2 nor 3");
	}
	if (!is_power_of_2(cluster) || h->cluster_bits < QCOW2_CLUSTER_MIN ||
	    h->cluster_bits > QCOW2_CLUSTER_MAX) {
		return fail(why, "the cluster size is no power of two between 512 and 2M");
	}
	if (!is_power_of_2(width) || width > 64 || (h->version == 2 && width != REFCOUNT_BITS)) {
		return fail(why, "the width of reference counts is no power of two up to 64, or "
				 "not 16 in version 2");
	}
	if (p->size == 0 || p->size > QCOW2_L1_MAX / 8 << (2 * h->cluster_bits - 3)) {
		return fail(why, "the disk is empty or too large for this cluster size");
	}
	return 0;
}

int fmt_qcow2_create_table(struct block_file *f, uint64_t off, uint64_t entries, uint64_t first,
			   uint64_t step)
{
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < entries; i += BLOCK_SECTOR / 8) {
		uint8_t sector[BLOCK_SECTOR] = { 0 };

		for (uint64_t k = 0; k < BLOCK_SECTOR / 8 && i + k < entries; k++) {
			bytes_put_be64(sector + k * 8, first + (i + k) * step);
		}
		r = block_file_write(f, off + i * 8, sector, sizeof(sector));
		thread_checkpoint();
	}
	return r;
}

static int write_counts(struct block_file *f, uint64_t off, uint64_t count, uint32_t order)
{
	uint64_t per_sector = (BLOCK_SECTOR * 8ul) >> order;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < count; i += per_sector) {
		uint8_t sector[BLOCK_SECTOR] = { 0 };

		for (uint64_t k = 0; k < per_sector && i + k < count; k++) {
			fmt_qcow2_refcount_poke(sector, k, order, 1);
		}
		r = block_file_write(f, off, sector, sizeof(sector));
		off += sizeof(sector);
		thread_checkpoint();
	}
	return r;
}

/* "Header extensions", then the backing file's name: both within the first cluster. */
static int write_head(struct block_file *f, struct qcow2_header *h, const struct image_backing *b,
		      struct image_why *why)
{
	uint8_t head[1536] = { 0 };
	size_t at = h->header_length, format = b ? strlen(b->format) : 0;
	size_t name = b ? strlen(b->name) : 0;

	if (at + 8 + ALIGN_UP(format, 8ul) + 8 + name >
	    u64_min(sizeof(head), BIT(h->cluster_bits))) {
		return fail(why, "the backing file's name is too long for this cluster size");
	}
	if (b != NULL) {
		bytes_put_be32(head + at, QCOW2_EXT_BACKING);
		bytes_put_be32(head + at + 4, (uint32_t)format);
		memcpy(head + at + 8, b->format, format);
		at += 8 + ALIGN_UP(format, 8ul) + 8; /* and QCOW2_EXT_END */
		memcpy(head + at, b->name, name);
		h->backing_off = at;
		h->backing_len = (uint32_t)name;
	}
	fmt_qcow2_put_header(head, h);
	return block_file_write_header(f, 0, head, u64_min(sizeof(head), BIT(h->cluster_bits)));
}

int fmt_qcow2_create(struct block_file *f, const struct image_create_params *p,
		     struct image_why *why)
{
	struct qcow2_header h = { .magic = QCOW2_MAGIC };
	uint64_t cluster, used, l1;
	struct qcow2_plan l, full;
	int r = check_params(p, &h, why);

	if (r) {
		return r;
	}
	cluster = BIT(h.cluster_bits);
	h.header_length = h.version == 2 ? QCOW2_HEADER_V2 : QCOW2_HEADER_V3;
	h.size = p->size;
	h.l1_size = (uint32_t)divide_up(p->size, BIT(2 * h.cluster_bits - 3));
	l1 = divide_up(qcow2_l1_bytes(&h), cluster);
	l = fmt_qcow2_create_plan(1 + l1, h.cluster_bits, h.refcount_order);
	/* The table is large enough for a full disk, with a sixteenth for its tables. */
	full = fmt_qcow2_create_plan(divide_up(p->size + p->size / 16, cluster), h.cluster_bits,
				     h.refcount_order);
	if (full.table << h.cluster_bits <= QCOW2_REFTABLE_MAX && full.table > l.table) {
		l = fmt_qcow2_create_plan(1 + l1 + full.table, h.cluster_bits, h.refcount_order);
		l.table = full.table;
	}
	used = 1 + l.table + l.blocks + l1;
	h.reftable_off = cluster;
	h.reftable_clusters = (uint32_t)l.table;
	h.l1_off = (1 + l.table + l.blocks) << h.cluster_bits;
	r = block_file_write_zeros(f, 0, used << h.cluster_bits);
	r = r ? r
	      : fmt_qcow2_create_table(f, cluster, l.blocks, (1 + l.table) << h.cluster_bits,
				       cluster);
	r = r ? r : write_counts(f, (1 + l.table) << h.cluster_bits, used, h.refcount_order);
	return r ? r : write_head(f, &h, p->backing, why);
}
