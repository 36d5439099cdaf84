/* SPDX-License-Identifier: BSD-2-Clause */
/* What only VMDK has: a second file, copies of tables, the descriptor's text, compressed images. */
/* All that it shares with other formats is test_formats.c's. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/tables.c drivers/block/tables_check.c drivers/block/fmt_raw.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk.c drivers/block/fmt_vmdk_create.c drivers/block/fmt_vmdk_header.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk_text.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/fmt_vmdk_text.h"
#include "drivers/block/lab.h"
#include "fakes/fake_heap.h"
#include "hv/lib/bytes.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT	   28u
#define OVERHEAD   64u
#define UNCLEAN	   72u
#define GD	   26u /* sectors, in images of ours of one table */
#define TABLE	   27u
#define TWIN_TABLE 22u

static struct fake_file *load(const char *name)
{
	struct fake_file *ff = fake_file_new();

	fake_file_load(ff, lab_path(name));
	return ff;
}

static void work(struct twin *t)
{
	for (unsigned int i = 0; i < 40; i++) {
		assert_int_equal(twin_step(t), 0);
	}
	twin_check(t);
}

/* ---- monolithicFlat ---- */

static void judge_flat(const struct fake_file *text, const struct fake_file *extent,
		       const char *name, struct twin *t, uint64_t size)
{
	struct fake_file raw = { .data = t->want };

	raw.file.size = size;
	fake_file_save(text, lab_path("flat.vmdk"));
	fake_file_save(extent, lab_path(name));
	fake_file_save(&raw, lab_path("twin"));
	lab_must("qemu-img check -f vmdk flat.vmdk && "
		 "qemu-img compare -f vmdk -F raw flat.vmdk twin");
}

static void test_flat_of_qemu(void **state)
{
	struct fake_file *text, *extent;
	uint64_t text_size;
	struct twin t;

	(void)state;
	lab_must("qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1111k && "
		 "qemu-io -f vmdk -c 'write -P 7 100k 200k' flat.vmdk");
	text = load("flat.vmdk");
	extent = load("flat-flat.vmdk");
	text_size = text->file.size;
	lab_backing("flat-flat.vmdk", extent);
	twin_begin(&t, lab_open(text, "vmdk"), 1);
	assert_int_equal(t.d->size, 1111 * KIB);
	assert_int_equal(t.d->granularity, 4096);
	assert_int_equal(t.want[100 * KIB], 7);
	work(&t);
	lab_close(t.d);
	assert_int_equal(extent->opens, 0);
	assert_int_equal(text->file.size, text_size);
	judge_flat(text, extent, "flat-flat.vmdk", &t, 1111 * KIB);
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(text);
	fake_file_free(extent);
}

static int make_extent(void *arg, const char *name, struct block_file **out)
{
	assert_string_equal(name, "web-flat.vmdk");
	*out = fake_file_open(arg, false);
	return 0;
}

static void test_flat_of_ours(void **state)
{
	struct fake_file *extent = fake_file_new(), *text;
	struct image_create_params p = { .format = "vmdk",
					 .subformat = "fixed",
					 .size = 1 * MIB + 512,
					 .name = "web.vmdk",
					 .extent = make_extent,
					 .arg = extent };
	struct twin t;

	(void)state;
	text = lab_create(&p);
	assert_int_equal(extent->file.size, p.size);
	assert_int_equal(extent->opens, 0);
	lab_backing("web-flat.vmdk", extent);
	twin_begin(&t, lab_open(text, "vmdk"), 2);
	work(&t);
	extent->fail_flush_in = 0; /* the guest's flush is the extent's */
	assert_int_equal(block_flush(t.d), -EIO);
	extent->fail_flush_in = -1;
	lab_close(t.d);
	judge_flat(text, extent, "web-flat.vmdk", &t, p.size);
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(text);
	fake_file_free(extent);
}

/* ---- descriptors ---- */

#define START "# Disk DescriptorFile\nversion=1\nCID=00000001\n"
#define FLAT  "createType=\"monolithicFlat\"\n"

