/* SPDX-License-Identifier: BSD-2-Clause */
/* VHD ("Virtual Hard Disk Image Format Specification" 1.0): fixed and dynamic disks. */
/* No differencing disks; a block's sector bitmap is written full and not looked at, as others do. */
#include "drivers/block/bytes_be.h"
#include "drivers/block/tables.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define VHD_FIXED    2u
#define VHD_DYNAMIC  3u
#define VHD_BLOCK    (2u * MIB)
#define VHD_FREE     0xffffffffu
#define VHD_VERSION  0x00010000u
#define VHD_SIZE_MAX (2040ul * GIB)
#define NOWHERE	     (~0ul)
#define BITMAP_PIECE 512u

struct vhd_footer { /* "Hard Disk Footer Format": big-endian */
	char cookie[8];
	uint32_t features;
	uint32_t version;
	uint64_t data_offset;
	uint32_t time;
	char creator[4];
	uint32_t creator_version;
	char creator_os[4];
	uint64_t original_size;
	uint64_t size;
	uint16_t cylinders;
	uint8_t heads;
	uint8_t sectors;
	uint32_t type;
	uint32_t checksum;
	uint8_t uuid[16];
	uint8_t saved_state;
	uint8_t reserved[427];
} PACKED;
_Static_assert(sizeof(struct vhd_footer) == 512, "Hard Disk Footer Format");

struct vhd_header { /* "Dynamic Disk Header Format" */
	char cookie[8];
	uint64_t data_offset;
	uint64_t table;
	uint32_t version;
	uint32_t entries;
	uint32_t block_size;
	uint32_t checksum;
	uint8_t parent[984];
} PACKED;
_Static_assert(sizeof(struct vhd_header) == 1024, "Dynamic Disk Header Format");

struct vhd {
	struct tables tables;
	uint32_t type;
	uint64_t bitmap; /* bytes before a block's data */
	uint8_t footer[512];
};

/* "the one's complement of the sum of all the bytes in the footer without the checksum field" */
static uint32_t checksum(const uint8_t *raw, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : raw[i];
	}
	return ~sum;
}

static bool is_footer(const uint8_t *raw)
{
	size_t at = offsetof(struct vhd_footer, checksum);

	return memcmp(raw, "conectix", 8) == 0 &&
	       bytes_get_be32(raw + at) == checksum(raw, sizeof(struct vhd_footer), at);
}

/* ---- the table ---- */

static int vhd_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	struct vhd *v = img->state;

	m->kind = BLOCK_DATA;
	m->file_off = raw * BLOCK_SECTOR + v->bitmap;
	return 0;
}

static uint64_t vhd_encode(struct image *img, uint64_t file_off)
{
	struct vhd *v = img->state;

	return (file_off - v->bitmap) / BLOCK_SECTOR;
}

/* The block goes where the footer is, and the footer behind it: a copy is at the file's start. */
static int vhd_prepare(struct image *img, uint64_t off, uint64_t *skip)
{
	struct vhd *v = img->state;
	uint8_t ones[BITMAP_PIECE];
	int r;

	if (off / BLOCK_SECTOR >= VHD_FREE) {
		return -ENOSPC;
	}
	memset(ones, 0xff, sizeof(ones));
	r = block_file_write(img->file, off + v->tables.stride, v->footer, sizeof(v->footer));
	for (uint64_t i = 0; r == 0 && i < v->bitmap; i += sizeof(ones)) {
		r = block_file_write(img->file, off + i, ones, sizeof(ones));
	}
	*skip = v->bitmap;
	return r;
}

static int vhd_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p)
{
	struct vhd *v = img->state;
	int r;

	if (v->type == VHD_FIXED) {
		return -EIO;
	}
	r = tables_alloc(img, off, len, p);
	p->fresh = false; /* the old footer's place is in it, and the new one lies behind */
	return r;
}

static int vhd_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m)
{
	struct vhd *v = img->state;

	if (v->type == VHD_DYNAMIC) {
		return tables_map(img, off, len, m);
	}
	*m = (struct block_map){
		.kind = BLOCK_DATA, .in_place = true, .len = len, .file_off = off
	};
	return 0;
}

/* ---- opening ---- */

