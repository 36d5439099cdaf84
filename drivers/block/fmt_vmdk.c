/* SPDX-License-Identifier: BSD-2-Clause */
/* VMDK ("Virtual Disk Format 5.0"): monolithicSparse and monolithicFlat, read and written, and */
/* streamOptimized, read. No disks of several extents, and no deltas of others. */
#include "drivers/block/fmt_vmdk.h"

#include "drivers/block/fmt_vmdk_text.h"
#include "drivers/block/meta.h"
#include "drivers/block/tables.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define MARKER	   12u /* bytes before a compressed grain: its sector, and its length */
#define FLAT_PIECE 4096u
#define PLACES	   (UINT32_MAX * (uint64_t)BLOCK_SECTOR)

struct vmdk {
	struct tables tables;
	bool flat;
	uint32_t flags;
	uint64_t overhead; /* sparse: bytes before the first grain */
	uint64_t start;	   /* flat: of the disk in the extent's file, bytes */
	uint64_t text;	   /* of the descriptor in the file, bytes */
	uint8_t unclean;   /* what the header said when it was opened */
	struct vmdk_text t;
};

/* ---- the tables ---- */

static int vmdk_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	struct vmdk *v = img->state;

	if (raw == 1 && (v->flags & VMDK_ZEROED)) {
		m->kind = BLOCK_ZERO;
		return 0;
	}
	m->file_off = raw * BLOCK_SECTOR;
	if (v->flags & VMDK_DEFLATE) { /* the stream says itself where it ends */
		m->kind = BLOCK_DEFLATE;
		m->zlib = true;
		m->file_off += MARKER;
		m->file_len = 2ul * img->cluster_size;
		return 0;
	}
	m->kind = BLOCK_DATA;
	return m->file_off >= v->overhead
		       ? 0
		       : image_corrupt(img, "grain at sector %lx is among the metadata", raw);
}

static uint64_t vmdk_encode(struct image *img, uint64_t file_off)
{
	(void)img;
	return file_off / BLOCK_SECTOR;
}

static int vmdk_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m)
{
	struct vmdk *v = img->state;

	if (!v->flat) {
		return tables_map(img, off, len, m);
	}
	*m = (struct block_map){
		.kind = BLOCK_DATA, .in_place = true, .len = len, .file_off = v->start + off
	};
	return 0;
}

static int vmdk_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p)
{
	struct vmdk *v = img->state;
	uint64_t tables = 2 * VMDK_ENTRIES * v->tables.entry_size + img->cluster_size;

	if (v->flat) {
		return -EIO;
	}
	if (v->tables.next + tables + img->cluster_size > PLACES) {
		return -ENOSPC;
	}
	return tables_alloc(img, off, len, p);
}

static int vmdk_flush(struct image *img)
{
	return img->meta ? meta_flush(img->meta) : block_file_flush(img->data);
}

/* ---- what the header and the descriptor say of changes ---- */

static int put_unclean(struct image *img, uint8_t val)
{
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	if (r || raw[VMDK_AT(unclean)] == val) {
		return r;
	}
	raw[VMDK_AT(unclean)] = val;
	return block_file_write(img->file, 0, raw, sizeof(raw));
}

/* "CID … updated the first time the content is modified": a delta of this disk sees by it. */
static int put_cid(struct image *img)
{
	struct vmdk *v = img->state;
	uint64_t at = v->text + v->t.cid_at, size = img->file->size;
	uint64_t sector = ALIGN_DOWN(at, (uint64_t)BLOCK_SECTOR);
	uint32_t cid = (v->t.cid * 1664525u + 1013904223u) & 0x7fffffffu;
	uint8_t raw[BLOCK_SECTOR];
	char digits[9];
	int r;

	if (v->t.cid_at == 0 || at - sector > BLOCK_SECTOR - 8) {
		return 0;
	}
	r = block_file_read(img->file, sector, raw, sizeof(raw));
	if (r) {
		return r;
	}
	fmt_snprintf(digits, sizeof(digits), "%08x", cid);
	memcpy(raw + (at - sector), digits, 8);
	r = block_file_write(img->file, sector, raw, sizeof(raw));
	v->t.cid = r ? v->t.cid : cid;
	return r || img->file->size == size ? r : block_file_truncate(img->file, size);
}

static int vmdk_touch(struct image *img)
{
	struct vmdk *v = img->state;
	int r = put_cid(img);

	r = r || v->flat ? r : put_unclean(img, 1);
	return r ? r : block_file_flush(img->file);
}

static void vmdk_close(struct image *img)
{
	struct vmdk *v = img->state;

	if (img->touched && !v->flat && img->meta != NULL && meta_is_clean(img->meta)) {
		(void)put_unclean(img, 0);
	}
}

/* Tables and their copies may differ where power was cut between them: the first ones count. */
static int vmdk_start(struct image *img)
{
	struct vmdk *v = img->state;
	struct image_check c = { 0 };
	int r = 0;

	if (v->unclean && v->tables.root_twin) {
		r = tables_check_twins(img, true, &c);
		r = r ? r : meta_flush(img->meta);
	}
	return r || !v->unclean ? r : put_unclean(img, 0);
}

/* ---- the descriptor ---- */