static const struct text {
	const char *text;
	const char *why; /* NULL: it opens */
} texts[] = {
	{ START FLAT "RW 8 FLAT \"x\" 0\n", NULL },
	{ START FLAT "RW 8 FLAT \"x\"", NULL },
	{ START FLAT "RW 8 FLAT \"x\" \t\n", NULL },
	{ START FLAT " RW\t8 FLAT \"x\" 0\n", "0 extents" },
	{ "# Disk DescriptorFile\r\ncreateType = monolithicFlat\r\n\r\n  RW  7  FLAT  x  1 \r\n",
	  NULL },
	{ START FLAT "RW 8 FLAT \"x\" 1\n", "shorter than its disk" },
	{ START FLAT "RW 9 FLAT \"x\" 0\n", "shorter than its disk" },
	{ START FLAT "RW 8 FLAT \"x\" 18014398509481984\n", "shorter than its disk" },
	{ START FLAT "RW 8 FLAT \"x\" 18014398509481985\n", "start of the extent" },
	{ START FLAT "RW 8 FLAT \"x\" 18446744073709551615\n", "start of the extent" },
	{ START FLAT "RW 8 FLAT \"x\" y\n", "start of the extent" },
	{ START FLAT "RW 0 FLAT \"x\" 0\n", "size of the extent" },
	{ START FLAT "RW -1 FLAT \"x\" 0\n", "size of the extent" },
	{ START FLAT "RW 18014398509481985 FLAT \"x\" 0\n", "size of the extent" },
	{ START FLAT "RW \n", "size of the extent" },
	{ START FLAT "RW 8 FLATFLATFLAT \"x\" 0\n", "kind of the extent" },
	{ START FLAT "RW 8 SPARSE \"x\"\n", "createType" },
	{ START FLAT "RW 8 FLAT\n", "name of the extent" },
	{ START FLAT "RW 8 FLAT \"\" 0\n", "name of the extent" },
	{ START FLAT "RW 8 FLAT \"x 0\n", "name of the extent" },
	{ START FLAT "RW 8 FLAT \"/x\" 0\n", "not a plain name" },
	{ START FLAT "RW 8 FLAT \"../x\" 0\n", "not a plain name" },
	{ START FLAT "RW 8 FLAT \"a/../x\" 0\n", "not a plain name" },
	{ START FLAT "RW 8 FLAT \"ram:x\" 0\n", "not a plain name" },
	{ START FLAT "RW 8 FLAT \"a\\x\" 0\n", "not a plain name" },
	{ START FLAT "RW 8 FLAT \"y\" 0\n", "\"y\"" },
	{ START FLAT "RDONLY 8 FLAT \"x\" 0\n", "read-only" },
	{ START FLAT "NOACCESS 8 FLAT \"x\" 0\n", "read-only" },
	{ START FLAT, "0 extents" },
	{ START FLAT "RW 4 FLAT \"x\" 0\nRW 4 FLAT \"x\" 4\n", "2 extents" },
	{ START "RW 8 FLAT \"x\" 0\n", "createType \"\"" },
	{ START "createType=\"vmfs\"\nRW 8 VMFS \"x\" 0\n", "createType \"vmfs\"" },
	{ START "createType=\"0123456789012345678901234567890123456789\"\n", "wrong: createType" },
	{ START "createType=\"monolithicFlat\nRW 8 FLAT \"x\" 0\n", "quote" },
	{ START FLAT "parentCID=12345678\nRW 8 FLAT \"x\" 0\n", "delta" },
	{ START FLAT "parentCID=FFFFFFFF\nRW 8 FLAT \"x\" 0\n", NULL },
	{ START FLAT "parentCID=123456789\nRW 8 FLAT \"x\" 0\n", "parentCID" },
	{ START FLAT "parentCID=\nRW 8 FLAT \"x\" 0\n", "parentCID" },
	{ START FLAT "CID=xyz\nRW 8 FLAT \"x\" 0\n", "wrong: CID" },
	{ START FLAT "CID=7\nRW 8 FLAT \"x\" 0\n", NULL },
	{ START FLAT "#CID=xyz\n\"a=b\nRW 8 FLAT \"x\" 0\n", "quote" },
	{ "# Disk Descriptor", "no VMDK header" },
	{ "COWD", "no VMDK header" },
};