static int open_dynamic(struct image *img, uint64_t at)
{
	struct vhd *v = img->state;
	uint8_t raw[sizeof(struct vhd_header)];
	size_t sum = offsetof(struct vhd_header, checksum);
	uint64_t table, entries, block;
	int r;

	if (at % BLOCK_SECTOR || at < BLOCK_SECTOR ||
	    !range_within(at, sizeof(raw), img->file->size)) {
		return image_error(img, -EINVAL, "dynamic disk header is misplaced");
	}
	r = block_file_read(img->file, at, raw, sizeof(raw));
	if (r) {
		return r;
	}
	table = bytes_get_be64(raw + offsetof(struct vhd_header, table));
	entries = bytes_get_be32(raw + offsetof(struct vhd_header, entries));
	block = bytes_get_be32(raw + offsetof(struct vhd_header, block_size));
	if (memcmp(raw, "cxsparse", 8) != 0 ||
	    bytes_get_be32(raw + sum) != checksum(raw, sizeof(raw), sum)) {
		return image_error(img, -EINVAL, "dynamic disk header is damaged");
	}
	if (block < PAGE_SIZE || block > 256 * MIB || (block & (block - 1)) ||
	    img->dev.size > entries * block) {
		return image_error(img, -EINVAL, "block size, or size of the disk");
	}
	if (table % BLOCK_SECTOR || table < BLOCK_SECTOR ||
	    !range_within(table, entries * 4, img->file->size) ||
	    (table < at + sizeof(raw) && at < table + entries * 4)) {
		return image_error(img, -EINVAL, "block allocation table is misplaced");
	}
	img->cluster_size = (uint32_t)block;
	v->bitmap = ALIGN_UP(block / BLOCK_SECTOR / 8, (uint64_t)BLOCK_SECTOR);
	v->tables = (struct tables){ .entry_size = 4,
				     .big_endian = true,
				     .map = table,
				     .entries = entries,
				     .unused = VHD_FREE,
				     .first = BLOCK_SECTOR,
				     .align = BLOCK_SECTOR,
				     .stride = v->bitmap + block,
				     .decode = vhd_decode,
				     .encode = vhd_encode,
				     .prepare = vhd_prepare };
	v->tables.first = u64_max(at + sizeof(raw), table + entries * 4);
	return tables_open(img);
}

/* The footer at the end, or for a dynamic disk whose end was lost the copy at the start. */
static int find_footer(struct image *img, bool *at_end)
{
	struct vhd *v = img->state;
	uint64_t size = ALIGN_DOWN(img->file->size, (uint64_t)BLOCK_SECTOR);
	int r;

	*at_end = true;
	if (size < 2 * BLOCK_SECTOR) {
		return image_error(img, -EINVAL, "is too short");
	}
	r = block_file_read(img->file, size - BLOCK_SECTOR, v->footer, sizeof(v->footer));
	if (r || is_footer(v->footer)) {
		return r;
	}
	*at_end = false;
	r = block_file_read(img->file, 0, v->footer, sizeof(v->footer));
	if (r == 0 && !is_footer(v->footer)) {
		return image_error(img, -EINVAL, "has no VHD footer");
	}
	return r;
}

static int vhd_open(struct image *img)
{
	struct vhd *v = img->state;
	bool at_end;
	int r = find_footer(img, &at_end);

	if (r) {
		return r;
	}
	v->type = bytes_get_be32(v->footer + offsetof(struct vhd_footer, type));
	img->dev.size = bytes_get_be64(v->footer + offsetof(struct vhd_footer, size));
	if (bytes_get_be32(v->footer + offsetof(struct vhd_footer, version)) >> 16 != 1) {
		return image_error(img, -ENOTSUP, "is not of version 1");
	}
	if (img->dev.size == 0 || img->dev.size % BLOCK_SECTOR || img->dev.size > VHD_SIZE_MAX) {
		return image_error(img, -EINVAL, "size of the disk");
	}
	if (v->type == VHD_DYNAMIC) {
		r = open_dynamic(
			img, bytes_get_be64(v->footer + offsetof(struct vhd_footer, data_offset)));
		v->tables.next -= at_end && r == 0 ? BLOCK_SECTOR : 0;
		return r;
	}
	if (v->type != VHD_FIXED) {
		return image_error(img, -ENOTSUP, "is neither fixed nor dynamic: type %u", v->type);
	}
	if (!at_end || img->dev.size > img->file->size - BLOCK_SECTOR) {
		return image_error(img, -EINVAL, "is shorter than its disk");
	}
	img->cluster_size = PAGE_SIZE;
	return 0;
}

/* ---- creating ---- */

/* "CHS Calculation" */
static void put_geometry(struct vhd_footer *f, uint64_t bytes)
{
	uint64_t total = u64_min(bytes / BLOCK_SECTOR, 65535ul * 16 * 255), per, heads, cth;

	if (total >= 65535ul * 16 * 63) {
		per = 255;
		heads = 16;
		cth = total / per;
	} else {
		per = 17;
		cth = total / per;
		heads = u64_max((cth + 1023) / 1024, 4);
		if (cth >= heads * 1024 || heads > 16) {
			per = 31;
			heads = 16;
			cth = total / per;
		}
		if (cth >= heads * 1024) {
			per = 63;
			heads = 16;
			cth = total / per;
		}
	}
	bytes_put_be16(&f->cylinders, (uint16_t)(cth / heads));
	f->heads = (uint8_t)heads;
	f->sectors = (uint8_t)per;
}

