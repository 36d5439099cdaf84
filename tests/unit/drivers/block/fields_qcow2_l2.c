/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's entries of L2 tables: how they are taken apart, how far what they lead to is alike, */
/* and a table that cannot be written. Whole tables of everyday are test_qcow2.c's. */
#include "drivers/block/fields_qcow2.h"
#include "drivers/block/fields_tests.h"
#include "drivers/block/fmt_qcow2.h"
#include "drivers/block/thin.h"
#include <errno.h>
#include <string.h>

#include <cmocka.h>

/* "Compressed Clusters Descriptor": sectors stand above an offset that is shorter in large clusters. */
static void test_compressed(void **state)
{
	static const struct {
		uint32_t cluster_bits, shift, sectors;
	} rows[] = { { 9, 61, 1 }, { 12, 58, 15 }, { 16, 54, 255 }, { 21, 49, 8191 } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct qcow2 q = { .cluster_bits = rows[i].cluster_bits };
		struct qcow2_entry e;

		for (uint64_t sectors = 0; sectors <= rows[i].sectors; sectors++) {
			uint64_t raw = QCOW2_COMPRESSED | sectors << rows[i].shift | 0x12345;

			assert_true(fmt_qcow2_l2_parse(&q, raw, &e));
			assert_int_equal(e.kind, BLOCK_DEFLATE);
			assert_int_equal(e.off, 0x12345);
			assert_int_equal(e.len, (sectors + 1) * 512 - 0x145);
			assert_false(e.copied);
		}
	}
}

/* "Standard Cluster Descriptor": what bit 0 and the place say together; that places are aligned. */
static void test_standard(void **state)
{
	static const struct {
		uint64_t raw;
		uint32_t version;
		bool is;
		enum block_kind kind;
		uint64_t off, len;
		bool copied;
	} rows[] = {
		{ 0, 2, true, BLOCK_UNALLOCATED, 0, 0, false },
		{ COPIED, 3, true, BLOCK_UNALLOCATED, 0, 0, false },
		{ 5 * CLUSTER, 2, true, BLOCK_DATA, 5 * CLUSTER, CLUSTER, false },
		{ COPIED | 5 * CLUSTER, 2, true, BLOCK_DATA, 5 * CLUSTER, CLUSTER, true },
		{ COPIED | 0x00fffffffffff000, 2, true, BLOCK_DATA, 0x00fffffffffff000, CLUSTER,
		  true },
		{ 1, 3, true, BLOCK_ZERO, 0, 0, false },
		{ COPIED | 5 * CLUSTER | 1, 3, true, BLOCK_ZERO, 5 * CLUSTER, CLUSTER, true },
		{ 1, 2, false, BLOCK_ZERO, 0, 0, false },
		{ COPIED | (5 * CLUSTER + 512), 3, false, BLOCK_DATA, 5 * CLUSTER + 512, CLUSTER,
		  true },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct qcow2 q = { .cluster_bits = 12, .h.version = rows[i].version };
		struct qcow2_entry e;

		assert_int_equal(fmt_qcow2_l2_parse(&q, rows[i].raw, &e), rows[i].is);
		assert_int_equal(e.kind, rows[i].kind);
		assert_int_equal(e.off, rows[i].off);
		assert_int_equal(e.len, rows[i].len);
		assert_int_equal(e.copied, rows[i].copied);
	}
}

static void check_map(struct block_dev *d, uint64_t off, uint64_t len, enum block_kind kind,
		      uint64_t want)
{
	struct block_map m;

	assert_int_equal(fmt_qcow2_l2_map(thin_image(d), off, len, &m), 0);
	assert_int_equal(m.kind, kind);
	assert_int_equal(m.len, want);
	assert_int_equal(m.in_place, kind == BLOCK_DATA);
	if (kind == BLOCK_DATA) {
		assert_int_equal(m.file_off, 5 * CLUSTER + off);
	}
}

/* Where no table is, up to the next table; else while entries go on alike, as far as was asked. */
static void test_how_far(void **state)
{
	struct fake_file *ff = qcow2_new(6 * MIB, CLUSTER, 16);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	(void)state;
	twin_begin(&t, d, 1);
	twin_write(&t, 0, 3 * CLUSTER, 7);
	assert_int_equal(block_flush(d), 0);
	check_map(d, 2 * MIB + 512, 512, BLOCK_UNALLOCATED, 2 * MIB - 512);
	check_map(d, 6 * MIB - 512, 512, BLOCK_UNALLOCATED, 512);
	check_map(d, 0, 512, BLOCK_DATA, CLUSTER);
	check_map(d, 512, CLUSTER - 512, BLOCK_DATA, CLUSTER - 512);
	check_map(d, 512, CLUSTER, BLOCK_DATA, 2 * CLUSTER - 512);
	check_map(d, 0, 8 * CLUSTER, BLOCK_DATA, 3 * CLUSTER);
	check_map(d, 3 * CLUSTER, 512, BLOCK_UNALLOCATED, CLUSTER);
	check_map(d, 3 * CLUSTER + 512, 4 * CLUSTER, BLOCK_UNALLOCATED, 5 * CLUSTER - 512);
	qcow2_done(&t, ff);
}

/* What may not be overwritten ends what may. */
static void test_shared_and_own(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct block_dev *d;

	(void)state;
	qcow2_put(ff, 4 * CLUSTER + 8, 8, 6 * CLUSTER);
	d = lab_open(ff, "qcow2");
	check_map(d, 0, 8 * CLUSTER, BLOCK_DATA, CLUSTER);
	lab_close(d);
	fake_file_free(ff);
}

/* A table that cannot be written gives back its place, and not what lies behind it. */
static void test_failed_table(void **state)
{
	struct fake_file *ff = qcow2_new(4 * MIB, CLUSTER, 16);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	(void)state;
	twin_begin(&t, d, 1);
	twin_write(&t, 0, 2 * CLUSTER, 7);
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(block_discard(d, 0, CLUSTER), 0);
	memset(t.want, 0, CLUSTER);
	assert_int_equal(block_flush(d), 0);
	ff->fail_write_in = 0;
	assert_int_equal(
		block_write(d, 2 * MIB, &(struct block_vec){ t.want + CLUSTER, CLUSTER }, 1), -EIO);
	ff->fail_write_in = -1;
	qcow2_done(&t, ff);
}

void fields_qcow2_l2_add(struct lab_group *g)
{
	lab_add(g, test_compressed, NULL, "qcow2, compressed entries");
	lab_add(g, test_standard, NULL, "qcow2, entries");
	lab_add(g, test_how_far, NULL, "qcow2, how far entries are alike");
	lab_add(g, test_shared_and_own, NULL, "qcow2, shared and own clusters");
	lab_add(g, test_failed_table, NULL, "qcow2, a table that cannot be written");
}