static void set_text(struct fake_file *ff, const char *text)
{
	fake_file_resize(ff, 0);
	fake_file_resize(ff, strlen(text));
	memcpy(ff->data, text, strlen(text));
}

static void test_descriptor(void **state)
{
	struct fake_file *ff = fake_file_new(), *extent = fake_file_new();
	const struct text *t = *state;
	struct block_dev *d = NULL;
	int r;

	fake_file_resize(extent, 8 * 512);
	set_text(ff, t->text);
	lab_backing("x", extent);
	r = lab_try_open(ff, "vmdk", false, &d);
	if (t->why ? r == 0 || !strstr(lab_why.text, t->why) : r != 0) {
		fail_msg("%d, \"%s\"", r, lab_why.text);
	}
	(void)block_close(d);
	assert_int_equal(ff->writes + extent->writes, 0);
	assert_int_equal(ff->opens + extent->opens, 0);
	lab_forget_backing();
	fake_file_free(extent);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

/* Digits of identifiers: as many as there are, up to eight. */
static void test_numbers_of_descriptor(void **state)
{
	char text[] = START "CID=7\nparentCID=1aB\nRW 8 FLAT \"x\" 5\n";
	struct vmdk_text t;

	(void)state;
	assert_null(fmt_vmdk_text_parse(text, &t));
	assert_int_equal(t.cid, 7);
	assert_int_equal(t.cid_at, 0);
	assert_int_equal(t.parent, 0x1ab);
	assert_int_equal(t.sectors, 8);
	assert_int_equal(t.start, 5);
	assert_int_equal(t.extents, 1);
	assert_false(t.readonly);
	assert_string_equal(t.type, "");
	assert_string_equal(t.kind, "FLAT");
	assert_string_equal(t.name, "x");
}

static void test_long_descriptor(void **state)
{
	struct fake_file *ff = fake_file_new();

	(void)state;
	set_text(ff, "COWD");
	fake_file_resize(ff, 30000); /* all the rest is zeros */
	assert_true(lab_try_open(ff, "vmdk", true, &(struct block_dev *){ NULL }) < 0);
	fake_file_free(ff);
}

/* Read and parsed up to a length, refused from it on, whatever it says. */
static void test_length_of_descriptor(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct block_dev *d;

	(void)state;
	set_text(ff, START FLAT);
	fake_file_resize(ff, 20479);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -ENOTSUP);
	assert_non_null(strstr(lab_why.text, "0 extents"));
	fake_file_resize(ff, 20480);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -EINVAL);
	assert_non_null(strstr(lab_why.text, "descriptor of 20480 bytes"));
	fake_file_free(ff);
}

/* Any image that opens may be read where its extent begins late. */
static void test_flat_offset(void **state)
{
	struct fake_file *ff = fake_file_new(), *extent = fake_file_new();
	struct twin t;

	(void)state;
	set_text(ff, START FLAT "RW 3 FLAT \"x\" 5\n");
	fake_file_resize(extent, 8 * 512);
	memset(extent->data, 1, 8 * 512);
	lab_backing("x", extent);
	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	assert_int_equal(t.d->size, 3 * 512);
	twin_write(&t, 512, 512, 9);
	lab_close(t.d);
	assert_int_equal(extent->data[6 * 512 - 1], 1);
	assert_int_equal(extent->data[6 * 512], 9);
	assert_int_equal(extent->data[7 * 512 - 1], 9);
	assert_int_equal(extent->data[7 * 512], 1);
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(ff);
	fake_file_free(extent);
}

/* ---- what tells others that the content changed ---- */

static struct fake_file *sparse(uint64_t size)
{
	struct image_create_params p = { .format = "vmdk", .size = size, .seed = 5 };

	return lab_create(&p);
}

