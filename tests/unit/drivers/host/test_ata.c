/* SPDX-License-Identifier: BSD-2-Clause */
/* What IDENTIFY DEVICE says, believed as far as it makes sense; ranges of TRIM; commands by size. */
/* Knows no controller. */
/* TEST_SOURCES: drivers/host/ata.c */
#include "drivers/host/ata.h"
#include "drivers/host/host_disk.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t raw[ATA_IDENTIFY_SIZE];
static struct ata_identity id;
static struct host_disk disk;

static void word(unsigned int n, uint16_t val)
{
	bytes_put_le16(raw + 2 * (size_t)n, val);
}

static void text(unsigned int n, const char *s, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		raw[2 * n + (i ^ 1)] = (uint8_t)(i < strlen(s) ? s[i] : ' ');
	}
}

/* A large disk with a cache, TRIM and sectors of 512 bytes. */
static int setup(void **state)
{
	(void)state;
	memset(raw, 0, sizeof(raw));
	memset(&disk, 0, sizeof(disk));
	memset(&id, 0, sizeof(id));
	text(27, "Insula disk", 40);
	text(10, "S-1", 20);
	word(49, 0x0300);
	word(60, 0xffff);
	word(61, 0x0fff);
	word(75, 0x1f);
	word(76, 0x0102);
	word(83, 0x7400);
	word(102, 1); /* 2^32 sectors */
	word(106, 0x4000);
	word(169, 1);
	return 0;
}

static int identify(void)
{
	return ata_identify(raw, &id, &disk);
}

static void test_sound(void **state)
{
	(void)state;
	assert_int_equal(identify(), 0);
	assert_string_equal(disk.model, "Insula disk");
	assert_string_equal(disk.serial, "S-1");
	assert_int_equal(id.sectors, 1ul << 32);
	assert_true(id.wide && id.cache && id.trim);
	assert_int_equal(id.queue, 32);
}

static void test_queue(void **state)
{
	(void)state;
	word(75, 0xffe0);
	assert_int_equal(identify(), 0);
	assert_int_equal(id.queue, 1);
	word(76, 0x0006);
	assert_int_equal(identify(), 0);
	assert_int_equal(id.queue, 0);
	word(76, 0xffff); /* not of Serial ATA */
	assert_int_equal(identify(), 0);
	assert_int_equal(id.queue, 0);
	word(76, 0x0100);
	word(83, 0x3400); /* queued commands have 48 bits of address */
	assert_int_equal(identify(), 0);
	assert_int_equal(id.queue, 0);
}

static void test_old(void **state)
{
	(void)state;
	word(83, 0x3400); /* the word does not count */
	assert_int_equal(identify(), 0);
	assert_int_equal(id.sectors, 0x0fffffff);
	assert_false(id.wide || id.cache || id.trim);
	word(61, 0xffff);
	assert_int_equal(identify(), 0);
	assert_int_equal(id.sectors, 0x0fffffff); /* 28 bits */
}

static void test_refused(void **state)
{
	(void)state;
	word(49, 0x0200);
	assert_int_equal(identify(), -ENOTSUP); /* no DMA */
	setup(NULL);
	word(106, 0x5000);
	word(117, 2048);
	assert_int_equal(identify(), -ENOTSUP); /* 4 KiB sectors */
	word(117, 256);
	assert_int_equal(identify(), 0);
	word(102, 0);
	assert_int_equal(identify(), -EINVAL); /* no sectors */
	word(103, 0xffff);
	assert_int_equal(identify(), -EINVAL); /* bytes that 64 bits do not count */
}

static void test_text(void **state)
{
	(void)state;
	text(27, "a\x1b[2J\xff b", 40); /* nothing for a terminal */
	assert_int_equal(identify(), 0);
	assert_string_equal(disk.model, "a [2J  b");
	text(27, "0123456789012345678901234567890123456789", 40);
	assert_int_equal(identify(), 0);
	assert_int_equal(strlen(disk.model), 40);
}

static void test_trim(void **state)
{
	uint8_t block[ATA_TRIM_BLOCK];

	(void)state;
	ata_trim_ranges(block, 0x123456789a, 65535 + 7);
	assert_int_equal(bytes_get_le64(block), 0xffff00123456789a);
	assert_int_equal(bytes_get_le64(block + 8), 0x0007001234577899);
	assert_int_equal(bytes_get_le64(block + 16), 0);
	ata_trim_ranges(block, 0, ATA_TRIM_MAX);
	assert_int_equal(bytes_get_le64(block + 504) >> 48, 65535);
}

static void test_commands(void **state)
{
	(void)state;
	assert_int_equal(ata_read_write(&id, false, 1, 2).code, ATA_READ_DMA);
	assert_int_equal(ata_flush(&id).code, ATA_FLUSH_CACHE);
	id.wide = true;
	assert_int_equal(ata_read_write(&id, true, 1, 2).code, ATA_WRITE_DMA_EXT);
	assert_int_equal(ata_flush(&id).code, ATA_FLUSH_CACHE_EXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sound, setup),
		cmocka_unit_test_setup(test_queue, setup),
		cmocka_unit_test_setup(test_old, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_text, setup),
		cmocka_unit_test_setup(test_trim, setup),
		cmocka_unit_test_setup(test_commands, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
