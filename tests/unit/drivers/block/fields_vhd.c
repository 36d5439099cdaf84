/* SPDX-License-Identifier: BSD-2-Clause */
/* VHD: footers that were lost, or are none; bitmaps of large blocks. */
/* Its fields are fields_new.c's and fields_edges.c's. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "hv/lib/bytes.h"
#include <errno.h>
#include <string.h>

#include <cmocka.h>

/* Its end was lost: the copy counts, and the last block is not written over. */
static void test_vhd_without_footer(void **state)
{
	struct image_create_params p = { .format = "vhd", .size = 8 * MIB };
	struct fake_file *ff = lab_create(&p);
	uint64_t block = 512 + 2 * MIB;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "vhd"), 1);
	twin_write(&t, 2 * MIB - 512, 512, 1);
	lab_close(t.d);
	assert_int_equal(ff->file.size, 2048 + block + 512);
	fake_file_resize(ff, 2048 + block);
	t.d = lab_open(ff, "vhd");
	twin_check(&t);
	twin_write(&t, 4 * MIB, 512, 2);
	lab_close(t.d);
	assert_int_equal(ff->file.size, 2048 + 2 * block + 512);
	for (unsigned int i = 0; i < 512; i++) { /* "sector bitmap" of the new one */
		assert_int_equal(ff->data[2048 + block + i], 0xff);
	}
	assert_memory_equal(ff->data, ff->data + 2048 + 2 * block, 512);
	t.d = lab_open(ff, "vhd");
	twin_check(&t);
	lab_close(t.d);
	twin_end(&t);
	fake_file_free(ff);
}

/* Neither footer's sum is right: it is none, whatever else it says. */
static void test_vhd_no_footer(void **state)
{
	struct image_create_params p = { .format = "vhd", .size = 8 * MIB };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d;

	(void)state;
	ff->data[100] ^= 1;
	lab_close(lab_open(ff, "vhd"));
	ff->data[ff->file.size - 412] ^= 1;
	assert_int_equal(lab_try_open(ff, "vhd", true, &d), -EINVAL);
	assert_non_null(strstr(lab_why.text, "has no VHD footer"));
	fake_file_free(ff);
}

static uint32_t sum_of(const uint8_t *raw, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : raw[i];
	}
	return __builtin_bswap32(~sum);
}

/* Blocks of 8 MiB have bitmaps of four sectors: each is written before its block, and nowhere else. */
static void test_vhd_large_blocks(void **state)
{
	struct image_create_params p = { .format = "vhd", .size = 2 * GIB };
	struct fake_file *ff = lab_create(&p);
	uint64_t first = 1536 + 4096;
	struct block_dev *d;
	uint8_t buf[512];
	struct block_vec v = { buf, 512 };

	(void)state;
	bytes_put_le32(ff->data + 544, __builtin_bswap32(8 * MIB));
	bytes_put_le32(ff->data + 548, sum_of(ff->data + 512, 1024, 36));
	d = lab_open(ff, "vhd");
	for (uint64_t i = 0; i < 2; i++) {
		memset(buf, (int)i + 1, 512);
		assert_int_equal(block_write(d, i * 8 * MIB + 8 * MIB - 512, &v, 1), 0);
	}
	assert_int_equal(block_flush(d), 0);
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t at = first + i * (8 * MIB + 2048);

		for (unsigned int k = 0; k < 2048; k++) {
			assert_int_equal(ff->data[at + k], 0xff);
		}
		assert_int_equal(ff->data[at + 2048], 0);
		assert_int_equal(ff->data[at + 2047 + 8 * MIB], i + 1);
		assert_int_equal(block_read(d, i * 8 * MIB + 8 * MIB - 512, &v, 1), 0);
		assert_int_equal(buf[511], i + 1);
	}
	lab_close(d);
	lab_check(ff, "vhd");
	fake_file_free(ff);
}

void fields_vhd_add(struct lab_group *g)
{
	lab_add(g, test_vhd_without_footer, NULL, "vhd, without its footer");
	lab_add(g, test_vhd_no_footer, NULL, "vhd, no footer is right");
	lab_add(g, test_vhd_large_blocks, NULL, "vhd, large blocks");
}