static void test_cid(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	char before[8], after[8];
	struct twin t;

	(void)state;
	memcpy(before, ff->data + 512 + 36, 8);
	assert_memory_equal(ff->data + 512 + 32, "CID=", 4);
	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	assert_int_equal(block_flush(t.d), 0);
	assert_memory_equal(ff->data + 512 + 36, before, 8); /* reading changes nothing */
	assert_int_equal(ff->data[UNCLEAN], 0);
	twin_write(&t, 0, 512, 1);
	assert_memory_not_equal(ff->data + 512 + 36, before, 8);
	assert_int_equal(ff->data[UNCLEAN], 1);
	memcpy(after, ff->data + 512 + 36, 8);
	twin_write(&t, 512 * KIB, 512, 1);
	assert_memory_equal(ff->data + 512 + 36, after, 8); /* once while it is open */
	lab_close(t.d);
	assert_int_equal(ff->data[UNCLEAN], 0);
	t.d = lab_open(ff, "vmdk");
	twin_write(&t, 0, 512, 2);
	lab_close(t.d);
	assert_memory_not_equal(ff->data + 512 + 36, after, 8); /* and once more */
	assert_true(ff->data[512 + 36] < '8'); /* ffffffff would be no identifier */
	twin_end(&t);
	fake_file_free(ff);
}

/* Writes to a flat disk of this descriptor; true if the descriptor is another now. */
static bool changes_text(const char *text)
{
	struct fake_file *ff = fake_file_new(), *extent = fake_file_new();
	struct twin t;
	bool changed;

	set_text(ff, text);
	fake_file_resize(extent, 8 * 512);
	lab_backing("x", extent);
	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	twin_write(&t, 512, 512, 9);
	lab_close(t.d);
	assert_int_equal(extent->data[512], 9);
	assert_int_equal(ff->file.size, strlen(text));
	changed = memcmp(ff->data, text, strlen(text)) != 0;
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(ff);
	fake_file_free(extent);
	return changed;
}

/* It is changed by one write of a sector, or not at all. */
static void test_place_of_cid(void **state)
{
	char text[700];

	(void)state;
	assert_true(changes_text(START FLAT "RW 8 FLAT \"x\" 0\n"));
	assert_false(changes_text("# Disk DescriptorFile\n" FLAT "RW 8 FLAT \"x\" 0\n"));
	for (int at = 503; at < 514; at++) { /* of its digits */
		snprintf(text, sizeof(text),
			 "# Disk DescriptorFile\n" FLAT "RW 8 FLAT \"x\" 0\n#%*s\nCID=12345678\n",
			 at - 72, "");
		assert_ptr_equal(strstr(text, "12345678"), text + at);
		assert_int_equal(changes_text(text), at <= 504 || at >= 512);
	}
}

/* Each time that it is opened and changed. */
static void test_cids_differ(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	char seen[20][8];
	struct twin t;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(seen); i++) {
		twin_begin(&t, lab_open(ff, "vmdk"), 1);
		twin_write(&t, 0, 512, (uint8_t)(i + 1));
		lab_close(t.d);
		twin_end(&t);
		memcpy(seen[i], ff->data + 512 + 36, 8);
		for (unsigned int k = 0; k < i; k++) {
			assert_memory_not_equal(seen[k], seen[i], 8);
		}
	}
	fake_file_free(ff);
}

static void test_cid_fails(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	struct block_dev *d = lab_open(ff, "vmdk");
	uint8_t buf[512] = { 1 };
	struct block_vec v = { buf, 512 };

	(void)state;
	ff->fail_write_in = 0; /* it is not told: then nothing is written */
	assert_int_equal(block_write(d, 0, &v, 1), -EIO);
	assert_int_equal(bytes_get_le32(ff->data + TABLE * 512), 0);
	ff->fail_write_in = -1;
	assert_int_equal(block_write(d, 0, &v, 1), 0);
	ff->fail_flush_in = 0; /* what is not flushed is not closed */
	assert_int_equal(block_close(d), -EIO);
	assert_int_equal(ff->data[UNCLEAN], 1);
	fake_file_free(ff);
}

