/* SPDX-License-Identifier: BSD-2-Clause */
/* What fields mean once an image is used: sizes that are no whole clusters, names behind the tables, */
/* zeros that hide a backing file, features that a writer makes void, counts that are wrong. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "hv/lib/bytes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- all ---- */

static const struct image_create_params all[] = {
	{ .format = "raw", .size = MIB + 512 },
	{ .format = "vdi", .size = MIB + 512 },
	{ .format = "vhd", .size = 2 * MIB + 512 },
	{ .format = "qed", .size = 8 * MIB + 512, .cluster_size = 4096 },
	{ .format = "qcow", .size = 2 * MIB + 512 },
	{ .format = "vmdk", .size = 2 * MIB + 512, .cluster_size = 4096 },
	{ .format = "qcow2", .size = 2 * MIB + 512, .cluster_size = 4096 },
};

/* A sector in a table, or a block, of its own. */
static void test_last_sector(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		struct fake_file *ff = lab_create(&all[i]);
		struct twin t;

		twin_begin(&t, lab_open(ff, all[i].format), 1);
		twin_write(&t, all[i].size - 512, 512, 7);
		lab_close(t.d);
		t.d = lab_open(ff, all[i].format);
		twin_check(&t);
		lab_close(t.d);
		lab_check(ff, all[i].format);
		twin_end(&t);
		fake_file_free(ff);
	}
}

/* What is opened, read, flushed and closed is as it was before. */
static void test_reading_writes_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		struct fake_file *ff = lab_create(&all[i]);
		struct twin t;

		for (unsigned int k = 0; k < 2; k++) {
			ff->writes = 0;
			twin_begin(&t, lab_open(ff, all[i].format), 1);
			assert_int_equal(block_flush(t.d), 0);
			if (k == 0) { /* and with something in it */
				assert_int_equal(ff->writes, 0);
				twin_write(&t, all[i].size - 512, 512, 7);
			}
			lab_close(t.d);
			twin_end(&t);
		}
		assert_int_equal(ff->writes, 0);
		fake_file_free(ff);
	}
}

/* ---- raw ---- */

/* The last sector is there as a whole: the file's bytes, then zeros. */
static void test_raw_of_odd_size(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct twin t;

	(void)state;
	fake_file_resize(ff, 1000);
	memset(ff->data, 0xaa, 1000);
	twin_begin(&t, lab_open(ff, "raw"), 1);
	assert_int_equal(t.d->size, 1024);
	assert_int_equal(t.d->granularity, 4096);
	for (unsigned int i = 0; i < 1024; i++) {
		assert_int_equal(t.want[i], i < 1000 ? 0xaa : 0);
	}
	lab_close(t.d);
	twin_end(&t);
	fake_file_free(ff);
}

/* A partition is large enough or not; its size does not change. */
static void test_raw_on_partition(void **state)
{
	static const struct {
		uint64_t size;
		int r;
	} rows[] = { { 4096, 0 }, { 3584, 0 }, { 4608, -ENOTSUP } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_create_params p = { .format = "raw", .size = rows[i].size };
		struct fake_file *ff = fake_file_new();

		fake_file_fix(ff, 4096);
		assert_int_equal(image_create(&ff->file, &p, &lab_why), rows[i].r);
		assert_int_equal(ff->file.size, 4096);
		fake_file_free(ff);
	}
}

/* ---- QED and QCOW: backing files ---- */

/* A disk that is all the same, for lab_open to find. */
static struct fake_file *new_base(void)
{
	struct fake_file *base = fake_file_new();

	fake_file_resize(base, MIB);
	memset(base->data, 0x5b, MIB);
	lab_backing("base", base);
	return base;
}