/* Reads the descriptor of len bytes at off. */
static int read_text(struct image *img, uint64_t off, uint64_t len)
{
	struct vmdk *v = img->state;
	const char *bad;
	char *text;
	int r;

	text = len < VMDK_TEXT_MAX ? heap_alloc(len + 1) : NULL;
	if (text == NULL) {
		return len < VMDK_TEXT_MAX
			       ? image_error(img, -ENOMEM, "out of memory")
			       : image_error(img, -EINVAL, "descriptor of %lu bytes", len);
	}
	r = block_file_read_any(img->file, off, text, len);
	text[len] = '\0';
	bad = r ? NULL : fmt_vmdk_text_parse(text, &v->t);
	heap_free(text);
	if (r || bad) {
		return r ? r : image_error(img, -EINVAL, "descriptor is wrong: %s", bad);
	}
	v->text = off;
	if (v->t.parent != VMDK_NO_PARENT) {
		return image_error(img, -ENOTSUP, "is a delta of another disk");
	}
	if (v->t.extents != 1) {
		return image_error(img, -ENOTSUP, "has %u extents, not one", v->t.extents);
	}
	return 0;
}

/* ---- opening: flat ---- */

static int open_flat(struct image *img)
{
	struct vmdk *v = img->state;
	int r = read_text(img, 0, img->file->size);

	if (r) {
		return r;
	}
	if (strcmp(v->t.type, "monolithicFlat") != 0 || strcmp(v->t.kind, "FLAT") != 0) {
		return image_error(img, -ENOTSUP, "is of createType \"%s\"", v->t.type);
	}
	if (v->t.readonly && !img->dev.readonly) {
		return image_error(img, -EROFS, "is read-only by its descriptor");
	}
	r = image_open_extent(img, v->t.name);
	if (r) {
		return r;
	}
	v->flat = true;
	v->start = v->t.start * BLOCK_SECTOR;
	img->dev.size = v->t.sectors * BLOCK_SECTOR;
	img->cluster_size = FLAT_PIECE;
	if (!range_within(v->start, img->dev.size, img->data->size)) {
		return image_error(img, -EINVAL, "extent \"%.80s\" is shorter than its disk",
				   v->t.name);
	}
	return 0;
}

/* ---- opening: sparse ---- */

static int check_type(struct image *img)
{
	struct vmdk *v = img->state;
	const char *type = v->flags & VMDK_DEFLATE ? "streamOptimized" : "monolithicSparse";

	if (strcmp(v->t.type, type) != 0 || strcmp(v->t.kind, "SPARSE") != 0) {
		return image_error(img, -ENOTSUP, "is of createType \"%s\"", v->t.type);
	}
	return 0;
}

static int open_sparse(struct image *img, uint8_t *raw)
{
	struct vmdk *v = img->state;
	int r = fmt_vmdk_header_check(img, raw);

	r = r ? r
	      : read_text(img, VMDK_FIELD(raw, text) * BLOCK_SECTOR,
			  VMDK_FIELD(raw, text_size) * BLOCK_SECTOR);
	if (r) {
		return r;
	}
	v->flags = bytes_get_le32(raw + VMDK_AT(flags));
	v->overhead = VMDK_FIELD(raw, overhead) <= img->file->size / BLOCK_SECTOR
			      ? VMDK_FIELD(raw, overhead) * BLOCK_SECTOR
			      : BLOCK_SECTOR;
	v->unclean = raw[VMDK_AT(unclean)];
	img->cluster_size = (uint32_t)VMDK_FIELD(raw, grain) * BLOCK_SECTOR;
	img->dev.size = VMDK_FIELD(raw, capacity) * BLOCK_SECTOR;
	v->tables = (struct tables){ .entry_size = 4,
				     .root = VMDK_FIELD(raw, directory) * BLOCK_SECTOR,
				     .root_entries = fmt_vmdk_header_entries(raw),
				     .entries = VMDK_ENTRIES,
				     .unit_shift = 9,
				     .first = BLOCK_SECTOR,
				     .align = img->cluster_size,
				     .stride = img->cluster_size,
				     .decode = vmdk_decode,
				     .encode = vmdk_encode,
				     .prepare = tables_extend };
	v->tables.root_twin = v->flags & VMDK_TWIN ? VMDK_FIELD(raw, twin) * BLOCK_SECTOR : 0;
	v->tables.fixed = u64_max(
		v->overhead, (VMDK_FIELD(raw, text) + VMDK_FIELD(raw, text_size)) * BLOCK_SECTOR);
	r = check_type(img);
	return r ? r : tables_open(img);
}

static int vmdk_open(struct image *img)
{
	static const char text[] = "# Disk DescriptorFile";
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	if (r) {
		return r;
	}
	if (memcmp(raw, text, sizeof(text) - 1) == 0) {
		return open_flat(img);
	}
	if (bytes_get_le32(raw) == VMDK_MAGIC) {
		return open_sparse(img, raw);
	}
	return image_error(img, -EINVAL, "has no VMDK header and is no descriptor");
}

static int vmdk_check(struct image *img, bool repair, struct image_check *result)
{
	const struct vmdk *v = img->state;

	return v->flat ? -ENOTSUP : tables_check(img, repair, result);
}

static const struct block_format fmt_vmdk = {
	.name = "vmdk",
	.state_size = sizeof(struct vmdk),
	.open = vmdk_open,
	.start = vmdk_start,
	.close = vmdk_close,
	.map = vmdk_map,
	.alloc = vmdk_alloc,
	.link = tables_link,
	.unalloc = tables_unalloc,
	.touch = vmdk_touch,
	.flush = vmdk_flush,
	.create = fmt_vmdk_create,
	.check = vmdk_check,
};
BLOCK_FORMAT_REGISTER(fmt_vmdk);
