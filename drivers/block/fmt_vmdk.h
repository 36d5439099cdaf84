/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of VMDK share: the header of a sparse extent. */
/* Its tables are tables.h's. */
#ifndef DRIVERS_BLOCK_FMT_VMDK_H
#define DRIVERS_BLOCK_FMT_VMDK_H

#include "drivers/block/format.h"
#include "hv/lib/bytes.h"

#define VMDK_MAGIC   0x564d444bu /* "KDMV" in the file */
#define VMDK_NEWLINE BIT(0)	 /* flags: the four characters below are there */
#define VMDK_TWIN    BIT(1)	 /* redundant grain directory and tables */
#define VMDK_ZEROED  BIT(2)	 /* entry 1 is a grain of zeros */
#define VMDK_DEFLATE BIT(16)	 /* grains are compressed, */
#define VMDK_MARKERS BIT(17)	 /* and markers stand before grains and tables */
#define VMDK_KNOWN   (VMDK_NEWLINE | VMDK_TWIN | VMDK_ZEROED | VMDK_DEFLATE | VMDK_MARKERS)
#define VMDK_AT_END  (~0ul) /* directory: see the copy of the header at the file's end */
#define VMDK_ENTRIES 512u   /* of a grain table */

struct vmdk_header { /* "Hosted Sparse Extents", little-endian; places in sectors */
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint64_t capacity;
	uint64_t grain;
	uint64_t text;
	uint64_t text_size;
	uint32_t entries;
	uint64_t twin;
	uint64_t directory;
	uint64_t overhead;
	uint8_t unclean;
	uint8_t newline[4];
	uint16_t compression;
	uint8_t reserved[433];
} PACKED;
_Static_assert(sizeof(struct vmdk_header) == 512, "SparseExtentHeader");
_Static_assert(offsetof(struct vmdk_header, directory) == 56, "SparseExtentHeader");

#define VMDK_AT(name) offsetof(struct vmdk_header, name)

#define VMDK_FIELD(raw, name) bytes_get_le64((raw) + VMDK_AT(name)) /* of 64 bits */

extern const char fmt_vmdk_newline[4];

/*
 * raw: the file's first sector. Checks it by image_error(); where it says so, fills in what the copy at
 * the file's end has.
 */
int fmt_vmdk_header_check(struct image *img, uint8_t *raw);
/* Entries of the grain directory. */
uint64_t fmt_vmdk_header_entries(const uint8_t *raw);

int fmt_vmdk_create(struct block_file *f, const struct image_create_params *p,
		    struct image_why *why);

#endif
