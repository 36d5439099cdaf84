/* SPDX-License-Identifier: BSD-2-Clause */
/* GPT: header and entries, each with its CRC, and the copy at the disk's end if the first is damaged. */
/* UEFI Specification 2.10, "GUID Partition Table (GPT) Disk Layout". */
#include "drivers/block/partition_priv.h"

#include "hv/lib/bytes.h"
#include "hv/lib/crc32.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

/* Offsets in the header */
#define GPT_REVISION	0x08u
#define GPT_HEADER_SIZE 0x0cu
#define GPT_HEADER_CRC	0x10u
#define GPT_MY_LBA	0x18u
#define GPT_FIRST	0x28u
#define GPT_LAST	0x30u
#define GPT_ENTRIES	0x48u
#define GPT_COUNT	0x50u
#define GPT_ENTRY_SIZE	0x54u
#define GPT_CRC		0x58u
#define GPT_HEADER_MIN	92u
#define GPT_REVISION_1	0x00010000u

/* Offsets in an entry */
#define ENTRY_FIRST 32u
#define ENTRY_LAST  40u
#define ENTRY_NAME  56u
#define ENTRY_MIN   128u

#define COUNT_MAX 4096u /* entries */

struct gpt_header {
	uint64_t first, last; /* usable, both inclusive */
	uint64_t entries;     /* where they begin */
	uint32_t count;
	uint32_t entry_size;
	uint32_t crc; /* of the entries */
};

static int parse_header(struct partition_reader *r, uint64_t lba, struct gpt_header *h)
{
	uint8_t *s = r->sector;
	uint32_t size = bytes_get_le32(s + GPT_HEADER_SIZE),
		 crc = bytes_get_le32(s + GPT_HEADER_CRC);

	if (memcmp(s, "EFI PART", 8) != 0 || bytes_get_le32(s + GPT_REVISION) != GPT_REVISION_1) {
		return partition_damaged(r, "GPT: no header");
	}
	if (size < GPT_HEADER_MIN || size > BLOCK_SECTOR) {
		return partition_damaged(r, "GPT: a header of another size");
	}
	bytes_put_le32(s + GPT_HEADER_CRC, 0);
	if (crc32(0, s, size) != crc || bytes_get_le64(s + GPT_MY_LBA) != lba) {
		return partition_damaged(r, "GPT: the header's sum is wrong");
	}
	*h = (struct gpt_header){
		.first = bytes_get_le64(s + GPT_FIRST),
		.last = bytes_get_le64(s + GPT_LAST),
		.entries = bytes_get_le64(s + GPT_ENTRIES),
		.count = bytes_get_le32(s + GPT_COUNT),
		.entry_size = bytes_get_le32(s + GPT_ENTRY_SIZE),
		.crc = bytes_get_le32(s + GPT_CRC),
	};
	return 0;
}

/* A sector holds whole entries: sizes are 128 times a power of two, larger ones nobody makes. */
static int check_header(struct partition_reader *r, const struct gpt_header *h)
{
	uint32_t size = h->entry_size;

	if (size < ENTRY_MIN || size > BLOCK_SECTOR || (size & (size - 1)) != 0) {
		return partition_damaged(r, "GPT: entries of another size");
	}
	if (h->count == 0 || h->count > COUNT_MAX) {
		return partition_damaged(r, "GPT: no number of entries");
	}
	if (h->first > h->last || h->last >= r->sectors) {
		return partition_damaged(r, "GPT: the usable part is not on the disk");
	}
	return 0;
}

static void copy_name(struct partition *p, const uint8_t *e)
{
	for (unsigned int i = 0; i < PARTITION_NAME - 1; i++) {
		uint16_t c = bytes_get_le16(e + ENTRY_NAME + 2 * (size_t)i);

		p->name[i] = c == 0 ? '\0' : c >= ' ' && c < 0x7f ? (char)c : '?';
		if (c == 0) {
			break;
		}
	}
}

static int add_entry(struct partition_reader *r, const struct gpt_header *h, unsigned int number,
		     const uint8_t *e)
{
	static const uint8_t unused[16];
	uint64_t first = bytes_get_le64(e + ENTRY_FIRST), last = bytes_get_le64(e + ENTRY_LAST);
	struct partition *p;

	if (memcmp(e, unused, sizeof(unused)) == 0) {
		return 0;
	}
	if (first < h->first || last > h->last || first > last) {
		return partition_damaged(r, "GPT: a partition outside the usable part");
	}
	p = partition_add(r, number, first, last - first + 1);
	if (p == NULL) {
		return -EINVAL;
	}
	memcpy(p->gpt_type, e, sizeof(p->gpt_type));
	copy_name(p, e);
	return 0;
}

static int read_entries(struct partition_reader *r, const struct gpt_header *h)
{
	uint32_t per_sector = BLOCK_SECTOR / h->entry_size, crc = 0;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < h->count; i++) {
		const uint8_t *e = r->sector + (size_t)(i % per_sector) * h->entry_size;

		if (i % per_sector == 0) {
			err = h->entries + i / per_sector < h->entries
				      ? partition_damaged(r, "it leads past the end of the disk")
				      : partition_sector(r, h->entries + i / per_sector);
			thread_checkpoint();
		}
		crc = crc32(crc, e, h->entry_size);
		if (err == 0) {
			err = add_entry(r, h, i + 1, e);
		}
	}
	return err == 0 && crc != h->crc ? partition_damaged(r, "GPT: the entries' sum is wrong")
					 : err;
}

static int read_copy(struct partition_reader *r, uint64_t lba)
{
	struct gpt_header h = { 0 };
	int err = partition_sector(r, lba);

	r->out->count = 0;
	if (err == 0) {
		err = parse_header(r, lba, &h);
	}
	if (err == 0) {
		err = check_header(r, &h);
	}
	return err == 0 ? read_entries(r, &h) : err;
}

/* The copy is where the disk ends: what a damaged header says of its place counts for nothing. */
int partition_gpt_read(struct partition_reader *r)
{
	int err = read_copy(r, 1), other;
	const char *why = r->why;

	r->out->scheme = PARTITION_GPT;
	if (err == 0) {
		return 0;
	}
	other = read_copy(r, r->sectors - 1);
	r->out->backup = other == 0;
	r->why = why;
	return other == 0 ? 0 : err;
}