static void make_footer(uint8_t *raw, const struct image_create_params *p, bool fixed)
{
	struct vhd_footer *f = (struct vhd_footer *)raw;

	memcpy(f->cookie, "conectix", 8);
	bytes_put_be32(&f->features, 2); /* reserved, always set */
	bytes_put_be32(&f->version, VHD_VERSION);
	bytes_put_be64(&f->data_offset, fixed ? NOWHERE : BLOCK_SECTOR);
	/* With this creator all readers take the size as it stands, not the geometry's. */
	memcpy(f->creator, "win ", 4);
	bytes_put_be32(&f->creator_version, 0x00060001);
	memcpy(f->creator_os, "Wi2k", 4);
	bytes_put_be64(&f->original_size, p->size);
	bytes_put_be64(&f->size, p->size);
	put_geometry(f, p->size);
	bytes_put_be32(&f->type, fixed ? VHD_FIXED : VHD_DYNAMIC);
	bytes_put_be64(f->uuid, p->seed * 0x9e3779b97f4a7c15ul + 1);
	bytes_put_be64(f->uuid + 8, (p->seed + 1) * 0xbf58476d1ce4e5b9ul);
	bytes_put_be32(&f->checksum,
		       checksum(raw, sizeof(*f), offsetof(struct vhd_footer, checksum)));
}

static int write_header(struct block_file *f, uint64_t entries)
{
	uint8_t raw[sizeof(struct vhd_header)] = { 0 };
	struct vhd_header *h = (struct vhd_header *)raw;

	memcpy(h->cookie, "cxsparse", 8);
	bytes_put_be64(&h->data_offset, NOWHERE);
	bytes_put_be64(&h->table, BLOCK_SECTOR + sizeof(raw));
	bytes_put_be32(&h->version, VHD_VERSION);
	bytes_put_be32(&h->entries, (uint32_t)entries);
	bytes_put_be32(&h->block_size, VHD_BLOCK);
	bytes_put_be32(&h->checksum,
		       checksum(raw, sizeof(raw), offsetof(struct vhd_header, checksum)));
	return block_file_write(f, BLOCK_SECTOR, raw, sizeof(raw));
}

static int write_table(struct block_file *f, uint64_t off, uint64_t bytes)
{
	uint8_t ones[BLOCK_SECTOR];
	int r = 0;

	memset(ones, 0xff, sizeof(ones));
	for (uint64_t i = 0; r == 0 && i < bytes; i += sizeof(ones)) {
		r = block_file_write(f, off + i, ones, sizeof(ones));
		thread_checkpoint();
	}
	return r;
}

static int vhd_create(struct block_file *f, const struct image_create_params *p,
		      struct image_why *why)
{
	bool fixed = p->subformat && strcmp(p->subformat, "fixed") == 0;
	uint64_t entries = (p->size + VHD_BLOCK - 1) / VHD_BLOCK;
	uint64_t table = BLOCK_SECTOR + sizeof(struct vhd_header);
	uint64_t bytes = ALIGN_UP(entries * 4, (uint64_t)BLOCK_SECTOR);
	uint8_t footer[BLOCK_SECTOR] = { 0 };
	int r;

	if (p->backing || (p->subformat && !fixed && strcmp(p->subformat, "dynamic") != 0) ||
	    p->size == 0 || p->size > VHD_SIZE_MAX ||
	    (p->cluster_size && p->cluster_size != VHD_BLOCK)) {
		fmt_snprintf(why->text, sizeof(why->text),
			     "VHD is \"fixed\" or \"dynamic\", without backing file, in blocks of "
			     "2 MiB, of 512 bytes to 2040 GiB");
		return -EINVAL;
	}
	make_footer(footer, p, fixed);
	if (fixed) {
		r = block_file_truncate(f, p->size);
		return r ? r : block_file_write(f, p->size, footer, sizeof(footer));
	}
	r = write_header(f, entries);
	r = r ? r : write_table(f, table, bytes);
	r = r ? r : block_file_write_header(f, table + bytes, footer, sizeof(footer));
	return r ? r : block_file_write(f, 0, footer, sizeof(footer));
}

static int vhd_check(struct image *img, bool repair, struct image_check *result)
{
	const struct vhd *v = img->state;

	return v->type == VHD_FIXED ? -ENOTSUP : tables_check(img, repair, result);
}

static const struct block_format fmt_vhd = {
	.name = "vhd",
	.state_size = sizeof(struct vhd),
	.open = vhd_open,
	.map = vhd_map,
	.alloc = vhd_alloc,
	.link = tables_link,
	.unalloc = tables_unalloc,
	.create = vhd_create,
	.check = vhd_check,
};
BLOCK_FORMAT_REGISTER(fmt_vhd);
