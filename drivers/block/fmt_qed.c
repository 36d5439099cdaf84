/* SPDX-License-Identifier: BSD-2-Clause */
/* QED ("QED Image File Format Specification"): two levels of little-endian offsets, backing files. */
/* Images that were not closed by their last writer are only read: this one orders its writes instead. */
#include "drivers/block/tables.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define QED_MAGIC      0x00444551u /* "QED\0" */
#define QED_BACKING    BIT(0)
#define QED_NEED_CHECK BIT(1)
#define QED_NO_PROBE   BIT(2) /* the backing file is raw */
#define QED_ZERO       1u
#define QED_CLUSTER    (64u * KIB)
#define QED_TABLE      4u /* clusters */

struct qed_header {
	uint32_t magic;
	uint32_t cluster_size;
	uint32_t table_size;  /* clusters */
	uint32_t header_size; /* clusters */
	uint64_t features;
	uint64_t compat_features;
	uint64_t autoclear_features;
	uint64_t l1;
	uint64_t image_size;
	uint32_t backing_off;
	uint32_t backing_len;
} PACKED;
_Static_assert(sizeof(struct qed_header) == 64, "QED Image File Format Specification, Layout");
_Static_assert(offsetof(struct qed_header, l1) == 40, "QED header");

#define AT(name) offsetof(struct qed_header, name)

static bool power_of_2(uint64_t v)
{
	return v && (v & (v - 1)) == 0;
}

/* ---- entries ---- */

static int qed_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	if (raw == QED_ZERO) {
		m->kind = BLOCK_ZERO;
		return 0;
	}
	if (raw % img->cluster_size) {
		return image_corrupt(img, "cluster at %lx", raw);
	}
	m->kind = BLOCK_DATA;
	m->file_off = raw;
	return 0;
}

static uint64_t qed_encode(struct image *img, uint64_t file_off)
{
	(void)img;
	return file_off;
}

/* ---- opening ---- */

static int check_layout(struct image *img, const uint8_t *raw)
{
	uint64_t cs = bytes_get_le32(raw + AT(cluster_size));
	uint64_t table = bytes_get_le32(raw + AT(table_size));
	uint64_t header = bytes_get_le32(raw + AT(header_size));
	uint64_t l1 = bytes_get_le64(raw + AT(l1)), size = bytes_get_le64(raw + AT(image_size));
	uint64_t entries;

	if (bytes_get_le32(raw) != QED_MAGIC) {
		return image_error(img, -EINVAL, "has no QED header");
	}
	if (!power_of_2(cs) || cs < 4 * KIB || cs > 64 * MIB) {
		return image_error(img, -EINVAL, "cluster size %lu", cs);
	}
	if (!power_of_2(table) || table > 16 || header == 0 || header > UINT32_MAX / cs) {
		return image_error(img, -EINVAL, "size of tables or header");
	}
	if (l1 % cs || l1 < header * cs || !range_within(l1, table * cs, img->file->size)) {
		return image_error(img, -EINVAL, "L1 table is misplaced");
	}
	entries = table * cs / 8;
	if (size == 0 || size % BLOCK_SECTOR || (size - 1) / cs / entries >= entries) {
		return image_error(img, -EINVAL, "size of the disk");
	}
	return 0;
}

static int read_backing(struct image *img, const uint8_t *raw)
{
	uint64_t features = bytes_get_le64(raw + AT(features));
	uint64_t off = bytes_get_le32(raw + AT(backing_off)),
		 len = bytes_get_le32(raw + AT(backing_len));
	uint64_t header = bytes_get_le32(raw + AT(header_size)) * (uint64_t)img->cluster_size;

	if (!(features & QED_BACKING)) {
		return 0;
	}
	if (off < sizeof(struct qed_header) || len == 0 || len > IMAGE_NAME_MAX ||
	    !range_within(off, len, header)) {
		return image_error(img, -EINVAL, "name of the backing file is misplaced");
	}
	if (features & QED_NO_PROBE) {
		memcpy(img->base.format, "raw", 4);
	}
	return block_file_read_any(img->file, off, img->base.name, len);
}

