/* SPDX-License-Identifier: BSD-2-Clause */
/* The MBR with its chain of logical partitions, and which kind of table a disk has. */
/* GPT is partition_gpt.c's. */
#include "drivers/block/partition_priv.h"

#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define MBR_ENTRIES    4u
#define MBR_TABLE      446u
#define MBR_ENTRY      16u
#define MBR_SIGNATURE  510u
#define MBR_BOOTABLE   0x80u
#define MBR_PROTECTIVE 0xeeu
#define LOGICAL_FIRST  5u
#define LOGICAL_MAX    (PARTITION_MAX - MBR_ENTRIES)

struct mbr_entry {
	uint8_t boot;
	uint8_t type;
	uint32_t first;
	uint32_t count;
};

int partition_sector(struct partition_reader *r, uint64_t lba)
{
	struct block_vec v = { r->sector, sizeof(r->sector) };

	if (lba >= r->sectors) {
		return partition_damaged(r, "it leads past the end of the disk");
	}
	return block_read(r->d, lba * BLOCK_SECTOR, &v, 1);
}

int partition_damaged(struct partition_reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

static bool overlaps(const struct partition_table *t, uint64_t off, uint64_t size)
{
	for (unsigned int i = 0; i < t->count; i++) {
		if (off < t->part[i].off + t->part[i].size && t->part[i].off < off + size) {
			return true;
		}
	}
	return false;
}

struct partition *partition_add(struct partition_reader *r, unsigned int number, uint64_t first,
				uint64_t count)
{
	struct partition_table *t = r->out;
	struct partition *p;

	if (first == 0 || count == 0 || !range_within(first, count, r->sectors)) {
		r->why = "a partition does not lie on the disk";
		return NULL;
	}
	if (t->count == PARTITION_MAX) {
		r->why = "there are more than 128 partitions";
		return NULL;
	}
	if (overlaps(t, first * BLOCK_SECTOR, count * BLOCK_SECTOR)) {
		r->why = "two partitions overlap";
		return NULL;
	}
	p = &t->part[t->count++];
	p->number = number;
	p->off = first * BLOCK_SECTOR;
	p->size = count * BLOCK_SECTOR;
	return p;
}

/* ---- MBR ---- */

static struct mbr_entry entry_of(const struct partition_reader *r, unsigned int i)
{
	const uint8_t *e = r->sector + MBR_TABLE + i * MBR_ENTRY;

	return (struct mbr_entry){ e[0], e[4], bytes_get_le32(e + 8), bytes_get_le32(e + 12) };
}

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool has_signature(const struct partition_reader *r)
{
	return bytes_get_le16(r->sector + MBR_SIGNATURE) == 0xaa55;
}

/* A boot sector of a file system has the signature, too, but code where the flags would be. */
static bool is_mbr(const struct partition_reader *r)
{
	bool ok = has_signature(r);

	for (unsigned int i = 0; i < MBR_ENTRIES; i++) {
		ok = ok && (entry_of(r, i).boot & ~MBR_BOOTABLE) == 0;
	}
	return ok;
}

static int add_mbr(struct partition_reader *r, unsigned int number, uint64_t base,
		   const struct mbr_entry *e)
{
	struct partition *p = partition_add(r, number, base + e->first, e->count);

	if (p == NULL) {
		return -EINVAL;
	}
	p->mbr_type = e->type;
	return 0;
}

/*
 * Each link has one partition, relative to itself, and the place of the next link, relative to the
 * extended partition. Links that came before end the walk: a chain may bite its tail.
 */
static int read_logical(struct partition_reader *r, const struct mbr_entry *extended)
{
	uint64_t at = extended->first, seen[LOGICAL_MAX] = { 0 };
	unsigned int number = LOGICAL_FIRST;

	for (unsigned int i = 0; i < LOGICAL_MAX; i++) {
		struct mbr_entry part, next;
		int err = partition_sector(r, at);

		for (unsigned int k = 0; k < i; k++) {
			if (seen[k] == at) {
				return partition_damaged(r,
							 "logical partitions: the chain is a loop");
			}
		}
		seen[i] = at;
		if (err == 0 && !has_signature(r)) {
			err = partition_damaged(r, "logical partitions: a link is broken");
		}
		part = entry_of(r, 0);
		next = entry_of(r, 1);
		if (err == 0 && part.type != 0) {
			err = add_mbr(r, number++, at, &part);
		}
		if (err != 0 || next.type == 0) {
			return err;
		}
		if (!is_extended(next.type) || next.first >= extended->count) {
			return partition_damaged(r, "logical partitions: one lies outside");
		}
		at = (uint64_t)extended->first + next.first;
		thread_checkpoint();
	}
	return partition_damaged(r, "there are more than 128 partitions");
}

static int read_mbr(struct partition_reader *r)
{
	struct mbr_entry entries[MBR_ENTRIES];
	int err = 0;

	r->out->scheme = PARTITION_MBR;
	for (unsigned int i = 0; i < MBR_ENTRIES; i++) {
		entries[i] = entry_of(r, i);
	}
	for (unsigned int i = 0; err == 0 && i < MBR_ENTRIES; i++) {
		if (is_extended(entries[i].type)) {
			err = read_logical(r, &entries[i]);
		} else if (entries[i].type != 0) {
			err = add_mbr(r, i + 1, 0, &entries[i]);
		}
	}
	return err;
}

/* ---- either ---- */

/* A protective entry says that the disk has a GPT. */
static bool is_protective(const struct partition_reader *r)
{
	bool found = false;

	for (unsigned int i = 0; i < MBR_ENTRIES; i++) {
		found = found || entry_of(r, i).type == MBR_PROTECTIVE;
	}
	return found;
}

static int read_any(struct partition_reader *r)
{
	int err = r->sectors > 0 ? partition_sector(r, 0) : 0;

	if (err != 0 || r->sectors == 0 || !is_mbr(r)) {
		return err;
	}
	return is_protective(r) ? partition_gpt_read(r) : read_mbr(r);
}

int partition_read(struct block_dev *d, struct partition_table *out, const char **why)
{
	struct partition_reader *r = heap_alloc(sizeof(*r));
	int err;

	*why = "too little memory";
	memset(out, 0, sizeof(*out));
	if (r == NULL) {
		return -ENOMEM;
	}
	r->d = d;
	r->out = out;
	r->sectors = d->size / BLOCK_SECTOR;
	r->why = "the disk cannot be read";
	err = read_any(r);
	*why = r->why;
	if (err != 0) {
		out->count = 0; /* none of a table that is not to be trusted */
	}
	heap_free(r);
	return err;
}

const struct partition *partition_find(const struct partition_table *t, unsigned int number)
{
	for (unsigned int i = 0; i < t->count; i++) {
		if (t->part[i].number == number) {
			return &t->part[i];
		}
	}
	return NULL;
}
