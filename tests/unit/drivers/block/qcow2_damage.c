/* SPDX-License-Identifier: BSD-2-Clause */
/* Malformed QCOW2 images: every field at 0, 1, maximum, past the end, overlapping; names that lead */
/* elsewhere; loops. A clear error, no crash, no write. */
#include "drivers/block/lab.h"
#include "drivers/block/qcow2_tests.h"
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#define DISK (1ul * MIB)

/* ---- malformed images ---- */

/* The image that gets damaged: header 0, refcount table 1, block 2, L1 3, L2 4, data from 5 on. */
#define CLUSTER	   4096ul
#define AT_TABLE   (1 * CLUSTER)
#define AT_BLOCK   (2 * CLUSTER)
#define AT_L1	   (3 * CLUSTER)
#define AT_L2	   (4 * CLUSTER)
#define HEADER(o)  (o)
#define COPIED	   (1ul << 63)
#define COMPRESSED (1ul << 62)

struct damage {
	const char *name;
	uint64_t off;
	unsigned int size;
	uint64_t val;
	const char *why; /* part of what open says; NULL: it opens, and I/O at 0 fails with -EIO */
};

static const struct damage damages[] = {
	{ "magic", HEADER(0), 4, 0x514649fa, "no QCOW2 header" },
	{ "version 0", HEADER(4), 4, 0, "neither version" },
	{ "version 1", HEADER(4), 4, 1, "neither version" },
	{ "version 4", HEADER(4), 4, 4, "neither version" },
	{ "backing name in the header", HEADER(8), 8, 8, "misplaced" },
	{ "backing name past the cluster", HEADER(8), 8, CLUSTER, "misplaced" },
	{ "backing name of no length", HEADER(8), 8, 512, "misplaced" },
	{ "cluster of 256 bytes", HEADER(20), 4, 8, "cluster size" },
	{ "cluster of 4 MiB", HEADER(20), 4, 22, "cluster size" },
	{ "cluster bits 2^32-1", HEADER(20), 4, 0xffffffff, "cluster size" },
	{ "disk of no size", HEADER(24), 8, 0, "size of the disk" },
	{ "disk of half a sector", HEADER(24), 8, 256, "size of the disk" },
	{ "disk of 2^64-512 bytes", HEADER(24), 8, -512ul, "size of the disk" },
	{ "disk larger than L1", HEADER(24), 8, 1ul << 40, "smaller than the disk" },
	{ "encrypted by AES", HEADER(32), 4, 1, "encrypted" },
	{ "encrypted by LUKS", HEADER(32), 4, 2, "encrypted" },
	{ "L1 of no entries", HEADER(36), 4, 0, "smaller than the disk" },
	{ "L1 of 2^32-1 entries", HEADER(36), 4, 0xffffffff, "too large" },
	{ "L1 reaches past the end", HEADER(36), 4, 100000, "misplaced" },
	{ "L1 at 0", HEADER(40), 8, 0, "misplaced" },
	{ "L1 unaligned", HEADER(40), 8, AT_L1 + 512, "misplaced" },
	{ "L1 past the end", HEADER(40), 8, 1ul << 40, "misplaced" },
	{ "L1 at 2^64-4096", HEADER(40), 8, -CLUSTER, "misplaced" },
	{ "L1 on the refcount table", HEADER(40), 8, AT_TABLE, "overlap" },
	{ "refcount table at 0", HEADER(48), 8, 0, "misplaced" },
	{ "refcount table unaligned", HEADER(48), 8, 1, "misplaced" },
	{ "refcount table past the end", HEADER(48), 8, 1ul << 50, "misplaced" },
	{ "refcount table of no clusters", HEADER(56), 4, 0, "size of the refcount table" },
	{ "refcount table of 2^32-1 clusters", HEADER(56), 4, 0xffffffff, "size of the refcount" },
	{ "2^32-1 snapshots", HEADER(60), 4, 0xffffffff, "too many snapshots" },
	{ "snapshots at 0", HEADER(60), 4, 1, "misplaced" },
	{ "corrupt", HEADER(79), 1, 2, "corrupt" },
	{ "external data", HEADER(79), 1, 4, "external data file" },
	{ "zstd", HEADER(79), 1, 8, "another method" },
	{ "extended L2", HEADER(79), 1, 16, "extended L2" },
	{ "unknown feature 5", HEADER(79), 1, 32, "bit 5" },
	{ "unknown feature 63", HEADER(72), 1, 0x80, "bit 63" },
	{ "counts of 128 bits", HEADER(96), 4, 7, "64 bits" },
	{ "counts of 2^(2^32-1) bits", HEADER(96), 4, 0xffffffff, "64 bits" },
	{ "header of 96 bytes", HEADER(100), 4, 96, "header length" },
	{ "header longer than a cluster", HEADER(100), 4, CLUSTER + 8, "header length" },
	{ "header of 105 bytes", HEADER(100), 4, 105, "header length" },
	{ "extension past the cluster", HEADER(104), 8, 0x12345678ul << 32 | 0xffffffff,
	  "too long" },
	{ "backing format of 16 bytes", HEADER(104), 8, 0xe2792acaul << 32 | 16, "backing format" },
	{ "L1 entry unaligned", AT_L1, 8, COPIED | (AT_L2 + 512), NULL },
	{ "L1 entry past the end", AT_L1, 8, COPIED | 1ul << 40, NULL },
	{ "L1 entry on the header", AT_L1, 8, COPIED | CLUSTER / 2, NULL },
	{ "L1 entry on L1", AT_L1, 8, COPIED | AT_L1, NULL },
	{ "L1 entry on the refcount table", AT_L1, 8, COPIED | AT_TABLE, NULL },
	{ "L2 entry unaligned", AT_L2, 8, COPIED | (5 * CLUSTER + 512), NULL },
	{ "L2 entry of all ones but compressed", AT_L2, 8, ~COMPRESSED, NULL },
	{ "L2 entry on L1, writable", AT_L2, 8, COPIED | AT_L1, NULL },
	{ "L2 entry on the refcount table, writable", AT_L2, 8, COPIED | AT_TABLE, NULL },
	{ "compressed past the end", AT_L2, 8, COMPRESSED | 1ul << 40, NULL },
	{ "compressed, of zeros", AT_L2, 8, COMPRESSED | 6 * CLUSTER, NULL },
	{ "compressed, of all ones", AT_L2, 8, ~0ul, NULL },
};

