/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW, version 1: two levels of big-endian offsets, compressed clusters, backing files. */
/* No encryption. Version 2 and later are fmt_qcow2.c. */
#include "drivers/block/bytes_be.h"
#include "drivers/block/tables.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define QCOW_MAGIC	0x514649fbu
#define QCOW_COMPRESSED BIT(63)
#define QCOW_CLUSTER	12u /* bits */
#define QCOW_L1_MAX	(32ul * MIB)

struct qcow_header {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_off;
	uint32_t backing_len;
	uint32_t mtime;
	uint64_t size;
	uint8_t cluster_bits;
	uint8_t l2_bits;
	uint16_t unused;
	uint32_t crypt_method;
	uint64_t l1;
} PACKED;
_Static_assert(sizeof(struct qcow_header) == 48, "QCOW version 1 header");

#define AT(name) offsetof(struct qcow_header, name)

struct qcow {
	struct tables tables;
	uint32_t cluster_bits;
};

/* ---- entries ---- */

static int qcow_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	const struct qcow *q = img->state;
	uint32_t shift = 63 - q->cluster_bits;

	if (raw & QCOW_COMPRESSED) {
		m->kind = BLOCK_DEFLATE;
		m->file_off = raw & ((1ul << shift) - 1);
		m->file_len = raw >> shift & (img->cluster_size - 1);
		return 0;
	}
	if (raw % BLOCK_SECTOR) {
		return image_corrupt(img, "cluster at %lx", raw);
	}
	m->kind = BLOCK_DATA;
	m->file_off = raw;
	return 0;
}

static uint64_t qcow_encode(struct image *img, uint64_t file_off)
{
	(void)img;
	return file_off;
}

/* ---- opening ---- */

static int check_header(struct image *img, const uint8_t *raw)
{
	uint64_t size = bytes_get_be64(raw + AT(size)), l1 = bytes_get_be64(raw + AT(l1));
	uint32_t cluster = raw[AT(cluster_bits)], l2 = raw[AT(l2_bits)];
	uint64_t entries;

	if (bytes_get_be32(raw) != QCOW_MAGIC || bytes_get_be32(raw + AT(version)) != 1) {
		return image_error(img, -EINVAL, "has no QCOW header of version 1");
	}
	if (bytes_get_be32(raw + AT(crypt_method)) != 0) {
		return image_error(img, -ENOTSUP, "is encrypted");
	}
	if (cluster < 9 || cluster > 16 || l2 < 6 || l2 > 13) {
		return image_error(img, -EINVAL, "size of clusters or L2 tables");
	}
	if (size < BLOCK_SECTOR || size >> 56) {
		return image_error(img, -EINVAL, "size of the disk");
	}
	entries = ((size - 1) >> (cluster + l2)) + 1;
	if (entries * 8 > QCOW_L1_MAX || l1 % 8 || l1 < sizeof(struct qcow_header) ||
	    !range_within(l1, entries * 8, img->file->size)) {
		return image_error(img, -EINVAL, "L1 table is misplaced or too large");
	}
	return 0;
}

static int read_backing(struct image *img, const uint8_t *raw)
{
	uint64_t off = bytes_get_be64(raw + AT(backing_off));
	uint64_t len = bytes_get_be32(raw + AT(backing_len));

	if (off == 0) {
		return 0;
	}
	if (len == 0 || len > IMAGE_NAME_MAX || off < sizeof(struct qcow_header) ||
	    !range_within(off, len, img->file->size)) {
		return image_error(img, -EINVAL, "name of the backing file is misplaced");
	}
	return block_file_read_any(img->file, off, img->base.name, len);
}

static int qcow_open(struct image *img)
{
	struct qcow *q = img->state;
	uint8_t raw[BLOCK_SECTOR];
	uint64_t size;
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	r = r ? r : check_header(img, raw);
	r = r ? r : read_backing(img, raw);
	if (r) {
		return r;
	}
	size = bytes_get_be64(raw + AT(size));
	q->cluster_bits = raw[AT(cluster_bits)];
	img->cluster_size = 1u << q->cluster_bits;
	img->dev.size = ALIGN_DOWN(size, (uint64_t)BLOCK_SECTOR); /* as others round it */
	q->tables = (struct tables){ .entry_size = 8,
				     .big_endian = true,
				     .root = bytes_get_be64(raw + AT(l1)),
				     .entries = 1ul << raw[AT(l2_bits)],
				     .first = sizeof(struct qcow_header),
				     .align = img->cluster_size,
				     .stride = img->cluster_size,
				     .decode = qcow_decode,
				     .encode = qcow_encode,
				     .prepare = tables_extend };
	if (bytes_get_be64(raw + AT(backing_off)) != 0) {
		q->tables.fixed = bytes_get_be64(raw + AT(backing_off)) +
				  bytes_get_be32(raw + AT(backing_len));
	}
	q->tables.root_entries = ((size - 1) >> (q->cluster_bits + raw[AT(l2_bits)])) + 1;
	return tables_open(img);
}

/* ---- creating ---- */

static int qcow_create(struct block_file *f, const struct image_create_params *p,
		       struct image_why *why)
{
	uint32_t bits =
		p->cluster_size ? 31u - (uint32_t)__builtin_clz(p->cluster_size) : QCOW_CLUSTER;
	size_t name = p->backing ? strlen(p->backing->name) : 0;
	uint64_t entries = 0, l1 = BLOCK_SECTOR * 3;
	uint8_t raw[BLOCK_SECTOR * 3] = { 0 };
	int r;

	if (bits >= 9 && bits <= 16 && p->size != 0) {
		entries = ((p->size - 1) >> (2 * bits - 3)) + 1;
	}
	if (p->subformat || (p->cluster_size && p->cluster_size != BIT(bits)) || entries == 0 ||
	    entries * 8 > QCOW_L1_MAX) {
		fmt_snprintf(
			why->text, sizeof(why->text),
			"QCOW has clusters of 512 bytes to 64 KiB, and 4194304 L2 tables at most");
		return -EINVAL;
	}
	bytes_put_be32(raw, QCOW_MAGIC);
	bytes_put_be32(raw + AT(version), 1);
	bytes_put_be64(raw + AT(size), p->size);
	raw[AT(cluster_bits)] = (uint8_t)bits;
	raw[AT(l2_bits)] = (uint8_t)(bits - 3);
	bytes_put_be64(raw + AT(l1), l1);
	if (p->backing) {
		bytes_put_be64(raw + AT(backing_off), sizeof(struct qcow_header));
		bytes_put_be32(raw + AT(backing_len), (uint32_t)name);
		memcpy(raw + sizeof(struct qcow_header), p->backing->name, name);
	}
	r = block_file_write_zeros(f, l1, ALIGN_UP(entries * 8, (uint64_t)BLOCK_SECTOR));
	return r ? r : block_file_write_header(f, 0, raw, sizeof(raw));
}

static const struct block_format fmt_qcow = {
	.name = "qcow",
	.state_size = sizeof(struct qcow),
	.open = qcow_open,
	.map = tables_map,
	.alloc = tables_alloc,
	.link = tables_link,
	.unalloc = tables_unalloc,
	.create = qcow_create,
	.check = tables_check,
};
BLOCK_FORMAT_REGISTER(fmt_qcow);
