/* SPDX-License-Identifier: BSD-2-Clause */
/* Every field of every format's headers and first table entries at 0, 1, the largest value, the file's */
/* end, behind it, and the sign bit: refused with a reason and without a write, or used without harm. */
/* What is refused by which words is test_formats.c's and qcow2_damage.c's. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/tables.c drivers/block/tables_check.c drivers/block/fmt_raw.c */
/* TEST_SOURCES: drivers/block/fmt_vdi.c drivers/block/fmt_vhd.c drivers/block/fmt_qed.c drivers/block/fmt_qcow.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk.c drivers/block/fmt_vmdk_create.c drivers/block/fmt_vmdk_header.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk_text.c drivers/block/fmt_qcow2.c drivers/block/fmt_qcow2_create.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_l2.c drivers/block/fmt_qcow2_refcount.c drivers/block/fmt_qcow2_walk.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_check.c drivers/block/fmt_qcow2_rewrite.c drivers/block/fmt_qcow2_snapshot.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_SOURCES: tests/unit/drivers/block/fields_new.c tests/unit/drivers/block/fields_made.c */
/* TEST_SOURCES: tests/unit/drivers/block/fields_edges.c tests/unit/drivers/block/fields_qcow2.c */
/* TEST_SOURCES: tests/unit/drivers/block/fields_qcow2_rewrite.c tests/unit/drivers/block/fields_vhd.c */
/* TEST_SOURCES: tests/unit/drivers/block/fields_grow.c tests/unit/drivers/block/fields_use.c */
/* TEST_SOURCES: tests/unit/drivers/block/fields_qcow2_l2.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "fakes/fake_heap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUES 6u

/* r: it is refused. d: it opens, and reading the disk's start gives -EIO. o: the field does no harm. */
struct field {
	const char *format;
	const char *name;
	uint64_t off; /* from the end if negative */
	unsigned int size;
	const char
		*want; /* for 0, 1, the largest value, the file's end, the sector behind it, sign */
};