static struct fake_file *damageable(void)
{
	struct image_create_params p = { .format = "qcow2", .size = DISK, .cluster_size = CLUSTER };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	uint8_t byte[CLUSTER];
	struct block_vec v = { byte, CLUSTER };

	memset(byte, 0xff, sizeof(byte));
	assert_int_equal(block_write(d, 0, &v, 1), 0);
	assert_int_equal(block_write(d, CLUSTER, &v, 1), 0);
	lab_close(d);
	return ff;
}

static void put_be(uint8_t *p, unsigned int size, uint64_t val)
{
	for (unsigned int i = 0; i < size; i++) {
		p[i] = (uint8_t)(val >> 8 * (size - 1 - i));
	}
}

/* Whatever the image says: no crash, and only errors that the contract knows. */
static int use_damaged(struct block_dev *d)
{
	static uint8_t buf[DISK];
	struct block_vec v = { buf, DISK }, small = { buf, 512 };
	int first = block_read(d, 0, &small, 1);
	int r[] = { first,
		    block_read(d, 0, &v, 1),
		    block_write(d, 0, &small, 1),
		    block_write(d, 300 * KIB, &(struct block_vec){ buf, 64 * KIB }, 1),
		    block_discard(d, 0, 128 * KIB),
		    block_write_zeroes(d, 256 * KIB, 64 * KIB, true),
		    block_flush(d) };

	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
		assert_true(r[i] == 0 || r[i] == -EIO || r[i] == -ENOSPC || r[i] == -ENOMEM ||
			    (r[i] == -EINVAL && d->size < DISK));
	}
	return first;
}

