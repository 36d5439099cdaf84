/* SPDX-License-Identifier: BSD-2-Clause */
/* VDI (VirtualBox): one table of block numbers behind a header. Fixed and dynamic. */
/* No differencing images: their parents are named by identifiers only. */
#include "drivers/block/meta.h"
#include "drivers/block/tables.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define VDI_SIGNATURE 0xbeda107fu
#define VDI_VERSION   0x00010001u
#define VDI_HEADER    400u /* bytes from header_size on, as version 1.1 has */
#define VDI_DYNAMIC   1u
#define VDI_FIXED     2u
#define VDI_BLOCK     (1u * MIB)
#define VDI_FREE      0xffffffffu
#define VDI_ZERO      0xfffffffeu
#define VDI_BLOCKS    0x3fffffffu
#define ALLOCATED     offsetof(struct vdi_header, blocks_allocated)

struct vdi_header { /* little-endian */
	char text[64];
	uint32_t signature;
	uint32_t version;
	uint32_t header_size;
	uint32_t type;
	uint32_t flags;
	char description[256];
	uint32_t table; /* offsets in the file */
	uint32_t data;
	uint32_t geometry[3];
	uint32_t sector_size;
	uint32_t unused;
	uint64_t disk_size;
	uint32_t block_size;
	uint32_t block_extra;
	uint32_t blocks;
	uint32_t blocks_allocated;
	uint8_t uuid[16];
	uint8_t uuid_snapshot[16];
	uint8_t uuid_link[16];
	uint8_t uuid_parent[16];
	uint8_t reserved[56];
} PACKED;
_Static_assert(sizeof(struct vdi_header) == 512, "VDI header 1.1");
_Static_assert(offsetof(struct vdi_header, blocks_allocated) == 0x184, "VDI header 1.1");

struct vdi {
	struct tables tables;
	uint32_t allocated; /* [M] what the header should say */
};

static uint32_t field(const uint8_t *raw, size_t off)
{
	return bytes_get_le32(raw + off);
}
#define FIELD(raw, name) field(raw, offsetof(struct vdi_header, name))

/* ---- the table ---- */

static int vdi_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	struct vdi *v = img->state;

	if (raw == VDI_ZERO) {
		m->kind = BLOCK_ZERO;
		return 0;
	}
	if (raw > VDI_BLOCKS) {
		return image_corrupt(img, "block number %lx", raw);
	}
	m->kind = BLOCK_DATA;
	m->file_off = v->tables.first + raw * img->cluster_size;
	return 0;
}

static uint64_t vdi_encode(struct image *img, uint64_t file_off)
{
	struct vdi *v = img->state;

	return (file_off - v->tables.first) / img->cluster_size;
}

static int put_allocated(struct image *img)
{
	struct vdi *v = img->state;
	uint8_t *p;
	int r = meta_get(img->meta, 0, META_MAP, &p);

	if (r == 0 && bytes_get_le32(p + ALLOCATED) != v->allocated) {
		bytes_put_le32(p + ALLOCATED, v->allocated);
		meta_dirty(img->meta, p);
	}
	return r;
}

static int vdi_linked(struct image *img, uint64_t off)
{
	struct vdi *v = img->state;

	(void)off;
	v->allocated++;
	return put_allocated(img);
}

/* ---- opening ---- */

