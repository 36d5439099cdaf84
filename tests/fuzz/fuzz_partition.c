/* SPDX-License-Identifier: BSD-2-Clause */
/* Partition tables, GPT and MBR: valid ones, their fields changed and their sums mended as the input says, */
/* then read. What right tables mean is the unit tests' business. */
/* FUZZ_TARGET: partition drivers/block/partition.c drivers/block/partition_gpt.c */
/* FUZZ_SOURCES: drivers/block/block.c hv/lib/crc32.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_checkpoint.c */
/* FUZZ_CFLAGS: -O2 -fno-sanitize-coverage=trace-cmp */
#include "drivers/block/partition.h"
#include "fakes/fake_heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/crc32.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S	BLOCK_SECTOR
#define SECTORS 128u
#define RECORDS 32u
#define HOWS	10u /* ways to change a field */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ---- */

enum { CUT = 1, FAIL = 2, NO_MEMORY = 4, KEEP_FIRST = 8, KEEP_COPY = 16 };

struct record {
	uint8_t how;
	uint8_t len; /* 1, 2, 4 or 8 bytes */
	uint16_t at; /* one of the seed's fields, or any place of the disk */
	uint32_t val;
};

struct input {
	uint8_t seed;
	uint8_t flags;
	uint8_t cut;  /* sectors that the disk has */
	uint8_t fail; /* the read that fails */
	struct record record[RECORDS];
};

/* ---- the disk ---- */

static uint8_t disk[SECTORS * S];
static unsigned int reads_left;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "partition: %s\n", what);
		abort();
	}
}

static int disk_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	must(n == 1 && range_within(off, v->len, d->size), "a read is of the disk");
	memcpy(v->base, disk + off, v->len);
	return reads_left-- == 0 ? -EIO : 0;
}

static const struct block_dev_ops ops = { .read = disk_read }; /* to write would crash */

/* ---- seeds ---- */

static struct seed {
	uint8_t disk[sizeof(disk)];
	uint16_t field[128]; /* where they are */
	unsigned int fields;
} seeds[4];

static void put(struct seed *s, uint64_t at, unsigned int len, uint64_t val)
{
	bytes_put_le(s->disk + at, len, val);
	s->field[s->fields++] = (uint16_t)at;
}

static void put_header(struct seed *s, uint64_t lba, uint64_t entries, uint32_t count,
		       uint32_t entry_size)
{
	uint64_t at = lba * S;

	put(s, at, 8, 0x5452415020494645); /* "EFI PART" */
	put(s, at + 8, 4, 0x10000);
	put(s, at + 12, 4, 92);
	put(s, at + 16, 4, 0);
	put(s, at + 24, 8, lba);
	put(s, at + 32, 8, SECTORS - lba);
	put(s, at + 40, 8, 34);
	put(s, at + 48, 8, SECTORS - 34);
	put(s, at + 72, 8, entries);
	put(s, at + 80, 4, count);
	put(s, at + 84, 4, entry_size);
	put(s, at + 88, 4, 0);
}

static void put_entry(struct seed *s, uint64_t at, uint64_t first, uint64_t last)
{
	put(s, at, 1, 0xa2);
	put(s, at + 32, 8, first);
	put(s, at + 40, 8, last);
	memcpy(s->disk + at + 56, "r\0o\0o\0\xe4\0\x01\x20", 10);
	s->field[s->fields++] = (uint16_t)(at + 56);
}

static void put_mbr(struct seed *s, uint64_t lba, unsigned int i, uint8_t type, uint32_t first,
		    uint32_t count)
{
	uint64_t at = lba * S + 446 + 16 * (uint64_t)i;

	put(s, at, 1, i == 0 ? 0x80 : 0);
	put(s, at + 4, 1, type);
	put(s, at + 8, 4, first);
	put(s, at + 12, 4, count);
	put(s, lba * S + 510, 2, 0xaa55);
}

static void make_gpt(struct seed *s, uint32_t count, uint32_t entry_size)
{
	put_mbr(s, 0, 0, 0xee, 1, SECTORS - 1);
	put_header(s, 1, 2, count, entry_size);
	put_header(s, SECTORS - 1, SECTORS - 33, count, entry_size);
	for (uint64_t i = 0; i < 3; i++) {
		put_entry(s, 2 * S + i * entry_size, 34 + 8 * i, 41 + 8 * i);
		put_entry(s, (SECTORS - 33) * S + i * entry_size, 34 + 8 * i, 41 + 8 * i);
	}
}

