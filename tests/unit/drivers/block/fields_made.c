/* SPDX-License-Identifier: BSD-2-Clause */
/* What new images say that is no fixed value: checksums, geometry, identifiers, directories, names. */
/* Their other fields are fields_new.c's. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "fakes/fake_fiber.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- VHD: checksums, geometry ---- */

static uint32_t sum_of(const struct fake_file *ff, uint64_t off, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : ff->data[off + i];
	}
	return ~sum;
}

static void test_vhd_sums(void **state)
{
	struct image_create_params p = { .format = "vhd", .size = 8 * MIB, .seed = 3 };
	struct fake_file *ff = lab_create(&p);

	(void)state;
	assert_int_equal(fields_get(ff, 64, 4, true), sum_of(ff, 0, 512, 64));
	assert_int_equal(fields_get(ff, 512 + 36, 4, true), sum_of(ff, 512, 1024, 36));
	assert_memory_equal(ff->data, ff->data + ff->file.size - 512, 512);
	fake_file_free(ff);
}

/* "CHS Calculation", at its turning points. */
static void test_vhd_geometry(void **state)
{
	static const struct {
		uint64_t sectors;
		uint32_t geometry; /* 16 bits of cylinders, 8 of heads, 8 of sectors */
	} rows[] = {
		{ 17 * 4, 1u << 16 | 4 << 8 | 17 },
		{ 17 * 4095, 1023u << 16 | 4 << 8 | 17 },
		{ 17 * 4096, 140u << 16 | 16 << 8 | 31 },
		{ 17 * 4097, 819u << 16 | 5 << 8 | 17 },
		{ 17 * 16383, 1023u << 16 | 16 << 8 | 17 },
		{ 17 * 16500, 565u << 16 | 16 << 8 | 31 },
		{ 31 * 16383, 1023u << 16 | 16 << 8 | 31 },
		{ 31 * 16384, 503u << 16 | 16 << 8 | 63 },
		{ 65535ul * 16 * 63 - 1, 65534u << 16 | 16 << 8 | 63 },
		{ 65535ul * 16 * 63, 16191u << 16 | 16 << 8 | 255 },
		{ 65535ul * 16 * 255, 65535u << 16 | 16 << 8 | 255 },
		{ 65535ul * 17 * 255, 65535u << 16 | 16 << 8 | 255 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_create_params p = { .format = "vhd", .size = rows[i].sectors * 512 };
		struct fake_file *ff = lab_create(&p);

		if (fields_get(ff, 56, 4, true) != rows[i].geometry) {
			fail_msg("%lu sectors: %lx", rows[i].sectors, fields_get(ff, 56, 4, true));
		}
		fake_file_free(ff);
	}
}

/* ---- identifiers ---- */

static bool differ(const struct fake_file *a, const struct fake_file *b, uint64_t off, size_t len)
{
	return memcmp(a->data + off, b->data + off, len) != 0;
}

/* All of an identifier depends on the seed, and on nothing else. */
static void test_identifiers(void **state)
{
	static const struct {
		const char *format;
		uint64_t off;
		unsigned int len;
	} rows[] = {
		{ "vdi", 392, 6 }, { "vdi", 401, 7 }, { "vdi", 408, 6 },       { "vdi", 417, 7 },
		{ "vhd", 68, 8 },  { "vhd", 76, 8 },  { "vmdk", 512 + 36, 8 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_create_params p = { .format = rows[i].format,
						 .size = MIB,
						 .seed = 0x12345678 };
		struct fake_file *a = lab_create(&p), *same = lab_create(&p), *b;

		p.seed++;
		b = lab_create(&p);
		assert_false(differ(a, same, 0, a->file.size));
		assert_true(differ(a, b, rows[i].off, rows[i].len));
		fake_file_free(a);
		fake_file_free(b);
		fake_file_free(same);
	}
}

/* The same seed gives the same image, in all versions to come. */
static void test_identifiers_stay(void **state)
{
	static const struct {
		const char *format;
		uint64_t off;
		uint64_t val;
	} rows[] = {
		{ "vdi", 392, 0x09b2f43a997cb348 }, { "vdi", 400, 0xa14006fba5492f30 },
		{ "vdi", 408, 0x09c7708518362d40 }, { "vhd", 68, 0x08b37c993af4b209 },
		{ "vhd", 76, 0x302f49a5fb064061 },  { "vmdk", 512 + 36, 0x3038623335623639 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_create_params p = { .format = rows[i].format,
						 .size = MIB,
						 .seed = 1000 };
		struct fake_file *ff = lab_create(&p);
		uint64_t val = fields_get(ff, rows[i].off, 8, true);

		if (val != rows[i].val) {
			fail_msg("%s at %lu: %lx", rows[i].format, rows[i].off, val);
		}
		fake_file_free(ff);
	}
}

/* RFC 4122: version 4. The image's and the snapshot's are two; parents are none. */
static void test_vdi_identifiers(void **state)
{
	struct image_create_params p = { .format = "vdi", .size = MIB, .seed = 99 };
	struct fake_file *ff = lab_create(&p);

	(void)state;
	for (unsigned int at = 392; at <= 408; at += 16) {
		assert_int_equal(ff->data[at + 7] >> 4, 4);
		assert_int_equal(ff->data[at + 8] >> 6, 2);
	}
	assert_memory_not_equal(ff->data + 392, ff->data + 408, 16);
	for (unsigned int i = 424; i < 512; i++) {
		assert_int_equal(ff->data[i], 0);
	}
	fake_file_free(ff);
}

/* ---- VMDK: many tables, both directories; names ---- */

/* Of n tables, whose directory takes so many sectors. */
static void check_directories(unsigned int n, unsigned int sectors)
{
	struct image_create_params p = { .format = "vmdk", .size = n * 32 * MIB };
	struct fake_file *ff = lab_create(&p);

	for (unsigned int k = 0; k < 2; k++) {
		uint64_t at = fields_get(ff, k ? 48 : 56, 8, false);

		for (unsigned int i = 0; i < n; i++) {
			assert_int_equal(fields_get(ff, at * 512 + i * 4, 4, false),
					 at + sectors + i * 4);
		}
		for (unsigned int i = n; i < sectors * 128; i++) {
			assert_int_equal(fields_get(ff, at * 512 + i * 4, 4, false), 0);
		}
		assert_int_equal(fields_get(ff, (at + sectors) * 512, 8, false), 0);
	}
	assert_int_equal(fields_get(ff, 56, 8, false), 21 + sectors + n * 4);
	assert_int_equal(ff->file.size, ALIGN_UP(21 + 2 * (sectors + n * 4), 128) * 512);
	fake_file_free(ff);
}

static void test_vmdk_directories(void **state)
{
	(void)state;
	check_directories(1, 1);
	check_directories(128, 1);
	check_directories(129, 2);
}

struct flat {
	const char *want; /* name of the extent */
	struct fake_file *extent;
	int err;
};

static int make_extent(void *arg, const char *name, struct block_file **out)
{
	struct flat *f = arg;

	assert_string_equal(name, f->want);
	*out = fake_file_open(f->extent, false);
	return f->err;
}

/* The extent is named after its descriptor, of its full size, flushed, closed. */
static void test_vmdk_extent(void **state)
{
	static const char *const names[][2] = {
		{ "web.vmdk", "web-flat.vmdk" },
		{ "web", "web-flat.vmdk" },
		{ "a.vmdk", "a-flat.vmdk" },
		{ ".vmdk", ".vmdk-flat.vmdk" },
		{ "web.vmdkx", "web.vmdkx-flat.vmdk" },
		{ NULL, "disk-flat.vmdk" },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct flat f = { names[i][1], fake_file_new(), 0 };
		struct image_create_params p = { .format = "vmdk",
						 .subformat = "monolithicFlat",
						 .size = 20 * MIB,
						 .name = names[i][0],
						 .extent = make_extent,
						 .arg = &f };
		struct fake_file *ff = lab_create(&p);

		assert_int_equal(f.extent->file.size, 20 * MIB);
		assert_true(f.extent->flushes > 0);
		assert_int_equal(f.extent->opens, 0);
		assert_int_equal(ff->file.size, 1024);
		assert_non_null(strstr((char *)ff->data, "createType=\"monolithicFlat\"\n"));
		assert_non_null(strstr((char *)ff->data, "RW 40960 FLAT \""));
		assert_non_null(strstr((char *)ff->data, ".vmdk\" 0\n"));
		assert_non_null(strstr((char *)ff->data, "geometry.cylinders = \"40\"\n"));
		fake_file_free(ff);
		fake_file_free(f.extent);
	}
}

/* Up to 200 bytes of name, 2047 GiB, in grains of 32 MiB. */
static void test_vmdk_largest(void **state)
{
	char name[202] = "";
	struct image_create_params p = {
		.format = "vmdk", .size = 2047 * GIB, .cluster_size = 32 * MIB, .name = name
	};
	struct fake_file *ff;

	(void)state;
	memset(name, 'n', 200);
	ff = lab_create(&p);
	assert_int_equal(fields_get(ff, 12, 8, false), 2047 * GIB / 512);
	lab_close(lab_open(ff, "vmdk"));
	fake_file_free(ff);
	ff = fake_file_new();
	name[200] = 'n';
	assert_int_equal(image_create(&ff->file, &p, &lab_why), -EINVAL);
	name[200] = '\0';
	p.size += 512;
	assert_int_equal(image_create(&ff->file, &p, &lab_why), -EINVAL);
	assert_int_equal(ff->writes, 0);
	fake_file_free(ff);
}

/* What goes wrong with the extent is said, and there is no descriptor of it. */
static void test_vmdk_extent_fails(void **state)
{
	struct flat f = { "disk-flat.vmdk", fake_file_new(), 0 };
	struct image_create_params p = { .format = "vmdk",
					 .subformat = "fixed",
					 .size = MIB,
					 .extent = make_extent,
					 .arg = &f };
	struct fake_file *ff = fake_file_new();

	(void)state;
	p.extent = NULL;
	assert_int_equal(image_create(&ff->file, &p, &lab_why), -ENOTSUP);
	assert_non_null(strstr(lab_why.text, "second file"));
	p.extent = make_extent;
	f.extent->limit = MIB - 1;
	assert_int_equal(image_create(&ff->file, &p, &lab_why), -ENOSPC);
	f.extent->limit = UINT64_MAX;
	f.extent->fail_flush_in = 0;
	assert_int_equal(image_create(&ff->file, &p, &lab_why), -EIO);
	assert_int_equal(f.extent->opens, 0);
	assert_int_equal(ff->writes, 0);
	fake_file_free(ff);
	fake_file_free(f.extent);
}

static void test_vmdk_text(void **state)
{
	struct image_create_params p = { .format = "vmdk",
					 .subformat = "monolithicSparse",
					 .size = 16383 * 16ul * 63 * 512 + 16 * 63 * 512,
					 .name = "x.vmdk" };
	struct fake_file *ff = lab_create(&p);
	const char *text = (char *)ff->data + 512;

	(void)state;
	assert_memory_equal(text, "# Disk DescriptorFile\nversion=1\nCID=", 36);
	assert_non_null(strstr(text, "\nparentCID=ffffffff\n"));
	assert_non_null(strstr(text, "\ncreateType=\"monolithicSparse\"\n"));
	assert_non_null(strstr(text, "\nRW 16515072 SPARSE \"x.vmdk\"\n"));
	assert_non_null(strstr(text, "\nddb.geometry.cylinders = \"16383\"\n")); /* and no more */
	fake_file_free(ff);
	p.size = 512;
	ff = lab_create(&p);
	text = (char *)ff->data + 512;
	assert_non_null(strstr(text, "\nddb.geometry.cylinders = \"1\"\n")); /* and no fewer */
	fake_file_free(ff);
}

/* ---- as large as tables can be, and no larger ---- */

static void test_limits_of_new_images(void **state)
{
	static struct image_backing fits = { .format = "raw" }, too_long = { .format = "raw" };
	static const struct {
		struct image_create_params p;
		bool made;
	} rows[] = {
		{ { .format = "qcow", .size = 128 * GIB + 512, .cluster_size = 512 }, false },
		{ { .format = "qed", .size = 16 * GIB, .cluster_size = 4096 }, true },
		{ { .format = "qed", .size = 16 * GIB + 512, .cluster_size = 4096 }, false },
		{ { .format = "vhd", .size = 2040 * GIB + 512 }, false },
		{ { .format = "vdi", .size = 256 * 1024 * GIB + 512 }, false },
		{ { .format = "qcow2", .size = 128 * GIB + 512, .cluster_size = 512 }, false },
		{ { .format = "qcow2", .size = MIB, .cluster_size = 512, .backing = &fits }, true },
		{ { .format = "qcow2", .size = MIB, .cluster_size = 512, .backing = &too_long },
		  false },
		{ { .format = "qcow2", .size = MIB, .backing = &too_long }, true },
		{ { .format = "qcow2", .size = MIB, .cluster_size = 4 * MIB }, false },
		{ { .format = "qcow2", .size = MIB, .cluster_size = 256 }, false },
		{ { .format = "qcow2", .size = MIB, .cluster_size = 5000 }, false },
		{ { .format = "qcow2", .size = MIB, .refcount_bits = 128 }, false },
		{ { .format = "qcow2", .size = MIB, .refcount_bits = 12 }, false },
		{ { .format = "qcow2", .size = MIB, .refcount_bits = 8, .version = 2 }, false },
		{ { .format = "qcow2", .size = MIB, .version = 4 }, false },
	};

	(void)state;
	memset(fits.name, 'n', 384);
	memset(too_long.name, 'n', 385);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_file *ff = fake_file_new();
		int r = image_create(&ff->file, &rows[i].p, &lab_why);

		if (r != (rows[i].made ? 0 : -EINVAL) || (r != 0 && lab_why.text[0] == '\0')) {
			fail_msg("%s of %lu, row %u: %d", rows[i].p.format, rows[i].p.size, i, r);
		}
		fake_file_free(ff);
	}
}

/* ---- making large tables lets others run ---- */

static void test_making_pauses(void **state)
{
	static const struct {
		struct image_create_params p;
		unsigned long least; /* one after each sector of tables */
	} rows[] = {
		{ { .format = "vdi", .size = 1024 * GIB }, 8192 },
		{ { .format = "vhd", .size = 1024 * GIB }, 4096 },
		{ { .format = "vmdk", .size = 256 * GIB }, 2 * 64 },
		{ { .format = "qcow2", .size = 64 * GIB, .cluster_size = 512 }, 163 + 3 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned long before = fake_fiber_checkpoints;

		fake_file_free(lab_create(&rows[i].p));
		if (fake_fiber_checkpoints - before < rows[i].least) {
			fail_msg("%s: %lu", rows[i].p.format, fake_fiber_checkpoints - before);
		}
	}
}

void fields_made_add(struct lab_group *g)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vhd_sums),
		cmocka_unit_test(test_vhd_geometry),
		cmocka_unit_test(test_identifiers),
		cmocka_unit_test(test_identifiers_stay),
		cmocka_unit_test(test_vmdk_largest),
		cmocka_unit_test(test_vdi_identifiers),
		cmocka_unit_test(test_vmdk_directories),
		cmocka_unit_test(test_vmdk_extent),
		cmocka_unit_test(test_vmdk_extent_fails),
		cmocka_unit_test(test_vmdk_text),
		cmocka_unit_test(test_limits_of_new_images),
		cmocka_unit_test(test_making_pauses),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
}
