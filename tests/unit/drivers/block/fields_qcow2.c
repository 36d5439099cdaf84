/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's tables where images of everyday do not have them: many sectors long, full, before dirt; where */
/* free clusters are looked for. Rewrites, checks and snapshots are fields_qcow2_rewrite.c's. */
#include "drivers/block/fields_qcow2.h"
#include "drivers/block/fields_tests.h"
#include "drivers/block/fmt_qcow2.h"
#include "drivers/block/lab.h"
#include "drivers/block/thin.h"
#include "fakes/fake_fiber.h"
#include "fakes/fake_heap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

uint64_t qcow2_get(const struct fake_file *ff, uint64_t off, unsigned int size)
{
	return fields_get(ff, off, size, true);
}

void qcow2_put(struct fake_file *ff, uint64_t off, unsigned int size, uint64_t val)
{
	assert_true(off + size <= ff->file.size);
	for (unsigned int i = 0; i < size; i++) {
		ff->data[off + i] = (uint8_t)(val >> 8 * (size - 1 - i));
	}
}

struct fake_file *qcow2_new(uint64_t size, uint32_t cluster_size, uint32_t refcount_bits)
{
	struct image_create_params p = { .format = "qcow2",
					 .size = size,
					 .cluster_size = cluster_size,
					 .refcount_bits = refcount_bits };

	return lab_create(&p);
}

struct fake_file *qcow2_small(void)
{
	struct fake_file *ff = qcow2_new(MIB, CLUSTER, 16);
	struct twin t;

	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, 2 * CLUSTER, 7);
	lab_close(t.d);
	twin_end(&t);
	return ff;
}

void qcow2_reopen(struct twin *t, struct fake_file *ff)
{
	lab_close(t->d);
	lab_check(ff, "qcow2");
	t->d = lab_open(ff, "qcow2");
	twin_check(t);
}

void qcow2_done(struct twin *t, struct fake_file *ff)
{
	qcow2_reopen(t, ff);
	lab_close(t->d);
	twin_end(t);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

void qcow2_steps(struct twin *t, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(twin_step(t), 0);
	}
	twin_check(t);
}

/* ---- many sectors ---- */

/* So many blocks of counts that their table takes more than a sector. */
static void test_many_blocks(void **state)
{
	struct fake_file *ff = qcow2_new(16 * GIB, 512, 64);
	uint64_t table = qcow2_get(ff, 48, 8), clusters = qcow2_get(ff, 56, 4), blocks = 0;

	(void)state;
	while (qcow2_get(ff, table + blocks * 8, 8) != 0) {
		assert_int_equal(qcow2_get(ff, table + blocks * 8, 8),
				 table + clusters * 512 + blocks * 512);
		blocks++;
	}
	assert_true(blocks > 64);
	assert_int_equal(clusters, 8845); /* for a full disk, and a sixteenth */
	lab_check(ff, "qcow2");
	fake_file_free(ff);
}

/* L1 tables of more than a sector, of a whole cluster, with dirt behind what is theirs. */
static void test_long_l1(void **state)
{
	static const uint64_t sizes[] = { 2 * MIB, 3 * MIB };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fake_file *ff = qcow2_new(sizes[i], 512, 16);
		uint64_t l1 = qcow2_get(ff, 40, 8), bytes = sizes[i] / 32768 * 8;
		uint8_t *then;
		struct twin t;

		memset(ff->data + l1 + bytes, 0x0c, ALIGN_UP(bytes, 512) - bytes);
		twin_begin(&t, lab_open(ff, "qcow2"), i);
		qcow2_steps(&t, 60);
		assert_int_equal(image_snapshot_create(t.d, "a", 1), 0);
		then = malloc(sizes[i]);
		memcpy(then, t.want, sizes[i]);
		qcow2_reopen(&t, ff);
		qcow2_steps(&t, 60);
		qcow2_reopen(&t, ff);
		assert_int_equal(image_snapshot_restore(t.d, "a"), 0);
		memcpy(t.want, then, sizes[i]);
		qcow2_reopen(&t, ff);
		assert_int_equal(image_snapshot_remove(t.d, "a"), 0);
		free(then);
		qcow2_done(&t, ff);
	}
}

/* Counts that lie in the second block of the cache of a cluster of them. */
static void test_far_counts(void **state)
{
	struct fake_file *ff = qcow2_new(6 * MIB, 8192, 64);
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, 6 * MIB, 5);
	assert_int_equal(block_discard(t.d, 5 * MIB, 64 * KIB), 0);
	memset(t.want + 5 * MIB, 0, 64 * KIB);
	qcow2_done(&t, ff);
}