/* ---- copies of tables ---- */

static struct fake_file *two_grains(void)
{
	struct fake_file *ff = sparse(1 * MIB);
	struct twin t;

	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	twin_write(&t, 0, 512, 1);
	twin_write(&t, 128 * KIB, 512, 2);
	lab_close(t.d);
	twin_end(&t);
	return ff;
}

static bool twins_are_same(const struct fake_file *ff)
{
	return memcmp(ff->data + TABLE * 512, ff->data + TWIN_TABLE * 512, 2048) == 0;
}

static void test_twin_is_kept(void **state)
{
	struct fake_file *ff = two_grains();

	(void)state;
	assert_int_equal(bytes_get_le32(ff->data + GD * 512), TABLE);
	assert_int_not_equal(bytes_get_le32(ff->data + TABLE * 512), 0);
	assert_int_not_equal(bytes_get_le32(ff->data + TABLE * 512 + 8), 0);
	assert_true(twins_are_same(ff));
	lab_check(ff, "vmdk");
	fake_file_free(ff);
}

static void test_twin_after_a_crash(void **state)
{
	struct fake_file *ff = two_grains();
	struct block_dev *d;

	(void)state;
	bytes_put_le32(ff->data + TWIN_TABLE * 512 + 8, 0);
	ff->data[UNCLEAN] = 1;
	d = lab_open(ff, "vmdk");
	assert_true(twins_are_same(ff)); /* before anything says that they are */
	assert_int_equal(ff->data[UNCLEAN], 0);
	lab_close(d);
	fake_file_free(ff);
}

/* What was closed is not compared, and not written. */
static void test_twin_of_a_closed_one(void **state)
{
	struct fake_file *ff = two_grains();

	(void)state;
	bytes_put_le32(ff->data + TWIN_TABLE * 512 + 8, 0);
	ff->writes = 0;
	lab_close(lab_open(ff, "vmdk"));
	assert_int_equal(ff->writes, 0);
	assert_false(twins_are_same(ff));
	fake_file_free(ff);
}

/* The flag says whether there are copies; without it what stands in their place is not touched. */
static void test_no_twin(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	struct twin t;

	(void)state;
	ff->data[8] &= (uint8_t)~2u;
	memset(ff->data + 21 * 512, 0, 5 * 512);
	twin_begin(&t, lab_open(ff, "vmdk"), 3);
	work(&t);
	lab_close(t.d);
	for (unsigned int i = 0; i < 5 * 512; i++) {
		assert_int_equal(ff->data[21 * 512 + i], 0);
	}
	lab_check(ff, "vmdk");
	lab_judge(ff, "vmdk", false);
	lab_compare(ff, "vmdk", t.want, MIB);
	twin_end(&t);
	fake_file_free(ff);
}

static void check_says(struct fake_file *ff, bool repair, uint64_t corruptions, uint64_t fixed,
		       const char *first)
{
	struct block_dev *d = lab_open(ff, "vmdk");
	struct image_check c;

	assert_int_equal(image_check(d, repair, NULL, &c), 0);
	assert_int_equal(c.corruptions, corruptions);
	assert_int_equal(c.fixed, fixed);
	assert_int_equal(c.leaks, 0);
	if (strstr(c.first.text, first) == NULL) {
		fail_msg("\"%s\"", c.first.text);
	}
	lab_close(d);
}

static void test_twin_is_repaired(void **state)
{
	struct fake_file *ff = two_grains();

	(void)state;
	bytes_put_le32(ff->data + TWIN_TABLE * 512 + 2044, 128);
	check_says(ff, false, 1, 0, "differs from its copy");
	check_says(ff, true, 1, 1, "differs from its copy");
	check_says(ff, false, 0, 0, "");
	assert_true(twins_are_same(ff));
	bytes_put_le32(ff->data + 21 * 512, 0); /* the copy's directory */
	check_says(ff, false, 1, 0, "differs from its copy");
	check_says(ff, true, 1, 1, "differs from its copy");
	check_says(ff, false, 0, 0, "");
	bytes_put_le32(ff->data + 21 * 512, 0x7fffffff);
	check_says(ff, true, 1, 1, "differs from its copy");
	check_says(ff, false, 0, 0, "");
	bytes_put_le32(ff->data + 21 * 512, TABLE); /* it would be its own copy */
	check_says(ff, true, 1, 1, "differs from its copy");
	check_says(ff, false, 0, 0, "");
	fake_file_free(ff);
}

