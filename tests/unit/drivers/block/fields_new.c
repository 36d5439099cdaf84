/* SPDX-License-Identifier: BSD-2-Clause */
/* New images say, byte by byte, what their formats' specifications ask for: headers and tables. */
/* That others read them is test_formats.c's. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"

#include <cmocka.h>

#define END FIELDS_END

uint64_t fields_get(const struct fake_file *ff, uint64_t off, unsigned int size, bool big)
{
	uint64_t val = 0;

	off = off & END ? ff->file.size - (off & ~END) : off;
	assert_true(off + size <= ff->file.size);
	for (unsigned int i = 0; i < size; i++) {
		val |= (uint64_t)ff->data[off + i] << 8 * (big ? size - 1 - i : i);
	}
	return val;
}

/* ---- fields ---- */

struct said {
	uint64_t off;
	unsigned int size;
	uint64_t val;
};

struct new_image {
	const char *name;
	struct image_create_params p;
	bool big; /* endian */
	uint64_t file_size;
	struct said said[32];
};

static const struct image_backing raw_base = { "base", "raw" }, other_base = { "b", "qed" };

static const struct new_image images[] = {
	{ "vdi",
	  { .format = "vdi", .size = 3 * MIB + 512 },
	  false,
	  1 * MIB,
	  { { 0, 8, 0x736e49203c3c3cul | 0x75ul << 56 }, /* "<<< Insu" */
	    { 64, 4, 0xbeda107f },
	    { 68, 4, 0x10001 },
	    { 72, 4, 400 },
	    { 76, 4, 1 },
	    { 80, 4, 0 },
	    { 340, 4, 512 },
	    { 344, 4, MIB },
	    { 360, 4, 512 },
	    { 368, 8, 3 * MIB + 512 },
	    { 376, 4, MIB },
	    { 380, 4, 0 },
	    { 384, 4, 4 },
	    { 388, 4, 0 },
	    { 512, 8, -1ul },
	    { 520, 8, -1ul },
	    { 528, 8, 0 }, /* the rest of the table's sector */
	    { 1024, 8, 0 } } },
	{ "vdi, fixed",
	  { .format = "vdi", .size = 2 * MIB, .subformat = "fixed" },
	  false,
	  3 * MIB,
	  { { 76, 4, 2 }, { 384, 4, 2 }, { 388, 4, 2 }, { 512, 8, 1ul << 32 }, { 520, 8, 0 } } },
	{ "vdi, dynamic, blocks named",
	  { .format = "vdi", .size = 200 * MIB, .subformat = "dynamic", .cluster_size = MIB },
	  false,
	  1 * MIB,
	  { { 76, 4, 1 },
	    { 384, 4, 200 },
	    { 1016, 8, -1ul },
	    { 1024, 8, -1ul },
	    { 1304, 8, -1ul },
	    { 1312, 8, 0 } } },
	{ "vdi, a table of nearly 1 MiB",
	  { .format = "vdi", .size = 255 * GIB },
	  false,
	  1 * MIB,
	  { { 344, 4, MIB }, { 384, 4, 255 * 1024 }, { 512 + 255 * 4096 - 8, 8, -1ul } } },
	{ "vhd",
	  { .format = "vhd", .size = 3 * MIB + 512 },
	  true,
	  2560,
	  { { 8, 4, 2 },
	    { 12, 4, 0x10000 },
	    { 16, 8, 512 },
	    { 24, 4, 0 },
	    { 28, 4, 0x77696e20 }, /* "win " */
	    { 32, 4, 0x60001 },
	    { 36, 4, 0x5769326b }, /* "Wi2k" */
	    { 40, 8, 3 * MIB + 512 },
	    { 48, 8, 3 * MIB + 512 },
	    { 60, 4, 3 },
	    { 84, 1, 0 },
	    { END | 512, 8, 0x636f6e6563746978 }, /* "conectix" */
	    { END | 500, 4, 0x10000 },
	    { 512, 8, 0x6378737061727365 }, /* "cxsparse" */
	    { 520, 8, -1ul },
	    { 528, 8, 1536 },
	    { 536, 4, 0x10000 },
	    { 540, 4, 2 },
	    { 544, 4, 2 * MIB },
	    { 552, 8, 0 },
	    { 1536, 8, -1ul },
	    { 2040, 8, -1ul } } },
	{ "vhd, fixed",
	  { .format = "vhd", .size = 1 * MIB, .subformat = "fixed" },
	  true,
	  1 * MIB + 512,
	  { { 0, 8, 0 }, { END | 496, 8, -1ul }, { END | 452, 4, 2 } } },
	{ "vhd, dynamic, blocks named",
	  { .format = "vhd", .size = 2 * GIB, .subformat = "dynamic", .cluster_size = 2 * MIB },
	  true,
	  1536 + 4096 + 512,
	  { { 540, 4, 1024 }, { 60, 4, 3 }, { 5624, 8, -1ul } } },
	{ "qed",
	  { .format = "qed", .size = 1 * MIB },
	  false,
	  5 * 65536,
	  { { 0, 4, 0x444551 },
	    { 4, 4, 65536 },
	    { 8, 4, 4 },
	    { 12, 4, 1 },
	    { 16, 8, 0 },
	    { 24, 8, 0 },
	    { 32, 8, 0 },
	    { 40, 8, 65536 },
	    { 48, 8, MIB },
	    { 56, 8, 0 },
	    { 64, 8, 0 } } },
	{ "qed over raw",
	  { .format = "qed", .size = 1 * MIB, .cluster_size = 4096, .backing = &raw_base },
	  false,
	  5 * 4096,
	  { { 16, 8, 5 }, { 56, 4, 64 }, { 60, 4, 4 }, { 64, 8, 0x65736162 } } },
	{ "qed over qed",
	  { .format = "qed", .size = 1 * MIB, .backing = &other_base },
	  false,
	  5 * 65536,
	  { { 16, 8, 1 }, { 56, 4, 64 }, { 60, 4, 1 }, { 64, 8, 'b' } } },
	{ "qcow",
	  { .format = "qcow", .size = 3 * MIB + 512 },
	  true,
	  2048,
	  { { 0, 4, 0x514649fb },
	    { 4, 4, 1 },
	    { 8, 8, 0 },
	    { 16, 8, 0 },
	    { 24, 8, 3 * MIB + 512 },
	    { 32, 4, 0x0c090000 },
	    { 36, 4, 0 },
	    { 40, 8, 1536 },
	    { 48, 8, 0 },
	    { 1536, 8, 0 } } },
	{ "qcow over raw",
	  { .format = "qcow", .size = 1 * MIB, .cluster_size = 65536, .backing = &raw_base },
	  true,
	  2048,
	  { { 8, 8, 48 }, { 16, 4, 4 }, { 32, 4, 0x100d0000 }, { 48, 8, 0x62617365ul << 32 } } },
	{ "vmdk",
	  { .format = "vmdk", .size = 33 * MIB },
	  false,
	  128 * 512,
	  { { 0, 4, 0x564d444b },
	    { 4, 4, 1 },
	    { 8, 4, 3 },
	    { 12, 8, 33 * MIB / 512 },
	    { 20, 8, 128 },
	    { 28, 8, 1 },
	    { 36, 8, 20 },
	    { 44, 4, 512 },
	    { 48, 8, 21 },
	    { 56, 8, 30 },
	    { 64, 8, 128 },
	    { 72, 1, 0 },
	    { 73, 4, 0x0a0d200a },
	    { 77, 2, 0 },
	    { 79, 8, 0 },
	    { 21 * 512, 8, 26ul << 32 | 22 }, /* the copies */
	    { 21 * 512 + 8, 8, 0 },
	    { 22 * 512, 8, 0 },
	    { 30 * 512, 8, 35ul << 32 | 31 },
	    { 30 * 512 + 8, 8, 0 },
	    { 31 * 512, 8, 0 } } },
	{ "qcow2",
	  { .format = "qcow2", .size = 1 * MIB },
	  true,
	  4 * 65536,
	  { { 0, 4, 0x514649fb },
	    { 4, 4, 3 },
	    { 8, 8, 0 },
	    { 16, 4, 0 },
	    { 20, 4, 16 },
	    { 24, 8, MIB },
	    { 32, 4, 0 },
	    { 36, 4, 1 },
	    { 40, 8, 3 * 65536 },
	    { 48, 8, 65536 },
	    { 56, 4, 1 },
	    { 60, 4, 0 },
	    { 64, 8, 0 },
	    { 72, 8, 0 },
	    { 80, 8, 0 },
	    { 88, 8, 0 },
	    { 96, 4, 4 },
	    { 100, 4, 104 },
	    { 104, 8, 0 },
	    { 65536, 8, 2 * 65536 },
	    { 65544, 8, 0 },
	    { 2 * 65536, 8, 0x0001000100010001 },
	    { 2 * 65536 + 8, 8, 0 },
	    { 3 * 65536, 8, 0 } } },
	{ "qcow2 over qed",
	  { .format = "qcow2", .size = 1 * MIB, .cluster_size = 512, .backing = &other_base },
	  true,
	  2048,
	  { { 8, 8, 128 },
	    { 16, 4, 1 },
	    { 104, 8, 0xe2792acaul << 32 | 3 },
	    { 112, 8, 0x716564ul << 40 },
	    { 120, 8, 0 },
	    { 128, 8, 0x62ul << 56 } } },
};

static void test_new_image(void **state)
{
	const struct new_image *n = *state;
	struct fake_file *ff = lab_create(&n->p);

	assert_int_equal(ff->file.size, n->file_size);
	for (unsigned int i = 0; i < ARRAY_SIZE(n->said) && n->said[i].size > 0; i++) {
		const struct said *s = &n->said[i];
		uint64_t val = fields_get(ff, s->off, s->size, n->big);

		if (val != s->val) {
			fail_msg("%s: at %lu: %lx, not %lx", n->name, s->off & ~END, val, s->val);
		}
	}
	fake_file_free(ff);
}

void fields_new_add(struct lab_group *g)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(images); i++) {
		lab_add(g, test_new_image, &images[i], "new image: %s", images[i].name);
	}
}
