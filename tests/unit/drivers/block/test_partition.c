/* SPDX-License-Identifier: BSD-2-Clause */
/* Partition tables, sound and hostile: GPT with its copy, MBR with its chain; and a window on a part. */
/* The disk is memory. */
/* TEST_SOURCES: drivers/block/partition.c drivers/block/partition_gpt.c drivers/block/window.c */
/* TEST_SOURCES: drivers/block/block.c hv/lib/crc32.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c */
#include "drivers/block/partition.h"
#include "drivers/block/window.h"
#include "hv/lib/bytes.h"
#include "hv/lib/crc32.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECTORS 8192u
#define S	BLOCK_SECTOR
#define TABLE	32u /* sectors of GPT's entries */

static uint8_t disk[SECTORS * S];
static unsigned int reads, flushes, closed;
static uint64_t bad_sector;
static struct partition_table table;
static const char *why;

static int disk_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	(void)d;
	assert_int_equal(n, 1);
	reads++;
	if (off / S == bad_sector) {
		return -EIO;
	}
	memcpy(v->base, disk + off, v->len);
	return 0;
}

static int disk_write(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	(void)d;
	assert_int_equal(n, 1);
	memcpy(disk + off, v->base, v->len);
	return 0;
}

static int disk_flush(struct block_dev *d)
{
	(void)d;
	flushes++;
	return 0;
}

static int disk_range(struct block_dev *d, uint64_t off, uint64_t len)
{
	(void)d;
	memset(disk + off, 0xdd, len);
	return 0;
}

static int disk_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap)
{
	(void)d;
	(void)unmap;
	memset(disk + off, 0, len);
	return 0;
}

static const struct block_dev_ops ops = { disk_read,  disk_write,  disk_flush,
					  disk_range, disk_zeroes, disk_flush };
static struct block_dev dev = { .ops = &ops, .size = sizeof(disk), .granularity = S };

static uint8_t *sector(uint64_t lba)
{
	return disk + lba * S;
}