static void test_check_entries(void **state)
{
	struct fake_file *ff = two_grains();
	uint32_t first = bytes_get_le32(ff->data + TABLE * 512);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int at = (i ? TWIN_TABLE : TABLE) * 512 + 12;

		bytes_put_le32(ff->data + at, first);
	}
	check_says(ff, true, 1, 0, "lie on each other");
	bytes_put_le32(ff->data + TABLE * 512 + 12, first - 1);
	bytes_put_le32(ff->data + TWIN_TABLE * 512 + 12, first - 1);
	check_says(ff, false, 1, 0, "among the metadata");
	bytes_put_le32(ff->data + TABLE * 512 + 12, first + 1);
	bytes_put_le32(ff->data + TWIN_TABLE * 512 + 12, first + 1);
	check_says(ff, false, 2, 0, "lie on each other");
	bytes_put_le32(ff->data + GD * 512, 0x7fffffff);
	check_says(ff, false, 2, 0, "table at");
	fake_file_free(ff);
}

/* Tables that others left out are made, both. */
static void test_missing_tables(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	struct twin t;

	(void)state;
	bytes_put_le32(ff->data + GD * 512, 0);
	bytes_put_le32(ff->data + 21 * 512, 0);
	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	work(&t);
	lab_close(t.d);
	assert_int_not_equal(bytes_get_le32(ff->data + GD * 512), 0);
	assert_int_not_equal(bytes_get_le32(ff->data + 21 * 512), 0);
	lab_judge(ff, "vmdk", false);
	lab_compare(ff, "vmdk", t.want, MIB);
	lab_check(ff, "vmdk");
	twin_end(&t);
	fake_file_free(ff);
}

/* What lies before the first grain is no data, also while there is none. */
static void test_first_grain(void **state)
{
	struct image_create_params p = { .format = "vmdk", .size = 64 * KIB, .cluster_size = 4096 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = NULL;
	uint8_t buf[512];
	struct block_vec v = { buf, 512 };

	(void)state;
	assert_int_equal(bytes_get_le64(ff->data + OVERHEAD) * 512, ff->file.size);
	bytes_put_le32(ff->data + TABLE * 512, 1);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), 0);
	assert_int_equal(block_read(d, 0, &v, 1), -EIO);
	lab_close(d);
	fake_file_free(ff);
}

/* The descriptor may stand behind the first places for grains: none lies on it. */
static void test_late_descriptor(void **state)
{
	struct fake_file *ff = sparse(1 * MIB);
	uint64_t sector = bytes_get_le64(ff->data + OVERHEAD) + 10;
	struct twin t;

	(void)state;
	fake_file_resize(ff, (sector + 20) * 512);
	memcpy(ff->data + sector * 512, ff->data + 512, 20 * 512ul);
	bytes_put_le64(ff->data + TEXT, sector);
	fake_file_fix(ff, ff->file.size + 2 * MIB);
	twin_begin(&t, lab_open(ff, "vmdk"), 1);
	work(&t);
	lab_close(t.d);
	t.d = lab_open(ff, "vmdk");
	twin_check(&t);
	lab_close(t.d);
	twin_end(&t);
	fake_file_free(ff);
}

/* ---- streamOptimized ---- */

static struct fake_file *stream(void)
{
	lab_must("yes insula | head -c 300k >s.raw && truncate -s 2111k s.raw && "
		 "head -c 200k /dev/urandom >>s.raw && truncate -s 40M s.raw && "
		 "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized s.raw s.vmdk");
	return load("s.vmdk");
}