static int qed_open(struct image *img)
{
	struct tables *t = img->state;
	uint8_t raw[BLOCK_SECTOR];
	uint64_t features;
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	r = r ? r : check_layout(img, raw);
	if (r) {
		return r;
	}
	features = bytes_get_le64(raw + AT(features));
	if (features >> 3) {
		return image_error(img, -ENOTSUP, "needs a feature that is not known: bit %d",
				   __builtin_ctzl(features & ~7ul));
	}
	if ((features & QED_NEED_CHECK) && !img->dev.readonly) {
		return image_error(img, -EROFS, "was not closed: check it with what wrote it");
	}
	img->cluster_size = bytes_get_le32(raw + AT(cluster_size));
	img->dev.size = bytes_get_le64(raw + AT(image_size));
	*t = (struct tables){ .entry_size = 8,
			      .root = bytes_get_le64(raw + AT(l1)),
			      .first = img->cluster_size,
			      .fixed = bytes_get_le32(raw + AT(header_size)) *
				       (uint64_t)img->cluster_size,
			      .align = img->cluster_size,
			      .stride = img->cluster_size,
			      .decode = qed_decode,
			      .encode = qed_encode,
			      .prepare = tables_extend };
	t->entries = bytes_get_le32(raw + AT(table_size)) * (uint64_t)img->cluster_size / 8;
	t->root_entries = t->entries;
	r = read_backing(img, raw);
	return r ? r : tables_open(img);
}

/* Features that only others keep up to date are void once we write. */
static int qed_start(struct image *img)
{
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	if (r || bytes_get_le64(raw + AT(autoclear_features)) == 0) {
		return r;
	}
	bytes_put_le64(raw + AT(autoclear_features), 0);
	r = block_file_write(img->file, 0, raw, sizeof(raw));
	return r ? r : block_file_flush(img->file);
}

static int qed_grow(struct image *img, uint64_t size)
{
	const struct tables *t = img->state;
	uint8_t raw[BLOCK_SECTOR];
	int r;

	if ((size - 1) / img->cluster_size / t->entries >= t->root_entries) {
		return -ENOTSUP;
	}
	r = block_file_read(img->file, 0, raw, sizeof(raw));
	bytes_put_le64(raw + AT(image_size), size);
	r = r ? r : block_file_write(img->file, 0, raw, sizeof(raw));
	return r ? r : block_file_flush(img->file);
}

/* ---- creating ---- */

static int qed_create(struct block_file *f, const struct image_create_params *p,
		      struct image_why *why)
{
	uint64_t cs = p->cluster_size ? p->cluster_size : QED_CLUSTER;
	uint64_t entries = cs * QED_TABLE / 8;
	size_t name = p->backing ? strlen(p->backing->name) : 0;
	bool raw_base = p->backing && strcmp(p->backing->format, "raw") == 0;
	uint8_t raw[BLOCK_SECTOR * 3] = { 0 };
	int r;

	if (p->subformat || !power_of_2(cs) || cs < 4 * KIB || cs > 64 * MIB || p->size == 0 ||
	    (p->size - 1) / cs / entries >= entries) {
		fmt_snprintf(why->text, sizeof(why->text),
			     "QED has clusters of 4 KiB to 64 MiB, and two levels of tables of 4");
		return -EINVAL;
	}
	bytes_put_le32(raw, QED_MAGIC);
	bytes_put_le32(raw + AT(cluster_size), (uint32_t)cs);
	bytes_put_le32(raw + AT(table_size), QED_TABLE);
	bytes_put_le32(raw + AT(header_size), 1);
	bytes_put_le64(raw + AT(features),
		       (p->backing ? QED_BACKING : 0) | (raw_base ? QED_NO_PROBE : 0));
	bytes_put_le64(raw + AT(l1), cs);
	bytes_put_le64(raw + AT(image_size), p->size);
	if (p->backing) {
		bytes_put_le32(raw + AT(backing_off), sizeof(struct qed_header));
		bytes_put_le32(raw + AT(backing_len), (uint32_t)name);
		memcpy(raw + sizeof(struct qed_header), p->backing->name, name);
	}
	r = block_file_write_zeros(f, 0, cs * (1 + QED_TABLE));
	return r ? r : block_file_write_header(f, 0, raw, sizeof(raw));
}

static const struct block_format fmt_qed = {
	.name = "qed",
	.state_size = sizeof(struct tables),
	.open = qed_open,
	.start = qed_start,
	.map = tables_map,
	.alloc = tables_alloc,
	.link = tables_link,
	.grow = qed_grow,
	.unalloc = tables_unalloc,
	.create = qed_create,
	.check = tables_check,
};
BLOCK_FORMAT_REGISTER(fmt_qed);