static void test_damage(void **state)
{
	const struct damage *x = *state;
	struct fake_file *good = damageable(), *ff = fake_file_new();
	struct block_dev *d = NULL;
	int r;

	fake_file_copy(ff, good);
	ff->limit = 64 * MIB;
	put_be(ff->data + x->off, x->size, x->val);
	r = lab_try_open(ff, "qcow2", false, &d);
	if (x->why && (r == 0 || strstr(lab_why.text, x->why) == NULL || ff->writes > 0)) {
		fail_msg("%s: %d, \"%s\", %lu writes", x->name, r, lab_why.text, ff->writes);
	}
	if (x->why == NULL && (r != 0 || use_damaged(d) != -EIO)) {
		fail_msg("%s: %d", x->name, r);
	}
	if (x->why == NULL && memcmp(ff->data, good->data, 104) != 0) {
		fail_msg("%s: the header was written", x->name);
	}
	(void)block_close(d);
	fake_file_free(good);
	fake_file_free(ff);
}

void qcow2_damage_add(struct lab_group *g)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(damages); i++) {
		lab_add(g, test_damage, &damages[i], "qcow2: %s", damages[i].name);
	}
}

/* Every byte of header and tables at 0, 1, max and in between: nothing is promised but survival. */
void test_every_byte(void **state)
{
	static const uint8_t vals[] = { 0, 1, 0x10, 0x80, 0xff };
	static const struct {
		uint64_t off, len;
	} parts[] = {
		{ 0, 128 }, { AT_TABLE, 16 }, { AT_BLOCK, 32 }, { AT_L1, 16 }, { AT_L2, 32 }
	};
	struct fake_file *good = damageable(), *ff = fake_file_new();
	unsigned int opened = 0;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(parts) * ARRAY_SIZE(vals); i++) {
		uint64_t start = parts[i / ARRAY_SIZE(vals)].off;
		uint64_t len = parts[i / ARRAY_SIZE(vals)].len;

		for (uint64_t off = start; off < start + len; off++) {
			struct block_dev *d = NULL;

			fake_file_copy(ff, good);
			ff->limit = 64 * MIB;
			ff->data[off] = vals[i % ARRAY_SIZE(vals)];
			if (lab_try_open(ff, "qcow2", false, &d) == 0) {
				use_damaged(d);
				(void)block_close(d);
				opened++;
			}
			assert_int_equal(ff->opens, 0);
		}
	}
	assert_true(opened > 100);
	fake_file_free(good);
	fake_file_free(ff);
}

void test_backing_names(void **state)
{
	static const struct {
		const char *name, *why;
	} rows[] = {
		{ "/etc/passwd", "plain name" },   { "../up", "plain name" },
		{ "a/../../up", "plain name" },	   { "..", "plain name" },
		{ "nbd:localhost", "plain name" }, { "a\\..\\b", "plain name" },
		{ "missing", "not found" },	   { "loop", "a loop?" },
	};
	struct fake_file *good = damageable(), *ff = fake_file_new();

	(void)state;
	lab_backing("loop", ff);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct block_dev *d;

		fake_file_copy(ff, good);
		ff->writes = 0;
		put_be(ff->data + 8, 8, 512);
		put_be(ff->data + 16, 4, strlen(rows[i].name));
		put_be(ff->data + 88, 8, 1); /* autoclear: would be written if all were well */
		put_be(ff->data + 104, 8, 0xe2792acaul << 32 | 5);
		memcpy(ff->data + 112, "qcow2", 5);
		memcpy(ff->data + 512, rows[i].name, strlen(rows[i].name));
		assert_true(lab_try_open(ff, "qcow2", false, &d) < 0);
		assert_non_null(strstr(lab_why.text, rows[i].why));
		assert_int_equal(ff->writes, 0);
		assert_int_equal(ff->opens, 0);
	}
	lab_forget_backing();
	fake_file_free(good);
	fake_file_free(ff);
}