static void same_as_raw(struct fake_file *ff)
{
	struct fake_file *raw = load("s.raw");
	struct block_dev *d = NULL;
	struct twin t;

	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), 0);
	twin_begin(&t, d, 1);
	assert_int_equal(d->size, raw->file.size);
	assert_memory_equal(t.want, raw->data, d->size);
	lab_close(d);
	twin_end(&t);
	fake_file_free(raw);
}

static void test_stream(void **state)
{
	struct fake_file *ff = stream();
	struct block_dev *d;

	(void)state;
	same_as_raw(ff);
	lab_check(ff, "vmdk");
	assert_int_equal(lab_try_open(ff, "vmdk", false, &d), -EROFS);
	assert_non_null(strstr(lab_why.text, "streamOptimized"));
	assert_int_equal(ff->writes, 0);
	fake_file_free(ff);
}

/* As those make it who write it in one go: the directory is named by a footer. */
static void test_stream_footer(void **state)
{
	struct fake_file *ff = stream();
	uint64_t end = ALIGN_UP(ff->file.size, 512ul);
	struct block_dev *d;

	(void)state;
	fake_file_resize(ff, end + 1024);
	memcpy(ff->data + end, ff->data, 512);
	memset(ff->data + end + 28, 0, 16); /* no descriptor: it is at the start only */
	memset(ff->data + 56, 0xff, 8);
	same_as_raw(ff);
	ff->data[end + 4] = 9; /* what the footer says is believed no sooner */
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -ENOTSUP);
	assert_non_null(strstr(lab_why.text, "version 9"));
	ff->data[end + 4] = 3;
	ff->data[end + 20] = 0;
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -EINVAL);
	assert_non_null(strstr(lab_why.text, "grains"));
	memset(ff->data + end + 56, 0xff, 8);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -EINVAL);
	fake_file_resize(ff, 1024);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -EINVAL);
	assert_non_null(strstr(lab_why.text, "too short"));
	fake_file_resize(ff, 1536);
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), -EINVAL);
	assert_non_null(strstr(lab_why.text, "no footer"));
	fake_file_free(ff);
}

static void test_stream_damaged(void **state)
{
	struct fake_file *ff = stream();
	uint8_t buf[512];
	struct block_vec v = { buf, 512 };
	struct block_dev *d = NULL;
	uint64_t table = bytes_get_le32(ff->data + bytes_get_le64(ff->data + 56) * 512) * 512ul;
	uint64_t grain = bytes_get_le32(ff->data + table) * 512ul;

	(void)state;
	ff->data[grain + 12] ^= 0xff; /* the stream's first byte */
	assert_int_equal(lab_try_open(ff, "vmdk", true, &d), 0);
	assert_int_equal(block_read(d, 0, &v, 1), -EIO);
	assert_int_equal(block_read(d, 64 * KIB, &v, 1), 0);
	lab_close(d);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flat_of_qemu),
		cmocka_unit_test(test_flat_of_ours),
		cmocka_unit_test(test_numbers_of_descriptor),
		cmocka_unit_test(test_long_descriptor),
		cmocka_unit_test(test_flat_offset),
		cmocka_unit_test(test_cid),
		cmocka_unit_test(test_length_of_descriptor),
		cmocka_unit_test(test_place_of_cid),
		cmocka_unit_test(test_cid_fails),
		cmocka_unit_test(test_cids_differ),
		cmocka_unit_test(test_first_grain),
		cmocka_unit_test(test_late_descriptor),
		cmocka_unit_test(test_no_twin),
		cmocka_unit_test(test_twin_is_kept),
		cmocka_unit_test(test_twin_after_a_crash),
		cmocka_unit_test(test_twin_of_a_closed_one),
		cmocka_unit_test(test_twin_is_repaired),
		cmocka_unit_test(test_check_entries),
		cmocka_unit_test(test_missing_tables),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_footer),
		cmocka_unit_test(test_stream_damaged),
	};

	static struct lab_group g;

	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		lab_add(&g, test_descriptor, &texts[i], "vmdk descriptor %u: %s", i,
			texts[i].why ? texts[i].why : "good");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(&g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
	return lab_group_run(&g);
}