/* ---- counts ---- */

static void test_counts(void **state)
{
	(void)state;
	for (uint32_t order = 0; order <= 6; order++) {
		struct fake_file *ff = qcow2_new(MIB, CLUSTER, 1u << order);
		struct block_dev *d = lab_open(ff, "qcow2");
		struct image *img = thin_image(d);
		uint64_t most = order == 6 ? -1ul : (1ul << (1u << order)) - 1, count;

		for (uint64_t i = 100; i < 120; i++) {
			assert_int_equal(fmt_qcow2_refcount_set(img, i, most), 0);
			assert_int_equal(fmt_qcow2_refcount_get(img, i, &count), 0);
			assert_int_equal(count, most);
			assert_int_equal(fmt_qcow2_refcount_get(img, i + 1, &count), 0);
			assert_int_equal(count, 0);
		}
		if (order < 6) {
			assert_int_equal(fmt_qcow2_refcount_set(img, 110, most + 1), -ENOSPC);
		}
		assert_int_equal(fmt_qcow2_refcount_set(img, 110, 0), 0);
		for (uint64_t i = 99; i < 121; i++) {
			bool used = i >= 100 && i < 120 && i != 110;

			assert_int_equal(fmt_qcow2_refcount_get(img, i, &count), 0);
			assert_int_equal(count, used ? most : 0);
		}
		lab_close(d);
		fake_file_free(ff);
	}
}

/* Where no block of counts is, all is free: also what lies in the file there. */
static void test_no_counts_behind_the_blocks(void **state)
{
	struct fake_file *ff = qcow2_new(MIB, 512, 16);
	struct twin t;

	(void)state;
	fake_file_resize(ff, 400 * 512);
	memset(ff->data + 4 * 512, 0xee, 396 * 512);
	lab_check(ff, "qcow2");
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	qcow2_steps(&t, 60);
	assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
	qcow2_steps(&t, 60);
	qcow2_done(&t, ff);
}

/* The table of counts grows, more than once, into what somebody left in the file. */
static void test_table_grows_into_dirt(void **state)
{
	struct fake_file *ff = qcow2_new(MIB, 512, 64);
	uint64_t table = qcow2_get(ff, 48, 8), used = ff->file.size;
	struct twin t;

	(void)state;
	fake_file_resize(ff, 8 * MIB);
	memset(ff->data + used, 0xee, 8 * MIB - used);
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	for (uint8_t i = 0; i < 4; i++) {
		twin_write(&t, 0, MIB, i + 1);
		qcow2_reopen(&t, ff);
		assert_int_equal(image_snapshot_create(t.d, i % 2 ? "a" : "b", i),
				 i > 1 ? -EEXIST : 0);
	}
	assert_int_not_equal(qcow2_get(ff, 48, 8), table);
	qcow2_done(&t, ff);
}

/* The table's last entry counts, and nothing behind the table. */
static void test_last_block_of_counts(void **state)
{
	struct fake_file *ff = qcow2_new(MIB, CLUSTER, 64);
	struct block_dev *d;
	uint64_t count;

	(void)state;
	fake_file_resize(ff, 9 * CLUSTER);
	qcow2_put(ff, CLUSTER + 511 * 8, 8, 8 * CLUSTER);
	qcow2_put(ff, 8 * CLUSTER, 8, 77);
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	assert_int_equal(fmt_qcow2_refcount_get(thin_image(d), 511 * 512, &count), 0);
	assert_int_equal(count, 77);
	assert_int_equal(fmt_qcow2_refcount_get(thin_image(d), 512 * 512, &count), 0);
	assert_int_equal(count, 0);
	lab_close(d);
	fake_file_free(ff);
}

/* Nearly all that one cluster of the table counts is in use, half of it by a snapshot. */
static struct fake_file *nearly_full(void)
{
	struct fake_file *ff = qcow2_new(MIB, 512, 64);
	struct twin t;

	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, MIB, 1);
	assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
	for (uint64_t off = 0; ff->file.size < 4080 * 512; off += 4096) {
		twin_write(&t, off, 4096, 2);
		assert_int_equal(block_flush(t.d), 0);
	}
	lab_close(t.d);
	twin_end(&t);
	lab_check(ff, "qcow2");
	return ff;
}