static const struct field fields[] = {
	{ "vdi", "signature", 64, 4, "rrrrrr" },
	{ "vdi", "version", 68, 4, "rrrrrr" },
	{ "vdi", "header size", 72, 4, "oooooo" },
	{ "vdi", "type", 76, 4, "rorrrr" },
	{ "vdi", "flags", 80, 4, "oooooo" },
	{ "vdi", "table", 340, 4, "rrrrrr" },
	{ "vdi", "data", 344, 4, "rrrddd" },
	{ "vdi", "cylinders", 348, 4, "oooooo" },
	{ "vdi", "heads", 352, 4, "oooooo" },
	{ "vdi", "sectors", 356, 4, "oooooo" },
	{ "vdi", "sector size", 360, 4, "rrrrrr" },
	{ "vdi", "unused", 364, 4, "oooooo" },
	{ "vdi", "disk size", 368, 8, "rrroor" },
	{ "vdi", "block size", 376, 4, "rrrrrr" },
	{ "vdi", "extra", 380, 4, "orrrrr" },
	{ "vdi", "blocks", 384, 4, "rrrrrr" },
	{ "vdi", "allocated", 388, 4, "oooooo" },
	{ "vdi", "first entry", 512, 4, "ododdr" },
	{ "vhd", "features", -504ul, 4, "oooooo" },
	{ "vhd", "version", -500ul, 4, "rrrrrr" },
	{ "vhd", "header", -496ul, 8, "rrrrrr" },
	{ "vhd", "time", -488ul, 4, "oooooo" },
	{ "vhd", "original size", -472ul, 8, "oooooo" },
	{ "vhd", "size", -464ul, 8, "rrroor" },
	{ "vhd", "geometry", -456ul, 4, "oooooo" },
	{ "vhd", "type", -452ul, 4, "rrrrrr" },
	{ "vhd", "saved state", -428ul, 1, "oooooo" },
	{ "vhd", "header's next", 520, 8, "oooooo" },
	{ "vhd", "table", 528, 8, "rrrrrr" },
	{ "vhd", "header's version", 536, 4, "oooooo" },
	{ "vhd", "entries", 540, 4, "rrrrrr" },
	{ "vhd", "block size", 544, 4, "rrrrrr" },
	{ "vhd", "first entry", 1536, 4, "ddoddd" },
	{ "qed", "magic", 0, 4, "rrrrrr" },
	{ "qed", "cluster size", 4, 4, "rrrrrr" },
	{ "qed", "table size", 8, 4, "rorrrr" },
	{ "qed", "header size", 12, 4, "rorrrr" },
	{ "qed", "features", 16, 8, "orrrrr" },
	{ "qed", "compatible", 24, 8, "oooooo" },
	{ "qed", "autoclear", 32, 8, "oooooo" },
	{ "qed", "L1", 40, 8, "rrrrrr" },
	{ "qed", "size", 48, 8, "rrroor" },
	{ "qed", "backing name", 56, 4, "oooooo" },
	{ "qed", "its length", 60, 4, "oooooo" },
	{ "qed", "first L1 entry", 65536, 8, "oddddd" },
	{ "qed", "first L2 entry", 327680, 8, "oodddd" },
	{ "qcow", "magic", 0, 4, "rrrrrr" },
	{ "qcow", "version", 4, 4, "rorrrr" },
	{ "qcow", "backing name", 8, 8, "orrrrr" },
	{ "qcow", "its length", 16, 4, "oooooo" },
	{ "qcow", "time", 20, 4, "oooooo" },
	{ "qcow", "size", 24, 8, "rrroor" },
	{ "qcow", "cluster bits", 32, 1, "rrrrrr" },
	{ "qcow", "L2 bits", 33, 1, "rrrrrr" },
	{ "qcow", "encryption", 36, 4, "orrrrr" },
	{ "qcow", "L1", 40, 8, "rrrrrr" },
	{ "qcow", "first L1 entry", 1536, 8, "oddddd" },
	{ "qcow", "first L2 entry", 4096, 8, "oddddd" },
	{ "vmdk", "magic", 0, 4, "rrrrrr" },
	{ "vmdk", "version", 4, 4, "rorrrr" },
	{ "vmdk", "flags", 8, 4, "oorrrr" },
	{ "vmdk", "capacity", 12, 8, "roroor" },
	{ "vmdk", "grain", 20, 8, "rrrrrr" },
	{ "vmdk", "descriptor", 28, 8, "rorrrr" },
	{ "vmdk", "its size", 36, 8, "rorrrr" },
	{ "vmdk", "entries", 44, 4, "rrrrrr" },
	{ "vmdk", "twin", 48, 8, "rrrrrr" },
	{ "vmdk", "directory", 56, 8, "rrrrrr" },
	{ "vmdk", "overhead", 64, 8, "oooooo" },
	{ "vmdk", "unclean", 72, 1, "oooooo" },
	{ "vmdk", "newline", 73, 1, "rrrrrr" },
	{ "vmdk", "space", 74, 1, "rrrrrr" },
	{ "vmdk", "first of a pair", 75, 1, "rrrrrr" },
	{ "vmdk", "second of a pair", 76, 1, "rrrrrr" },
	{ "vmdk", "compression", 77, 2, "orrorr" },
	{ "vmdk", "first table", 13312, 4, "oddddd" },
	{ "vmdk", "first entry", 13824, 4, "oddddd" },
	{ "qcow2", "magic", 0, 4, "rrrrrr" },
	{ "qcow2", "version", 4, 4, "rrrrrr" },
	{ "qcow2", "backing name", 8, 8, "orrrrr" },
	{ "qcow2", "its length", 16, 4, "oooooo" },
	{ "qcow2", "cluster bits", 20, 4, "rrrrrr" },
	{ "qcow2", "size", 24, 8, "rrroor" },
	{ "qcow2", "encryption", 32, 4, "orrrrr" },
	{ "qcow2", "L1 size", 36, 4, "rorrrr" },
	{ "qcow2", "L1", 40, 8, "rrrrrr" },
	{ "qcow2", "refcount table", 48, 8, "rrrrrr" },
	{ "qcow2", "its clusters", 56, 4, "rorrrr" },
	{ "qcow2", "snapshots", 60, 4, "oorrrr" },
	{ "qcow2", "snapshot table", 64, 8, "rrrrrr" },
	{ "qcow2", "incompatible", 72, 8, "oorrrr" },
	{ "qcow2", "compatible", 80, 8, "oooooo" },
	{ "qcow2", "autoclear", 88, 8, "oooooo" },
	{ "qcow2", "refcount order", 96, 4, "oorrrr" },
	{ "qcow2", "header length", 100, 4, "rrrrrr" },
	{ "qcow2", "compression", 104, 1, "oooooo" },
};

static uint64_t value(unsigned int i, unsigned int size, uint64_t end)
{
	const uint64_t vals[VALUES] = {
		0, 1, ~0ul, end, end + BLOCK_SECTOR, 1ul << (8 * size - 1)
	};

	return vals[i];
}

static void fix_sum(struct fake_file *ff, uint64_t off, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : ff->data[off + i];
	}
	for (unsigned int i = 0; i < 4; i++) {
		ff->data[off + at + i] = (uint8_t)(~sum >> (24 - 8 * i));
	}
}