static int setup(void **state)
{
	(void)state;
	memset(disk, 0, sizeof(disk));
	reads = flushes = closed = 0;
	bad_sector = UINT64_MAX;
	fake_heap_limit = ~0ul;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

static int look(void)
{
	return partition_read(&dev, &table, &why);
}

static void refused(const char *text)
{
	assert_int_equal(look(), -EINVAL);
	assert_int_equal(table.count, 0);
	if (strstr(why, text) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", text, why);
	}
}

/* ---- MBR ---- */

static void sign(uint64_t lba)
{
	bytes_put_le16(sector(lba) + 510, 0xaa55);
}

static void mbr_entry(uint64_t lba, unsigned int i, uint8_t type, uint32_t first, uint32_t count)
{
	uint8_t *e = sector(lba) + 446 + 16 * (size_t)i;

	e[4] = type;
	bytes_put_le32(e + 8, first);
	bytes_put_le32(e + 12, count);
	sign(lba);
}

static void assert_part(unsigned int i, unsigned int number, uint64_t first, uint64_t count)
{
	assert_true(i < table.count);
	assert_int_equal(table.part[i].number, number);
	assert_int_equal(table.part[i].off, first * S);
	assert_int_equal(table.part[i].size, count * S);
}

static void test_no_table(void **state)
{
	(void)state;
	assert_int_equal(look(), 0);
	assert_int_equal(table.scheme, PARTITION_NO_TABLE);
	mbr_entry(0, 0, 0x83, 64, 64);
	sector(0)[446] = 0x12; /* a file system's boot sector: code where the flag would be */
	assert_int_equal(look(), 0);
	assert_int_equal(table.count, 0);
}

static void test_mbr(void **state)
{
	(void)state;
	mbr_entry(0, 0, 0x83, 64, 100);
	mbr_entry(0, 3, 0x07, 200, SECTORS - 200);
	sector(0)[446] = 0x80;
	assert_int_equal(look(), 0);
	assert_int_equal(table.scheme, PARTITION_MBR);
	assert_int_equal(table.count, 2);
	assert_part(0, 1, 64, 100);
	assert_part(1, 4, 200, SECTORS - 200);
	assert_int_equal(table.part[1].mbr_type, 7);
	assert_non_null(partition_find(&table, 4));
	assert_null(partition_find(&table, 2));
	assert_null(partition_find(&table, 0));
}

static void test_logical(void **state)
{
	(void)state;
	mbr_entry(0, 0, 0x83, 10, 10);
	mbr_entry(0, 1, 0x0f, 1000, 4000);
	mbr_entry(1000, 0, 0x83, 8, 100);
	mbr_entry(1000, 1, 0x05, 500, 200);
	mbr_entry(1500, 1, 0x05, 2000, 200); /* a link without a partition */
	mbr_entry(3000, 0, 0x82, 8, 50);
	assert_int_equal(look(), 0);
	assert_int_equal(table.count, 3);
	assert_part(1, 5, 1008, 100);
	assert_part(2, 6, 3008, 50);
}

static void test_mbr_hostile(void **state)
{
	(void)state;
	mbr_entry(0, 0, 0x83, 64, SECTORS - 63);
	refused("does not lie on the disk");
	mbr_entry(0, 0, 0x83, 64, 0);
	refused("does not lie on the disk");
	mbr_entry(0, 0, 0x83, 0, 10); /* over the table itself */
	refused("does not lie on the disk");
	mbr_entry(0, 0, 0x83, UINT32_MAX, UINT32_MAX);
	refused("does not lie on the disk");
	mbr_entry(0, 0, 0x83, 64, 64);
	mbr_entry(0, 1, 0x83, 127, 1);
	refused("overlap");
	mbr_entry(0, 1, 0x83, 128, 1);
	assert_int_equal(look(), 0);
}

static void test_chain_hostile(void **state)
{
	(void)state;
	mbr_entry(0, 0, 0x05, 1000, 4000);
	refused("is broken"); /* no signature */
	mbr_entry(1000, 1, 0x05, 0, 10);
	refused("loop"); /* itself */
	mbr_entry(1000, 1, 0x05, 100, 10);
	mbr_entry(1100, 1, 0x05, 0, 10);
	refused("loop");
	assert_true(reads < 20);
	mbr_entry(1100, 1, 0x05, 4000, 10); /* out of the extended partition */
	refused("outside");
	mbr_entry(1100, 1, 0x83, 10, 10);
	refused("outside");
	mbr_entry(1100, 1, 0, 0, 0);
	mbr_entry(1100, 0, 0x83, UINT32_MAX, 10);
	refused("does not lie on the disk");
	mbr_entry(0, 0, 0x05, SECTORS, 4000);
	refused("past the end");
}

static void test_chain_long(void **state)
{
	(void)state;
	mbr_entry(0, 0, 0x05, 1000, 4000);
	for (unsigned int i = 0; i < 200; i++) {
		mbr_entry(1000 + i * 10, 0, 0x83, 1, 1);
		mbr_entry(1000 + i * 10, 1, 0x05, (i + 1) * 10, 10);
	}
	refused("more than 128");
}

/* ---- GPT ---- */

static uint8_t *gpt_entry(uint64_t table_lba, unsigned int i)
{
	return sector(table_lba) + (size_t)i * 128;
}

/* Makes both sums of a copy right. */
static void seal(uint64_t lba, uint64_t table_lba)
{
	uint8_t *h = sector(lba);

	bytes_put_le32(h + 0x58, crc32(0, sector(table_lba), TABLE * S));
	bytes_put_le32(h + 0x10, 0);
	bytes_put_le32(h + 0x10, crc32(0, h, 92));
}

static void gpt_copy(uint64_t lba, uint64_t table_lba)
{
	uint8_t *h = sector(lba);

	memcpy(h, "EFI PART", 8);
	bytes_put_le32(h + 0x08, 0x10000);
	bytes_put_le32(h + 0x0c, 92);
	bytes_put_le64(h + 0x18, lba);
	bytes_put_le64(h + 0x28, 2 + TABLE);
	bytes_put_le64(h + 0x30, SECTORS - 2 - TABLE);
	bytes_put_le64(h + 0x48, table_lba);
	bytes_put_le32(h + 0x50, 128);
	bytes_put_le32(h + 0x54, 128);
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t *e = gpt_entry(table_lba, 3 * i);

		memset(e, 0x11, 32);
		bytes_put_le64(e + 32, 100 + 100 * i);
		bytes_put_le64(e + 40, 199 + 100 * i);
		memcpy(e + 56, "d\0a\0t\0a\0\xe4\0", 10);
	}
	seal(lba, table_lba);
}

#define COPY	   (SECTORS - 1)
#define COPY_TABLE (SECTORS - 1 - TABLE)

static void gpt(void)
{
	setup(NULL);
	mbr_entry(0, 0, 0xee, 1, SECTORS - 1);
	gpt_copy(1, 2);
	gpt_copy(COPY, COPY_TABLE);
}

static void test_gpt(void **state)
{
	(void)state;
	gpt();
	assert_int_equal(look(), 0);
	assert_int_equal(table.scheme, PARTITION_GPT);
	assert_false(table.backup);
	assert_int_equal(table.count, 2);
	assert_part(0, 1, 100, 100);
	assert_part(1, 4, 200, 100);
	assert_string_equal(table.part[0].name, "data?");
	assert_int_equal(table.part[0].gpt_type[0], 0x11);
}

static void assert_backup(void)
{
	assert_int_equal(look(), 0);
	assert_true(table.backup);
	assert_int_equal(table.count, 2);
	assert_part(1, 4, 200, 100);
}

static void test_gpt_copy(void **state)
{
	(void)state;
	gpt();
	sector(1)[0x30] ^= 1; /* the header's sum */
	assert_backup();
	gpt();
	gpt_entry(2, 3)[56] ^= 1; /* the entries' sum */
	assert_backup();
	gpt();
	memset(sector(1), 0, S);
	assert_backup();
	gpt();
	bytes_put_le64(sector(1) + 0x18, 7); /* a header from elsewhere */
	seal(1, 2);
	assert_backup();
	gpt();
	bad_sector = 1;
	assert_backup();
	gpt();
	bad_sector = 3;
	assert_backup();
	sector(COPY)[0] ^= 1;
	assert_int_equal(look(), -EIO); /* what was wrong first */
}