/* Every write, read and flush while the table grows fails in turn: it grows later. */
static void test_table_grows_in_spite_of_errors(void **state)
{
	struct fake_file *good = nearly_full(), *ff = fake_file_new();
	uint64_t table = qcow2_get(good, 48, 8);
	struct image_check c;

	(void)state;
	for (unsigned int what = 0; what < 3; what++) {
		long *fail = what == 0 ? &ff->fail_write_in
				       : (what == 1 ? &ff->fail_read_in : &ff->fail_flush_in);
		bool failed = true;

		for (long when = 0; failed; when++) {
			struct twin t;
			int r;

			assert_true(when < 200);
			fake_file_copy(ff, good);
			twin_begin(&t, lab_open(ff, "qcow2"), 1);
			memset(t.want + MIB - 32 * KIB, 9, 32 * KIB);
			*fail = when;
			r = block_write(t.d, MIB - 32 * KIB,
					&(struct block_vec){ t.want + MIB - 32 * KIB, 32 * KIB },
					1);
			failed = *fail < 0;
			*fail = -1;
			assert_true(r == 0 || r == -EIO);
			twin_write(&t, MIB - 32 * KIB, 32 * KIB, 8);
			assert_int_not_equal(qcow2_get(ff, 48, 8), table);
			lab_close(t.d);
			t.d = lab_open(ff, "qcow2");
			twin_check(&t);
			assert_int_equal(image_check(t.d, false, NULL, &c), 0);
			assert_int_equal(c.corruptions, 0);
			lab_close(t.d);
			twin_end(&t);
		}
	}
	fake_file_free(good);
	fake_file_free(ff);
}

/* A table that was made for a full disk is no smaller after a rewrite. */
static void test_table_does_not_shrink(void **state)
{
	struct fake_file *ff = qcow2_new(8 * MIB, 512, 64);
	uint64_t clusters = qcow2_get(ff, 56, 4);
	struct block_dev *d = lab_open(ff, "qcow2");

	(void)state;
	assert_int_equal(clusters, 5);
	assert_int_equal(image_snapshot_create(d, "s", 1), 0);
	assert_int_equal(qcow2_get(ff, 56, 4), clusters);
	lab_close(d);
	lab_check(ff, "qcow2");
	fake_file_free(ff);
}

/* ---- where free clusters are looked for, and when counts go down ---- */

static uint64_t l2_entry(const struct fake_file *ff, unsigned int i)
{
	uint64_t table = qcow2_get(ff, qcow2_get(ff, 40, 8), 8) & ~COPIED;

	return qcow2_get(ff, table + i * 8, 8);
}

static void test_free_clusters(void **state)
{
	struct fake_file *ff = qcow2_small();
	uint64_t l1 = qcow2_get(ff, 3 * CLUSTER, 8), size;
	unsigned long flushes;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 2 * CLUSTER, 8 * CLUSTER, 8);
	assert_int_equal(block_flush(t.d), 0);
	assert_int_equal(qcow2_get(ff, 3 * CLUSTER, 8), l1); /* its table is its own already */
	flushes = ff->flushes;
	size = ff->file.size;
	for (unsigned int i = 1; i < 10; i += 2) {
		assert_int_equal(block_discard(t.d, i * CLUSTER, CLUSTER), 0);
		memset(t.want + i * CLUSTER, 0, CLUSTER);
	}
	assert_int_equal(ff->flushes, flushes); /* it is a hint, and waits */
	assert_int_equal(block_flush(t.d), 0);
	twin_write(&t, 100 * CLUSTER, 5 * CLUSTER, 9); /* what was given back is used first */
	assert_int_equal(block_flush(t.d), 0);
	assert_int_equal(ff->file.size, size);
	assert_int_equal(l2_entry(ff, 100), COPIED | 6 * CLUSTER);
	assert_int_equal(block_discard(t.d, 101 * CLUSTER, CLUSTER), 0);
	memset(t.want + 101 * CLUSTER, 0, CLUSTER);
	assert_int_equal(block_flush(t.d), 0); /* nothing of the first list is lowered again */
	qcow2_reopen(&t, ff);
	qcow2_done(&t, ff);
}

/* New clusters in a row are one write; what lies around less than one, at the file's end, is none. */
static void test_writes_of_new_clusters(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	ff->writes = 0;
	twin_write(&t, 2 * CLUSTER, 8 * CLUSTER, 8);
	assert_int_equal(ff->writes, 1);
	twin_write(&t, 20 * CLUSTER + 512, 512, 9);
	assert_int_equal(ff->writes, 2);
	qcow2_done(&t, ff);
}