static void begin(void)
{
	make_gpt(&seeds[0], 16, 128);
	make_gpt(&seeds[1], 8, 512);
	put_mbr(&seeds[2], 0, 0, 0x83, 8, 8);
	put_mbr(&seeds[2], 0, 1, 0x82, 16, 8);
	put_mbr(&seeds[2], 0, 2, 0x0f, 24, 100);
	for (unsigned int i = 0; i < 4; i++) {
		put_mbr(&seeds[2], 24 + 8 * i, 0, 0x83, 1, 4);
		put_mbr(&seeds[2], 24 + 8 * i, 1, i < 3 ? 0x05 : 0, 8 + 8 * i, 8);
	}
	put_mbr(&seeds[3], 0, 3, 0x05, 1, 127); /* a chain of what the input makes of it */
	for (unsigned int i = 1; i < 127; i++) {
		bytes_put_le16(seeds[3].disk + i * S + 510, 0xaa55);
		seeds[3].disk[i * S + 446 + 16 + 4] = 0x05;
		bytes_put_le32(seeds[3].disk + i * S + 446 + 16 + 8, i);
	}
}

/* ---- damage ---- */

static uint64_t changed(const struct record *r, uint64_t old)
{
	switch (r->how % HOWS) {
	case 0:
		return 0;
	case 1:
		return ~0ul;
	case 2:
		return SECTORS - r->val % 4;
	case 3:
		return old + 1;
	case 4:
		return old - 1;
	case 5:
		return old ^ 1ul << r->val % 64;
	case 6:
		return 1ul << r->val % 64;
	case 7:
		return r->val % SECTORS;
	case 8:
		return ~0ul - r->val % SECTORS;
	default:
		return r->val;
	}
}

static void damage(const struct seed *s, const struct record *r)
{
	unsigned int len = 1u << r->len % 4;
	uint64_t at = r->len & 128 ? r->at : s->field[r->at % s->fields];

	if (range_within(at, len, sizeof(disk))) {
		bytes_put_le(disk + at, len, changed(r, bytes_get_le(disk + at, len)));
	}
}

/* The sums of a header and of the entries that it names. */
static void mend(uint64_t lba)
{
	uint8_t *h = disk + lba * S;
	uint64_t at = bytes_get_le64(h + 72), size = bytes_get_le32(h + 12);
	uint64_t len = (uint64_t)bytes_get_le32(h + 80) * bytes_get_le32(h + 84);

	if (at < SECTORS && range_within(at * S, len, sizeof(disk))) {
		bytes_put_le32(h + 88, crc32(0, disk + at * S, len));
	}
	bytes_put_le32(h + 16, 0);
	bytes_put_le32(h + 16, crc32(0, h, size <= S ? size : 0));
}

/* ---- what was read ---- */

static void check_part(const struct partition_table *t, unsigned int i, uint64_t disk_size)
{
	const struct partition *p = &t->part[i];

	must(p->size > 0 && p->off > 0 && (p->off | p->size) % S == 0 &&
		     range_within(p->off, p->size, disk_size),
	     "a partition lies on the disk");
	must(memchr(p->name, '\0', sizeof(p->name)) != NULL, "a name ends");
	must(partition_find(t, p->number) == p, "a partition is found by its number");
	for (unsigned int k = 0; k < i; k++) {
		must(p->off + p->size <= t->part[k].off ||
			     t->part[k].off + t->part[k].size <= p->off,
		     "no two overlap");
	}
}

static void read_table(uint64_t size)
{
	struct block_dev d = { .ops = &ops, .size = size };
	struct partition_table t;
	const char *why = NULL;
	int r = partition_read(&d, &t, &why);

	must(r == 0 || r == -EINVAL || r == -ENOMEM || r == -EIO, "an error of the contract");
	must(why != NULL && why[0] != '\0', "a refusal says why");
	must(t.count <= (r == 0 ? PARTITION_MAX : 0), "no partitions of what is damaged");
	for (unsigned int i = 0; i < t.count; i++) {
		check_part(&t, i, size);
	}
	must(partition_find(&t, 9999) == NULL && fake_heap_live == 0, "nothing is left");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { 0 };
	const struct seed *s;

	if (seeds[0].fields == 0) {
		begin();
	}
	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	s = &seeds[in.seed % ARRAY_SIZE(seeds)];
	memcpy(disk, s->disk, sizeof(disk));
	for (size_t i = 0; i < RECORDS && offsetof(struct input, record[i + 1]) <= size; i++) {
		damage(s, &in.record[i]);
	}
	if (!(in.flags & KEEP_FIRST)) {
		mend(1);
	}
	if (!(in.flags & KEEP_COPY)) {
		mend(SECTORS - 1);
	}
	reads_left = in.flags & FAIL ? in.fail : ~0u;
	fake_heap_limit = in.flags & NO_MEMORY ? 0 : ~0ul;
	read_table((in.flags & CUT ? in.cut % (SECTORS + 1) : SECTORS) * (uint64_t)S);
	return 0;
}