static int check_header(struct image *img, const uint8_t *raw)
{
	uint64_t size = bytes_get_le64(raw + offsetof(struct vdi_header, disk_size));
	uint64_t blocks = FIELD(raw, blocks), block = FIELD(raw, block_size);
	uint64_t table = FIELD(raw, table), data = FIELD(raw, data);
	uint32_t type = FIELD(raw, type);

	if (FIELD(raw, signature) != VDI_SIGNATURE) {
		return image_error(img, -EINVAL, "has no VDI header");
	}
	if (FIELD(raw, version) >> 16 != 1) {
		return image_error(img, -ENOTSUP, "is not of version 1");
	}
	if (type != VDI_DYNAMIC && type != VDI_FIXED) {
		return image_error(img, -ENOTSUP, "is neither dynamic nor fixed: type %u", type);
	}
	if (FIELD(raw, sector_size) != BLOCK_SECTOR || FIELD(raw, block_extra) != 0) {
		return image_error(img, -ENOTSUP,
				   "has sectors of other than 512 bytes, or extra data");
	}
	if (block < PAGE_SIZE || block > 256 * MIB || (block & (block - 1))) {
		return image_error(img, -EINVAL, "block size %lu", block);
	}
	if (size == 0 || size % BLOCK_SECTOR || blocks > VDI_BLOCKS || size > blocks * block) {
		return image_error(img, -EINVAL, "size of the disk does not fit the table");
	}
	if (table % BLOCK_SECTOR || table < BLOCK_SECTOR || data % BLOCK_SECTOR ||
	    data < table + blocks * 4 || !range_within(table, blocks * 4, img->file->size)) {
		return image_error(img, -EINVAL, "table or data are misplaced");
	}
	return 0;
}

static int vdi_open(struct image *img)
{
	struct vdi *v = img->state;
	uint8_t raw[BLOCK_SECTOR];
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	r = r ? r : check_header(img, raw);
	if (r) {
		return r;
	}
	img->cluster_size = FIELD(raw, block_size);
	img->dev.size = bytes_get_le64(raw + offsetof(struct vdi_header, disk_size));
	v->tables = (struct tables){ .entry_size = 4,
				     .map = FIELD(raw, table),
				     .entries = FIELD(raw, blocks),
				     .unused = VDI_FREE,
				     .first = FIELD(raw, data),
				     .align = BLOCK_SECTOR,
				     .stride = img->cluster_size,
				     .decode = vdi_decode,
				     .encode = vdi_encode,
				     .linked = vdi_linked };
	return tables_open(img);
}

struct tally {
	uint32_t count;
	uint64_t end; /* block number behind the highest */
};

static int count_block(struct image *img, uint64_t raw, void *arg)
{
	struct tally *t = arg;

	(void)img;
	if (raw != VDI_ZERO) {
		t->count++;
		t->end = u64_max(t->end, raw + 1);
	}
	return raw == VDI_ZERO || raw <= VDI_BLOCKS ? 0
						    : image_corrupt(img, "block number %lx", raw);
}

/* Header and table cannot change at once: after a power cut the table is right, the count is not. */
static int vdi_start(struct image *img)
{
	struct vdi *v = img->state;
	struct tally t = { 0 };
	int r = tables_for_each(img, count_block, &t);

	v->allocated = t.count;
	v->tables.next = v->tables.first + t.end * img->cluster_size;
	return r ? r : put_allocated(img);
}

static int vdi_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p)
{
	struct vdi *v = img->state;

	if (v->tables.next > v->tables.first + v->tables.entries * img->cluster_size) {
		return -ENOSPC;
	}
	return tables_alloc(img, off, len, p);
}

/* The rest of the table's last sectors, up to the first block, is room for more entries. */
static int vdi_grow(struct image *img, uint64_t size)
{
	struct vdi *v = img->state;
	uint64_t blocks = (size + img->cluster_size - 1) / img->cluster_size;
	uint8_t raw[BLOCK_SECTOR], *p;
	int r = block_file_read(img->file, 0, raw, sizeof(raw));

	if (r || FIELD(raw, type) == VDI_FIXED || blocks > VDI_BLOCKS ||
	    v->tables.map + blocks * 4 > v->tables.first) {
		return r ? r : -ENOTSUP;
	}
	for (uint64_t i = v->tables.entries; r == 0 && i < blocks; i++) {
		r = meta_get(img->meta, v->tables.map + i * 4, META_MAP, &p);
		if (r == 0) {
			bytes_put_le32(p, VDI_FREE);
			meta_dirty(img->meta, p);
		}
		thread_checkpoint();
	}
	r = r ? r : meta_flush(img->meta);
	r = r ? r : meta_get(img->meta, 0, META_MAP, &p); /* with the count of blocks, as of now */
	if (r == 0) {
		bytes_put_le64(p + offsetof(struct vdi_header, disk_size), size);
		bytes_put_le32(p + offsetof(struct vdi_header, blocks), (uint32_t)blocks);
		meta_dirty(img->meta, p);
		r = meta_flush(img->meta);
	}
	v->tables.entries = r ? v->tables.entries : blocks;
	return r;
}