/* Discarding what is not there makes no tables. */
static void test_discard_of_nothing(void **state)
{
	struct fake_file *ff = qcow2_new(8 * MIB, CLUSTER, 16);
	struct block_dev *d = lab_open(ff, "qcow2");

	(void)state;
	ff->writes = 0;
	assert_int_equal(block_discard(d, 0, 8 * MIB), 0);
	assert_int_equal(block_write_zeroes(d, 0, 8 * MIB, true), 0);
	lab_close(d);
	assert_int_equal(ff->writes, 0);
	fake_file_free(ff);
}

/* An image that was rewritten uses the places of its old tables, from the first one on. */
static void test_first_cluster_is_used(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
	assert_int_equal(image_snapshot_remove(t.d, "s"), 0);
	qcow2_reopen(&t, ff);
	assert_int_not_equal(qcow2_get(ff, 48, 8), CLUSTER);
	twin_write(&t, 50 * CLUSTER, CLUSTER, 3);
	assert_int_equal(block_flush(t.d), 0);
	assert_int_equal(l2_entry(ff, 50), COPIED | CLUSTER);
	qcow2_done(&t, ff);
}

/* A cluster of zeros that has a place is written there. */
static void test_zeros_with_a_place(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct twin t;

	(void)state;
	qcow2_put(ff, 4 * CLUSTER + 8, 8, COPIED | 6 * CLUSTER | 1);
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	assert_int_equal(t.want[CLUSTER], 0);
	twin_write(&t, CLUSTER + 512, 512, 4);
	assert_int_equal(block_flush(t.d), 0);
	assert_int_equal(l2_entry(ff, 1), COPIED | 6 * CLUSTER);
	qcow2_done(&t, ff);
}

/* ---- others run ---- */

static unsigned long since(unsigned long *before)
{
	unsigned long pauses = fake_fiber_checkpoints - *before;

	*before = fake_fiber_checkpoints;
	return pauses;
}

static void test_pauses(void **state)
{
	struct fake_file *ff = qcow2_new(4 * MIB, 512, 16);
	unsigned long before, tables = 4 * MIB / 32768, clusters;
	struct image_check c;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, 4 * MIB, 1);
	assert_int_equal(block_flush(t.d), 0);
	since(&before);
	assert_int_equal(image_check(t.d, false, NULL, &c), 0);
	clusters = ff->file.size / 512;
	/* Each table twice, L1's two sectors, too; the table of counts; 128 counts. */
	assert_true(since(&before) >= 2 * (tables + 2) + qcow2_get(ff, 56, 4) + clusters / 128);
	assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
	/* Tables are counted twice, copied, flagged; sectors of counts and of their table. */
	assert_true(since(&before) >= 4 * tables + clusters / 256 + qcow2_get(ff, 56, 4));
	for (uint64_t off = 0; off < 100 * 1024; off += 1024) {
		assert_int_equal(block_discard(t.d, off, 512), 0);
	}
	since(&before);
	assert_int_equal(block_flush(t.d), 0);
	assert_true(since(&before) >= 100);
	lab_close(t.d);
	twin_end(&t);
	fake_file_free(ff);
}

void fields_qcow2_add(struct lab_group *g)
{
	static const struct {
		const char *name;
		CMUnitTestFunction fn;
	} tests[] = {
		{ "many blocks of counts", test_many_blocks },
		{ "long L1 tables", test_long_l1 },
		{ "far counts", test_far_counts },
		{ "counts of all widths", test_counts },
		{ "no counts behind the blocks", test_no_counts_behind_the_blocks },
		{ "the table of counts grows into dirt", test_table_grows_into_dirt },
		{ "the last block of counts", test_last_block_of_counts },
		{ "the table of counts grows in spite of errors",
		  test_table_grows_in_spite_of_errors },
		{ "the table of counts does not shrink", test_table_does_not_shrink },
		{ "free clusters", test_free_clusters },
		{ "writes of new clusters", test_writes_of_new_clusters },
		{ "discard of nothing", test_discard_of_nothing },
		{ "the first cluster is used", test_first_cluster_is_used },
		{ "zeros with a place", test_zeros_with_a_place },
		{ "long work pauses", test_pauses },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(g, tests[i].fn, NULL, "qcow2, %s", tests[i].name);
	}
}
