/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of a sparse VMDK extent ("Hosted Sparse Extent Header"), checked once, before all else. */
/* Reads no table. */
#include "drivers/block/fmt_vmdk.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define FOOTER	  (2ul * BLOCK_SECTOR) /* from the file's end: header, end-of-stream marker */
#define GRAIN_MIN 8u		       /* sectors */
#define GRAIN_MAX 65536u
#define CAPACITY  (1ul << 41) /* sectors */

const char fmt_vmdk_newline[4] = { '\n', ' ', '\r', '\n' };

/* [a, a + alen) and [b, b + blen) in sectors, all small. */
static bool overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return a < b + blen && b < a + alen;
}

static int check_kind(struct image *img, const uint8_t *raw)
{
	uint32_t version = bytes_get_le32(raw + VMDK_AT(version));
	uint32_t flags = bytes_get_le32(raw + VMDK_AT(flags));
	uint16_t compression = bytes_get_le16(raw + VMDK_AT(compression));

	if (version == 0 || version > 3) {
		return image_error(img, -ENOTSUP, "is of version %u, not 1 to 3", version);
	}
	if (flags & ~VMDK_KNOWN) {
		return image_error(img, -ENOTSUP, "has flags that are not known: %x", flags);
	}
	if ((flags & VMDK_NEWLINE) && memcmp(raw + VMDK_AT(newline), fmt_vmdk_newline, 4) != 0) {
		return image_error(img, -EINVAL, "was damaged by a transfer as text");
	}
	if ((flags & VMDK_MARKERS) && !(flags & VMDK_DEFLATE)) {
		return image_error(img, -ENOTSUP, "has markers, but is not compressed");
	}
	if (compression != !!(flags & VMDK_DEFLATE)) {
		return image_error(img, -ENOTSUP, "is compressed by method %u", compression);
	}
	if (bytes_get_le32(raw + VMDK_AT(entries)) != VMDK_ENTRIES) {
		return image_error(img, -EINVAL, "grain tables are not of 512 entries");
	}
	if (!img->dev.readonly && ((flags & VMDK_DEFLATE) || version == 3)) {
		return image_error(img, -EROFS, "is %s: it can only be read",
				   flags & VMDK_DEFLATE ? "streamOptimized" : "of version 3");
	}
	return 0;
}

uint64_t fmt_vmdk_header_entries(const uint8_t *raw)
{
	uint64_t covers = VMDK_FIELD(raw, grain) * VMDK_ENTRIES;

	return (VMDK_FIELD(raw, capacity) + covers - 1) / covers;
}

static int check_size(struct image *img, const uint8_t *raw)
{
	uint64_t capacity = VMDK_FIELD(raw, capacity), grain = VMDK_FIELD(raw, grain);

	if (grain < GRAIN_MIN || grain > GRAIN_MAX || (grain & (grain - 1))) {
		return image_error(img, -EINVAL, "grains of %lu sectors", grain);
	}
	if (capacity == 0 || capacity > CAPACITY) {
		return image_error(img, -EINVAL, "size of the disk");
	}
	return 0;
}

static int check_places(struct image *img, const uint8_t *raw)
{
	uint64_t sectors = img->file->size / BLOCK_SECTOR;
	uint64_t text = VMDK_FIELD(raw, text), text_size = VMDK_FIELD(raw, text_size);
	uint64_t directory = VMDK_FIELD(raw, directory), twin = VMDK_FIELD(raw, twin);
	uint64_t size = (fmt_vmdk_header_entries(raw) * 4 + BLOCK_SECTOR - 1) / BLOCK_SECTOR;
	bool has_twin = bytes_get_le32(raw + VMDK_AT(flags)) & VMDK_TWIN;

	if (text == 0 || text_size == 0 || !range_within(text, text_size, sectors)) {
		return image_error(img, -EINVAL, "descriptor is missing or misplaced");
	}
	if (directory == 0 || !range_within(directory, size, sectors) ||
	    overlap(directory, size, text, text_size)) {
		return image_error(img, -EINVAL, "grain directory is misplaced");
	}
	if (has_twin &&
	    (twin == 0 || !range_within(twin, size, sectors) ||
	     overlap(twin, size, directory, size) || overlap(twin, size, text, text_size))) {
		return image_error(img, -EINVAL, "redundant grain directory is misplaced");
	}
	return 0;
}

/* Fills raw with the copy at the file's end if the header says that the directory stands there. */
static int read_footer(struct image *img, uint8_t *raw)
{
	uint64_t size = ALIGN_DOWN(img->file->size, (uint64_t)BLOCK_SECTOR);
	int r;

	if (VMDK_FIELD(raw, directory) != VMDK_AT_END) {
		return 0;
	}
	if (size < FOOTER + BLOCK_SECTOR) {
		return image_error(img, -EINVAL, "is too short");
	}
	r = block_file_read(img->file, size - FOOTER, raw, BLOCK_SECTOR);
	if (r == 0 && bytes_get_le32(raw) != VMDK_MAGIC) {
		return image_error(img, -EINVAL, "has no footer: was it copied whole?");
	}
	return r;
}

int fmt_vmdk_header_check(struct image *img, uint8_t *raw)
{
	uint64_t text = VMDK_FIELD(raw, text), text_size = VMDK_FIELD(raw, text_size);
	int r = check_kind(img, raw);

	r = r ? r : read_footer(img, raw);
	bytes_put_le64(raw + VMDK_AT(text), text); /* the footer need not say it */
	bytes_put_le64(raw + VMDK_AT(text_size), text_size);
	r = r ? r : check_kind(img, raw);
	r = r ? r : check_size(img, raw);
	return r ? r : check_places(img, raw);
}