/* Both copies agree, their sums are right, and they make no sense. */
static void spoil(unsigned int off, unsigned int size, uint64_t val, const char *text)
{
	gpt();
	bytes_put_le(sector(1) + off, size, val);
	bytes_put_le(sector(COPY) + off, size, val);
	seal(1, 2);
	seal(COPY, COPY_TABLE);
	refused(text);
}

static void spoil_entry(unsigned int i, unsigned int off, uint64_t val, const char *text)
{
	gpt();
	bytes_put_le64(gpt_entry(2, i) + off, val);
	bytes_put_le64(gpt_entry(COPY_TABLE, i) + off, val);
	seal(1, 2);
	seal(COPY, COPY_TABLE);
	refused(text);
}

static void test_gpt_hostile(void **state)
{
	(void)state;
	spoil(0x08, 4, 0x20000, "no header");
	spoil(0x0c, 4, 91, "another size");
	spoil(0x0c, 4, 513, "another size");
	spoil(0x0c, 4, UINT32_MAX, "another size");
	spoil(0x28, 8, SECTORS, "usable");
	spoil(0x30, 8, SECTORS, "usable");
	spoil(0x30, 8, UINT64_MAX, "usable");
	spoil(0x48, 8, SECTORS, "past the end");
	spoil(0x48, 8, UINT64_MAX, "past the end");
	spoil(0x50, 4, 0, "number");
	spoil(0x50, 4, UINT32_MAX, "number");
	spoil(0x54, 4, 0, "another size");
	spoil(0x54, 4, 64, "another size");
	spoil(0x54, 4, 192, "another size");
	spoil(0x54, 4, UINT32_MAX, "another size");
	spoil_entry(3, 32, 150, "overlap");
	spoil_entry(3, 32, 99, "overlap");
	spoil_entry(0, 32, 1, "usable");
	spoil_entry(0, 40, 50, "usable");
	spoil_entry(0, 40, UINT64_MAX, "usable");
	spoil_entry(3, 40, SECTORS - 1, "usable");
}

static void test_trouble(void **state)
{
	(void)state;
	gpt();
	bad_sector = 0;
	assert_int_equal(look(), -EIO);
	fake_heap_limit = 0;
	assert_int_equal(look(), -ENOMEM);
}

static void test_tiny_disk(void **state)
{
	struct block_dev tiny = dev;

	(void)state;
	gpt();
	for (uint64_t n = 0; n < 4; n++) {
		tiny.size = n * S;
		(void)partition_read(&tiny, &table, &why);
		assert_int_equal(table.count, 0);
	}
}

/* ---- windows ---- */

static void on_closed(void *arg)
{
	assert_ptr_equal(arg, &table);
	closed++;
}

static void test_window(void **state)
{
	const struct window_params p = { &dev, 100 * S, 10 * S, false, on_closed, &table };
	struct block_dev *w = window_open(&p);
	uint8_t data[S];
	struct block_vec v = { data, S };

	(void)state;
	memset(data, 0x77, S);
	assert_int_equal(w->size, 10 * S);
	assert_false(w->immediate);
	assert_int_equal(block_write(w, 9 * S, &v, 1), 0);
	assert_int_equal(sector(109)[5], 0x77);
	assert_int_equal(block_write(w, 10 * S, &v, 1), -EINVAL);
	assert_int_equal(block_discard(w, 0, S), 0);
	assert_int_equal(sector(100)[0], 0xdd);
	assert_int_equal(sector(101)[0], 0);
	assert_int_equal(block_read(w, 0, &v, 1), 0);
	assert_int_equal(data[0], 0xdd);
	assert_int_equal(block_write_zeroes(w, 0, S, false), 0);
	assert_int_equal(sector(100)[0], 0);
	assert_int_equal(block_close(w), 0);
	assert_int_equal(flushes, 1);
	assert_int_equal(closed, 1);
}

static void test_window_readonly(void **state)
{
	const struct window_params p = { &dev, 0, 10 * S, true, NULL, NULL };
	struct block_dev *w = window_open(&p);

	(void)state;
	assert_int_equal(block_discard(w, 0, S), -EROFS);
	assert_int_equal(block_close(w), 0);
	assert_int_equal(flushes, 0);
	fake_heap_limit = 0;
	assert_null(window_open(&p));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_table),
		TEST(test_mbr),
		TEST(test_logical),
		TEST(test_mbr_hostile),
		TEST(test_chain_hostile),
		TEST(test_chain_long),
		TEST(test_gpt),
		TEST(test_gpt_copy),
		TEST(test_gpt_hostile),
		TEST(test_trouble),
		TEST(test_tiny_disk),
		TEST(test_window),
		TEST(test_window_readonly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