static void set_field(struct fake_file *ff, const struct field *f, uint64_t val)
{
	bool vhd = strcmp(f->format, "vhd") == 0;
	bool big = vhd || strncmp(f->format, "qcow", 4) == 0;
	uint64_t at = f->off >> 63 ? ff->file.size + f->off : f->off;

	for (unsigned int b = 0; b < f->size; b++) {
		ff->data[at + b] = (uint8_t)(val >> 8 * (big ? f->size - 1 - b : b));
	}
	if (vhd) {
		fix_sum(ff, ff->file.size - 512, 512, 64);
		fix_sum(ff, 512, 1024, 36);
	}
}

static bool known(int r)
{
	return r == 0 || r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -ENOTSUP;
}

/* All that can be asked of it; 'd' or 'o'. */
static char use(struct block_dev *d)
{
	static uint8_t buf[256 * KIB];
	uint64_t size = u64_min(d->size, sizeof(buf));
	struct block_vec all = { buf, size }, small = { buf, 512 };
	struct image_check c;
	int first = block_read(d, 0, &small, 1);

	assert_true(known(first));
	assert_true(known(block_read(d, d->size - size, &all, 1)));
	memset(buf, 0x77, sizeof(buf));
	assert_true(known(block_write(d, 0, &small, 1)));
	assert_true(known(block_write(d, d->size - 512, &small, 1)));
	assert_true(known(block_write_zeroes(d, 0, size, true)));
	assert_true(known(block_discard(d, 0, size)));
	assert_true(known(image_check(d, false, NULL, &c)));
	assert_true(known(block_flush(d)));
	return first == 0 ? 'o' : 'd';
}

static struct fake_file *good_image(const char *format)
{
	struct image_create_params p = { .format = format, .size = 3 * MIB };
	struct fake_file *ff = lab_create(&p);
	struct twin t;

	twin_begin(&t, lab_open(ff, format), 1);
	twin_write(&t, 0, 4096, 7);
	if (strcmp(format, "qcow2") == 0) {
		assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
		twin_write(&t, 0, 4096, 8);
	}
	lab_close(t.d);
	twin_end(&t);
	return ff;
}

/* What becomes of it: a letter of `want`. */
static char try(struct fake_file *ff, const struct field *f, const char *what)
{
	struct block_dev *d = NULL;
	int r;
	char got;

	ff->limit = 32 * MIB;
	ff->writes = 0;
	r = lab_try_open(ff, f->format, false, &d);
	if (r == 0) {
		got = use(d);
		(void)block_close(d);
		return got;
	}
	if (lab_why.text[0] == '\0' || ff->writes > 0) {
		fail_msg("%s %s, %s: %d, \"%s\", %lu writes", f->format, f->name, what, r,
			 lab_why.text, ff->writes);
	}
	return 'r';
}

static void test_field(void **state)
{
	static const char *const names[VALUES] = { "0", "1", "largest", "end", "behind", "sign" };
	const struct field *f = *state;
	struct fake_file *good = good_image(f->format), *ff = fake_file_new();
	char got[VALUES + 1] = "";

	for (unsigned int k = 0; k < VALUES; k++) {
		fake_file_copy(ff, good);
		set_field(ff, f, value(k, f->size, good->file.size));
		got[k] = try(ff, f, names[k]);
		assert_int_equal(ff->opens, 0);
	}
	if (strcmp(got, f->want) != 0) {
		fail_msg("%s, %s: %s, not %s", f->format, f->name, got, f->want);
	}
	fake_file_free(good);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

/* A file that ends anywhere: also within a header or a table. */
static void test_cut_off(void **state)
{
	static const char *const formats[] = { "vdi", "vhd", "qed", "qcow", "vmdk", "qcow2" };
	static const uint64_t sizes[] = { 0,	1,    63,   64,	  511,	512,   513,   1023,  1024,
					  1536, 2048, 4096, 4608, 8192, 16384, 65536, 131072 };
	struct fake_file *ff = fake_file_new();

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fake_file *good = good_image(formats[i]);
		struct field f = { .format = formats[i], .name = "cut" };

		for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
			char got;

			fake_file_copy(ff, good);
			fake_file_resize(ff, sizes[k]);
			got = try(ff, &f, "off");
			if (sizes[k] <= 512) {
				assert_int_equal(got, 'r');
			}
			assert_int_equal(ff->opens, 0);
		}
		fake_file_free(good);
	}
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

int main(void)
{
	static struct lab_group g;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		lab_add(&g, test_field, &fields[i], "%s: %s", fields[i].format, fields[i].name);
	}
	lab_add(&g, test_cut_off, NULL, "test_cut_off");
	fields_new_add(&g);
	fields_made_add(&g);
	fields_edges_add(&g);
	fields_grow_add(&g);
	fields_use_add(&g);
	fields_qcow2_add(&g);
	fields_qcow2_l2_add(&g);
	fields_qcow2_rewrite_add(&g);
	fields_vhd_add(&g);
	return lab_group_run(&g);
}