/* What nobody wrote is the base's; an entry that says zeros is not. */
static void test_qed_zeros_hide_the_base(void **state)
{
	static const struct image_backing named = { "base", "raw" };
	struct image_create_params p = {
		.format = "qed", .size = MIB, .cluster_size = 4096, .backing = &named
	};
	struct fake_file *base = new_base(), *ff = lab_create(&p);
	uint64_t table;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qed"), 1);
	assert_int_equal(t.want[MIB - 1], 0x5b);
	twin_write(&t, 4096, 512, 7);
	lab_close(t.d);
	table = bytes_get_le64(ff->data + 4096);
	assert_int_equal(bytes_get_le64(ff->data + table), 0);
	bytes_put_le64(ff->data + table, 1);
	memset(t.want, 0, 4096);
	t.d = lab_open(ff, "qed");
	twin_check(&t);
	lab_close(t.d);
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(base);
	fake_file_free(ff);
}

/* The name is behind all tables: on a partition nothing is put on it. */
static void test_late_name(void **state)
{
	static const char *const formats[] = { "qed", "qcow" };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct image_create_params p = { .format = formats[i], .size = MIB };
		struct fake_file *base = new_base(), *ff = lab_create(&p);
		uint64_t at = ff->file.size + 65536 - 4;
		struct twin t;

		fake_file_fix(ff, at + 4 + 2 * MIB);
		memcpy(ff->data + at, "base", 4);
		if (i == 0) { /* within the header, whose last cluster is behind L1 */
			bytes_put_le32(ff->data + 12, 1);
			at = 65536 - 4;
			memcpy(ff->data + at, "base", 4);
			ff->data[16] = 5;
			bytes_put_le32(ff->data + 56, (uint32_t)at);
			bytes_put_le32(ff->data + 60, 4);
		} else {
			bytes_put_le64(ff->data + 8, __builtin_bswap64(at));
			bytes_put_le32(ff->data + 16, 4u << 24);
		}
		twin_begin(&t, lab_open(ff, formats[i]), 1);
		assert_int_equal(t.want[0], 0x5b);
		for (unsigned int k = 0; k < 30; k++) {
			assert_int_equal(twin_step(&t), 0);
		}
		lab_close(t.d);
		assert_memory_equal(ff->data + at, "base", 4);
		t.d = lab_open(ff, formats[i]);
		twin_check(&t);
		lab_close(t.d);
		twin_end(&t);
		lab_forget_backing();
		fake_file_free(base);
		fake_file_free(ff);
	}
}

static int find_base(void *arg, const char *name, struct block_file **out)
{
	assert_string_equal(name, "base");
	*out = fake_file_open(arg, true);
	return 0;
}

/* QED says that its base is raw, or nothing; then somebody else must. */
static void test_qed_format_of_the_base(void **state)
{
	static const char *const formats[] = { "raw", "qed" };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct image_backing named = { "base", "" };
		struct image_create_params p = { .format = "qed", .size = MIB, .backing = &named };
		struct image_create_params below = { .format = "qed", .size = MIB };
		struct fake_file *base = lab_create(&below), *ff;
		struct image_open_params o = {
			.format = "qed", .readonly = true, .backing = find_base, .arg = base
		};
		struct block_dev *d = NULL;
		uint8_t buf[512];

		strcpy(named.format, formats[i]);
		ff = lab_create(&p);
		o.file = fake_file_open(ff, true);
		if (i == 0) {
			assert_int_equal(image_open(&o, &d, &lab_why), 0);
			assert_int_equal(block_read(d, 0, &(struct block_vec){ buf, 512 }, 1), 0);
			assert_memory_equal(buf, "QED", 4);
			lab_close(d);
		} else {
			assert_int_equal(image_open(&o, &d, &lab_why), -EINVAL);
			assert_non_null(strstr(lab_why.text, "is not named"));
		}
		fake_file_free(ff);
		fake_file_free(base);
	}
}

