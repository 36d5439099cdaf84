/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes new VMDK disks: monolithicSparse, and monolithicFlat with its second file. */
/* streamOptimized is for transport, and its makers compress. */
#include "drivers/block/fmt_vmdk.h"
#include "drivers/block/fmt_vmdk_text.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define GRAIN	     (64u * KIB)
#define TEXT_SECTORS 20u /* room for others' notes in the descriptor */
#define SPARSE_MAX   (2047ul * GIB)
#define TABLE_SIZE   (VMDK_ENTRIES * 4ul / BLOCK_SECTOR) /* sectors */

struct layout { /* sectors */
	uint64_t grain;
	uint64_t entries;   /* of the directory */
	uint64_t directory; /* its size */
	uint64_t copy;	    /* size of one directory and its tables */
	uint64_t overhead;
};

static struct layout lay_out(uint64_t size, uint32_t grain)
{
	struct layout l = { .grain = grain / BLOCK_SECTOR };
	uint64_t covers = (uint64_t)grain * VMDK_ENTRIES;

	l.entries = (size + covers - 1) / covers;
	l.directory = (l.entries * 4 + BLOCK_SECTOR - 1) / BLOCK_SECTOR;
	l.copy = l.directory + l.entries * TABLE_SIZE;
	l.overhead = ALIGN_UP(1 + TEXT_SECTORS + 2 * l.copy, l.grain);
	return l;
}

static void make_header(uint8_t *raw, uint64_t size, const struct layout *l)
{
	uint64_t twin = 1 + TEXT_SECTORS;

	bytes_put_le32(raw, VMDK_MAGIC);
	bytes_put_le32(raw + VMDK_AT(version), 1);
	bytes_put_le32(raw + VMDK_AT(flags), VMDK_NEWLINE | VMDK_TWIN);
	bytes_put_le64(raw + VMDK_AT(capacity), size / BLOCK_SECTOR);
	bytes_put_le64(raw + VMDK_AT(grain), l->grain);
	bytes_put_le64(raw + VMDK_AT(text), 1);
	bytes_put_le64(raw + VMDK_AT(text_size), TEXT_SECTORS);
	bytes_put_le32(raw + VMDK_AT(entries), VMDK_ENTRIES);
	bytes_put_le64(raw + VMDK_AT(twin), twin);
	bytes_put_le64(raw + VMDK_AT(directory), twin + l->copy);
	bytes_put_le64(raw + VMDK_AT(overhead), l->overhead);
	memcpy(raw + VMDK_AT(newline), fmt_vmdk_newline, sizeof(fmt_vmdk_newline));
}

/* A directory at sector `at`, its tables, of zeros, right behind it. */
static int write_directory(struct block_file *f, uint64_t at, const struct layout *l)
{
	uint64_t table = at + l->directory;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < l->entries;) {
		uint8_t raw[BLOCK_SECTOR] = { 0 };
		uint64_t off = (at + i / (BLOCK_SECTOR / 4)) * BLOCK_SECTOR;

		for (unsigned int k = 0; k < BLOCK_SECTOR / 4 && i < l->entries; k++, i++) {
			bytes_put_le32(raw + k * 4, (uint32_t)(table + i * TABLE_SIZE));
		}
		r = block_file_write(f, off, raw, sizeof(raw));
		thread_checkpoint();
	}
	return r;
}

static int write_text(struct block_file *f, uint64_t off, const struct vmdk_text *t)
{
	char text[2 * BLOCK_SECTOR] = { 0 };

	/* Names are short enough: image.c's caller's is a file's, and VMDK_NAME_MAX is checked. */
	fmt_vmdk_text_print(text, sizeof(text), t);
	return block_file_write(f, off, text, sizeof(text));
}

static int create_sparse(struct block_file *f, const struct image_create_params *p,
			 const struct vmdk_text *t)
{
	struct layout l = lay_out(p->size, p->cluster_size ? p->cluster_size : GRAIN);
	uint64_t twin = 1 + TEXT_SECTORS;
	uint8_t raw[BLOCK_SECTOR] = { 0 };
	int r = block_file_truncate(f, l.overhead * BLOCK_SECTOR);

	r = r ? r : write_directory(f, twin, &l);
	r = r ? r : write_directory(f, twin + l.copy, &l);
	r = r ? r : write_text(f, BLOCK_SECTOR, t);
	make_header(raw, p->size, &l);
	return r ? r : block_file_write_header(f, 0, raw, sizeof(raw));
}

/* The extent first: without the descriptor it is nobody's. */
static int create_flat(struct block_file *f, const struct image_create_params *p,
		       const struct vmdk_text *t)
{
	struct block_file *extent;
	int r = p->extent(p->arg, t->name, &extent);

	if (r) {
		return r;
	}
	r = block_file_truncate(extent, p->size);
	r = r ? r : block_file_flush(extent);
	block_file_close(extent);
	return r ? r : write_text(f, 0, t);
}

/* "web.vmdk" is the name of the descriptor, "web-flat.vmdk" of its extent. */
static void name_extent(struct vmdk_text *t, const char *name, bool flat)
{
	size_t len = strlen(name);

	if (len > 5 && strcmp(name + len - 5, ".vmdk") == 0) {
		len -= 5;
	}
	fmt_snprintf(t->name, sizeof(t->name), "%.*s%s.vmdk", (int)len, name, flat ? "-flat" : "");
}

static bool params_fit(const struct image_create_params *p, bool flat)
{
	uint32_t grain = p->cluster_size ? p->cluster_size : GRAIN;
	bool known = p->subformat == NULL || flat || strcmp(p->subformat, "monolithicSparse") == 0;
	bool fits = flat ? p->cluster_size == 0
			 : grain >= 4 * KIB && grain <= 32 * MIB && (grain & (grain - 1)) == 0;

	return known && fits && p->backing == NULL && p->size != 0 && p->size <= SPARSE_MAX;
}

int fmt_vmdk_create(struct block_file *f, const struct image_create_params *p,
		    struct image_why *why)
{
	bool flat = p->subformat && (strcmp(p->subformat, "monolithicFlat") == 0 ||
				     strcmp(p->subformat, "fixed") == 0);
	const char *name = p->name ? p->name : "disk";
	struct vmdk_text t = { .sectors = p->size / BLOCK_SECTOR,
			       .cid = (uint32_t)(p->seed * 2654435761u + 1) & 0x7fffffffu };

	if (!params_fit(p, flat) || strlen(name) > 200 || strchr(name, '"')) {
		fmt_snprintf(why->text, sizeof(why->text),
			     "VMDK is \"monolithicSparse\" or \"monolithicFlat\", without backing "
			     "file, in grains of 4 KiB to 32 MiB, up to 2047 GiB");
		return -EINVAL;
	}
	if (flat && p->extent == NULL) {
		fmt_snprintf(why->text, sizeof(why->text), "a flat VMDK needs a second file");
		return -ENOTSUP;
	}
	string_copy(t.type, flat ? "monolithicFlat" : "monolithicSparse", sizeof(t.type));
	string_copy(t.kind, flat ? "FLAT" : "SPARSE", sizeof(t.kind));
	name_extent(&t, name, flat);
	return flat ? create_flat(f, p, &t) : create_sparse(f, p, &t);
}