/* ---- creating ---- */

static int write_table(struct block_file *f, uint64_t blocks, bool fixed)
{
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < blocks; i += BLOCK_SECTOR / 4) {
		uint8_t sector[BLOCK_SECTOR] = { 0 };

		for (unsigned int k = 0; k < BLOCK_SECTOR / 4 && i + k < blocks; k++) {
			bytes_put_le32(sector + k * 4, fixed ? (uint32_t)(i + k) : VDI_FREE);
		}
		r = block_file_write(f, BLOCK_SECTOR + i * 4, sector, sizeof(sector));
		thread_checkpoint();
	}
	return r;
}

static void put_uuid(uint8_t *uuid, uint64_t seed)
{
	bytes_put_le64(uuid, seed * 0x9e3779b97f4a7c15ul + 1);
	bytes_put_le64(uuid + 8, (seed + 1) * 0xbf58476d1ce4e5b9ul);
	uuid[7] = (uint8_t)((uuid[7] & 0x0f) | 0x40); /* RFC 4122: version 4 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static int vdi_create(struct block_file *f, const struct image_create_params *p,
		      struct image_why *why)
{
	bool fixed = p->subformat && strcmp(p->subformat, "fixed") == 0;
	uint64_t blocks = (p->size + VDI_BLOCK - 1) / VDI_BLOCK;
	uint64_t data = ALIGN_UP(BLOCK_SECTOR + blocks * 4, MIB);
	uint8_t raw[BLOCK_SECTOR] = { 0 };
	struct vdi_header *h = (struct vdi_header *)raw;
	int r;

	if (p->backing || (p->subformat && !fixed && strcmp(p->subformat, "dynamic") != 0) ||
	    p->size == 0 || p->size > 256 * 1024 * GIB || blocks > VDI_BLOCKS / 4 ||
	    (p->cluster_size && p->cluster_size != VDI_BLOCK)) {
		fmt_snprintf(why->text, sizeof(why->text),
			     "VDI is \"fixed\" or \"dynamic\", without backing file, in blocks of "
			     "1 MiB, of 512 bytes to 256 TiB");
		return -EINVAL;
	}
	memcpy(h->text, "<<< Insula disk image >>>\n", 26);
	bytes_put_le32(&h->signature, VDI_SIGNATURE);
	bytes_put_le32(&h->version, VDI_VERSION);
	bytes_put_le32(&h->header_size, VDI_HEADER);
	bytes_put_le32(&h->type, fixed ? VDI_FIXED : VDI_DYNAMIC);
	bytes_put_le32(&h->table, BLOCK_SECTOR);
	bytes_put_le32(&h->data, (uint32_t)data);
	bytes_put_le32(&h->sector_size, BLOCK_SECTOR);
	bytes_put_le64(&h->disk_size, p->size);
	bytes_put_le32(&h->block_size, VDI_BLOCK);
	bytes_put_le32(&h->blocks, (uint32_t)blocks);
	bytes_put_le32(&h->blocks_allocated, fixed ? (uint32_t)blocks : 0);
	put_uuid(h->uuid, p->seed);
	put_uuid(h->uuid_snapshot, p->seed + 0x100);
	r = write_table(f, blocks, fixed);
	r = r ? r : block_file_truncate(f, data + (fixed ? blocks * VDI_BLOCK : 0));
	return r ? r : block_file_write_header(f, 0, raw, sizeof(raw));
}

static const struct block_format fmt_vdi = {
	.name = "vdi",
	.state_size = sizeof(struct vdi),
	.open = vdi_open,
	.start = vdi_start,
	.map = tables_map,
	.alloc = vdi_alloc,
	.link = tables_link,
	.grow = vdi_grow,
	.unalloc = tables_unalloc,
	.create = vdi_create,
	.check = tables_check,
};
BLOCK_FORMAT_REGISTER(fmt_vdi);