/* Features that only others keep up to date are void once we write, and that is durable. */
static void test_qed_autoclear(void **state)
{
	struct image_create_params p = { .format = "qed", .size = MIB };
	struct fake_file *ff = lab_create(&p), *want = fake_file_new();
	unsigned long flushes;
	struct block_dev *d;

	(void)state;
	fake_file_copy(want, ff);
	memset(ff->data + 32, 0xff, 8);
	ff->writes = 0;
	assert_int_equal(lab_try_open(ff, "qed", true, &d), 0);
	lab_close(d);
	assert_int_equal(ff->writes, 0);
	flushes = ff->flushes;
	d = lab_open(ff, "qed");
	assert_true(ff->flushes > flushes);
	assert_memory_equal(ff->data, want->data, 512); /* and nothing else */
	lab_close(d);
	ff->data[32] = 1;
	ff->fail_write_in = 0;
	assert_int_equal(lab_try_open(ff, "qed", false, &d), -EIO);
	ff->fail_write_in = -1;
	ff->fail_flush_in = 0;
	ff->data[32] = 1;
	assert_int_equal(lab_try_open(ff, "qed", false, &d), -EIO);
	fake_file_free(want);
	fake_file_free(ff);
}

/* What its last writer did not close is only read. */
static void test_qed_not_closed(void **state)
{
	struct image_create_params p = { .format = "qed", .size = MIB };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = NULL;

	(void)state;
	ff->data[16] = 2;
	assert_int_equal(lab_try_open(ff, "qed", false, &d), -EROFS);
	assert_int_equal(lab_try_open(ff, "qed", true, &d), 0);
	lab_close(d);
	fake_file_free(ff);
}

/* ---- VDI ---- */

/* A number that leads nowhere is that block's damage: the others are used, and counted. */
static void test_vdi_highest_number(void **state)
{
	struct image_create_params p = { .format = "vdi", .size = 4 * MIB };
	struct fake_file *ff = lab_create(&p);
	uint8_t buf[512];
	struct block_vec v = { buf, 512 };
	struct image_check c;
	struct block_dev *d;

	(void)state;
	bytes_put_le32(ff->data + 512 + 12, 0x3fffffff);
	d = lab_open(ff, "vdi");
	assert_int_equal(bytes_get_le32(ff->data + 0x184), 0);
	assert_int_equal(block_read(d, 0, &v, 1), 0);
	assert_int_equal(block_read(d, 3 * MIB, &v, 1), -EIO);
	buf[0] = 1;
	assert_int_equal(block_write(d, 0, &v, 1), -ENOSPC); /* nothing can be behind it */
	assert_int_equal(image_check(d, false, NULL, &c), 0);
	assert_int_equal(c.corruptions, 1);
	assert_non_null(strstr(c.first.text, "leads out of the file"));
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(bytes_get_le32(ff->data + 0x184), 1);
	lab_close(d);
	fake_file_free(ff);
}

/* After a power cut the count may be wrong; opening for writing makes it right. */
static void test_vdi_count(void **state)
{
	struct image_create_params p = { .format = "vdi", .size = 8 * MIB };
	struct fake_file *ff = lab_create(&p);
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "vdi"), 1);
	twin_write(&t, 0, 512, 1);
	twin_write(&t, 5 * MIB, 512, 2);
	lab_close(t.d);
	assert_int_equal(bytes_get_le32(ff->data + 0x184), 2);
	bytes_put_le32(ff->data + 0x184, 77);
	bytes_put_le32(ff->data + 512 + 8, 0xfffffffe); /* zeros take no place */
	t.d = lab_open(ff, "vdi");
	twin_check(&t);
	twin_write(&t, 2 * MIB, 512, 3);
	lab_close(t.d);
	assert_int_equal(bytes_get_le32(ff->data + 0x184), 3);
	assert_int_equal(ff->file.size, 3 * MIB + 512);
	twin_end(&t);
	fake_file_free(ff);
}

void fields_use_add(struct lab_group *g)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_sector),
		cmocka_unit_test(test_reading_writes_nothing),
		cmocka_unit_test(test_raw_of_odd_size),
		cmocka_unit_test(test_raw_on_partition),
		cmocka_unit_test(test_qed_zeros_hide_the_base),
		cmocka_unit_test(test_late_name),
		cmocka_unit_test(test_qed_format_of_the_base),
		cmocka_unit_test(test_qed_autoclear),
		cmocka_unit_test(test_qed_not_closed),
		cmocka_unit_test(test_vdi_highest_number),
		cmocka_unit_test(test_vdi_count),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
}
