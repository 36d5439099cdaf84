/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2: many snapshots and odd ones, what is done when a rewrite fails or memory is missing, what the */
/* check says of which damage. That others agree is qcow2_snapshots.c's. */
#include "drivers/block/fields_qcow2.h"
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "fakes/fake_heap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- many snapshots ---- */

static void check_list(struct block_dev *d, const char *names)
{
	struct image_snapshot s;

	for (unsigned int i = 0; i < strlen(names); i++) {
		assert_int_equal(image_snapshot_list(d, i, &s), 0);
		assert_int_equal(strlen(s.name), 100 + names[i] % 7);
		assert_int_equal(s.name[0], names[i]);
		assert_int_equal(s.seconds, names[i] * 1000003);
		assert_int_equal(s.disk_size, MIB);
	}
	assert_int_equal(image_snapshot_list(d, (unsigned int)strlen(names), &s), -ENOENT);
}

static const char *long_name(char first)
{
	static char name[128];

	memset(name, 0, sizeof(name));
	memset(name, first, 100 + (size_t)first % 7);
	return name;
}

static void test_many_snapshots(void **state)
{
	struct fake_file *ff = qcow2_new(MIB, CLUSTER, 16);
	uint64_t table;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 3);
	for (const char *p = "abcdefghij"; *p; p++) {
		qcow2_steps(&t, 3);
		assert_int_equal(image_snapshot_create(t.d, long_name(*p), (uint64_t)*p * 1000003),
				 0);
	}
	assert_int_equal(image_snapshot_create(t.d, long_name('j'), 0), -EEXIST);
	check_list(t.d, "abcdefghij");
	qcow2_reopen(&t, ff);
	assert_int_equal(image_snapshot_remove(t.d, long_name('e')), 0);
	check_list(t.d, "abcdfghij");
	qcow2_reopen(&t, ff);
	table = qcow2_get(ff, 64, 8) + 9 * 168; /* each is no longer than that */
	for (uint64_t off = table; off < ALIGN_UP(table, 512); off++) {
		assert_int_equal(ff->data[off], 0);
	}
	for (const char *p = "jabcdfghi"; *p; p++) {
		assert_int_equal(image_snapshot_remove(t.d, long_name(*p)), 0);
	}
	check_list(t.d, "");
	assert_int_equal(qcow2_get(ff, 60, 4), 0);
	assert_int_equal(qcow2_get(ff, 64, 8), 0);
	qcow2_done(&t, ff);
}

static void test_longest_name(void **state)
{
	struct fake_file *ff = qcow2_small();
	char name[IMAGE_SNAPSHOT_MAX + 2] = "";
	struct image_snapshot s;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	assert_int_equal(image_snapshot_create(t.d, name, 1), -EINVAL);
	memset(name, 'n', IMAGE_SNAPSHOT_MAX + 1);
	assert_int_equal(image_snapshot_create(t.d, name, 1), -EINVAL);
	name[IMAGE_SNAPSHOT_MAX] = '\0';
	assert_int_equal(image_snapshot_create(t.d, name, 1), 0);
	qcow2_reopen(&t, ff);
	assert_int_equal(image_snapshot_list(t.d, 0, &s), 0);
	assert_string_equal(s.name, name);
	assert_int_equal(image_snapshot_remove(t.d, name), 0);
	qcow2_done(&t, ff);
}

/* ---- a rewrite that fails, or must not be ---- */

/* Refcount table and block are the last ones in the file: nothing is put on them. */
static struct fake_file *moved_counts(void)
{
	struct fake_file *ff = qcow2_small();

	fake_file_resize(ff, 9 * CLUSTER);
	memcpy(ff->data + 7 * CLUSTER, ff->data + 2 * CLUSTER, CLUSTER);
	memset(ff->data + 8 * CLUSTER, 0, CLUSTER);
	qcow2_put(ff, 8 * CLUSTER, 8, 7 * CLUSTER);
	qcow2_put(ff, 48, 8, 8 * CLUSTER);
	qcow2_put(ff, 7 * CLUSTER + 2, 4, 0);
	qcow2_put(ff, 7 * CLUSTER + 14, 4, 0x00010001);
	memset(ff->data + CLUSTER, 0xdd, 2 * CLUSTER);
	lab_check(ff, "qcow2");
	return ff;
}

static void test_rewrite_fails(void **state)
{
	struct fake_file *good = moved_counts(), *ff = fake_file_new(), *cut = fake_file_new();
	int r = -EIO;
	struct twin t;

	(void)state;
	for (long when = 0; r != 0; when++) {
		assert_true(when < 100);
		fake_file_copy(ff, good);
		twin_begin(&t, lab_open(ff, "qcow2"), 1);
		assert_int_equal(t.want[CLUSTER], 7);
		ff->fail_write_in = when;
		r = image_snapshot_create(t.d, "s", 1);
		ff->fail_write_in = -1;
		assert_true(r == 0 || r == -EIO);
		fake_file_copy(cut, ff); /* the power fails, too */
		lab_check(cut, "qcow2");
		qcow2_steps(&t, 3);
		qcow2_reopen(&t, ff);
		lab_close(t.d);
		twin_end(&t);
	}
	fake_file_free(cut);
	fake_file_free(good);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

/* Nothing is made of tables that are damaged, be it in one place only. */
static void test_damaged_is_not_rewritten(void **state)
{
	struct fake_file *ff = qcow2_small(), *want = fake_file_new();
	struct block_dev *d;

	(void)state;
	qcow2_put(ff, 4 * CLUSTER + 8, 8, COPIED | (6 * CLUSTER + 512));
	fake_file_copy(want, ff);
	d = lab_open(ff, "qcow2");
	assert_int_equal(image_snapshot_create(d, "s", 1), -EIO);
	lab_close(d);
	assert_int_equal(ff->file.size, want->file.size);
	assert_memory_equal(ff->data, want->data, want->file.size);
	fake_file_free(want);
	fake_file_free(ff);
}

/* What is forgiven is unallocated: the base is seen again. And the base's name outlives it all. */
static void test_repair_shows_the_base(void **state)
{
	static const struct image_backing named = { "base", "raw" };
	struct image_create_params p = {
		.format = "qcow2", .size = MIB, .cluster_size = CLUSTER, .backing = &named
	};
	struct fake_file *base = fake_file_new(), *ff = lab_create(&p);
	struct image_check c;
	struct twin t;

	(void)state;
	fake_file_resize(base, MIB);
	memset(base->data, 0x5b, MIB);
	lab_backing("base", base);
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, 2 * CLUSTER, 7);
	assert_int_equal(image_snapshot_create(t.d, "s", 1), 0);
	qcow2_reopen(&t, ff);
	assert_int_equal(image_snapshot_remove(t.d, "s"), 0);
	qcow2_reopen(&t, ff);
	lab_close(t.d);
	qcow2_put(ff, (qcow2_get(ff, qcow2_get(ff, 40, 8), 8) & ~COPIED) + 8, 8, COPIED | 512);
	memset(t.want + CLUSTER, 0x5b, CLUSTER);
	t.d = lab_open(ff, "qcow2");
	assert_int_equal(image_check(t.d, true, NULL, &c), 0);
	assert_int_equal(c.corruptions, 1);
	assert_int_equal(c.fixed, c.corruptions + c.leaks);
	qcow2_done(&t, ff);
	lab_forget_backing();
	fake_file_free(base);
}

/* ---- check ---- */

struct wrong {
	const char *name;
	uint64_t off;
	unsigned int size;
	uint64_t val;
	uint64_t leaks, corruptions;
	const char *text; /* of the first corruption */
};

/* Clusters 0 to 6 are in use, 7 is free and in the file. */
static const struct wrong wrongs[] = {
	{ "header counts as free", 2 * CLUSTER, 2, 0, 0, 1, "counted too low: cluster 0" },
	{ "last one counts as free", 2 * CLUSTER + 12, 2, 0, 0, 2, "counted too low: cluster 6" },
	{ "a count past the end", 2 * CLUSTER + 16, 2, 1, 0, 0, "" },
	{ "data at the end", 4 * CLUSTER + 8, 8, COPIED | 8 * CLUSTER, 1, 2, "past the end" },
	{ "unaligned data", 4 * CLUSTER + 8, 8, COPIED | 6 * CLUSTER | 512, 1, 1, "L2 entry 8000" },
	{ "unaligned L2", 3 * CLUSTER, 8, COPIED | 4 * CLUSTER | 512, 3, 1, "L1 entry 8000" },
	{ "flag of L2's entry", 4 * CLUSTER + 8, 8, 6 * CLUSTER, 0, 1, "wrong flag in L2: 6000" },
	{ "flag of L1's entry", 3 * CLUSTER, 8, 4 * CLUSTER, 0, 1, "wrong flag in L1: 4000" },
	{ "block of counts unaligned", CLUSTER, 8, 2 * CLUSTER | 512, 0, 7,
	  "counted too low: cluster 0" },
};

static void test_check_says(void **state)
{
	struct fake_file *good = qcow2_small(), *ff = fake_file_new();

	(void)state;
	fake_file_resize(good, 8 * CLUSTER);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct image_check c;
		struct block_dev *d;

		fake_file_copy(ff, good);
		qcow2_put(ff, w->off, w->size, w->val);
		assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
		assert_int_equal(image_check(d, false, NULL, &c), 0);
		if (c.leaks != w->leaks || c.corruptions != w->corruptions || c.fixed != 0 ||
		    strstr(c.first.text, w->text) == NULL) {
			fail_msg("%s: %lu leaks, %lu corruptions: %s", w->name, c.leaks,
				 c.corruptions, c.first.text);
		}
		lab_close(d);
		d = lab_open(ff, "qcow2");
		assert_int_equal(image_check(d, true, NULL, &c), 0);
		assert_int_equal(c.fixed, c.leaks + c.corruptions);
		lab_close(d);
		lab_check(ff, "qcow2");
	}
	fake_file_free(good);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

/* More clusters than are counted at a time: each is counted once, those in use at the end as well. */
static void test_check_of_many_clusters(void **state)
{
	struct fake_file *ff = qcow2_new(MIB, 512, 16);
	struct image_check c;
	struct block_dev *d;
	struct twin t;
	uint64_t table;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 0, 512, 1);
	lab_close(t.d);
	twin_end(&t);
	table = qcow2_get(ff, qcow2_get(ff, 40, 8), 8) & ~COPIED;
	qcow2_put(ff, table + 8, 8, COPIED | 524300 * 512ul);
	fake_file_resize(ff, 257 * MIB);
	d = lab_open(ff, "qcow2");
	assert_int_equal(image_check(d, false, NULL, &c), 0);
	assert_int_equal(c.leaks, 0);
	assert_int_equal(c.corruptions, 2);
	assert_non_null(strstr(c.first.text, "cluster 8000c"));
	lab_close(d);
	fake_file_free(ff);
}

/* Whatever memory is missing: -ENOMEM, and none is lost. */
static void test_no_memory(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct block_dev *d = lab_open(ff, "qcow2");
	unsigned long live = fake_heap_live;
	struct image_snapshot s;
	struct image_check c;
	int r = -ENOMEM;

	(void)state;
	for (unsigned long n = 0; r != 0; n++) {
		assert_true(n < 20);
		fake_heap_limit = n;
		r = image_check(d, false, NULL, &c);
		fake_heap_limit = ~0ul;
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(fake_heap_live, live);
	}
	r = -ENOMEM;
	for (unsigned long n = 0; r != 0; n++) {
		assert_true(n < 20);
		fake_heap_limit = n;
		r = image_snapshot_create(d, "s", 1);
		fake_heap_limit = ~0ul;
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(fake_heap_live, live);
	}
	fake_heap_limit = 0;
	assert_int_equal(image_snapshot_list(d, 0, &s), -ENOMEM);
	assert_int_equal(image_snapshot_remove(d, "s"), -ENOMEM);
	assert_int_equal(image_snapshot_restore(d, "s"), -ENOMEM);
	fake_heap_limit = ~0ul;
	assert_int_equal(image_snapshot_restore(d, "s"), 0);
	assert_int_equal(image_snapshot_remove(d, "t"), -ENOENT);
	assert_int_equal(image_snapshot_remove(d, "s"), 0);
	assert_int_equal(image_snapshot_remove(d, "s"), -ENOENT);
	assert_int_equal(fake_heap_live, live);
	lab_close(d);
	lab_check(ff, "qcow2");
	fake_file_free(ff);
}

static bool stop(void *arg, uint64_t at, uint64_t total)
{
	(void)at;
	(void)total;
	return (*(int *)arg)-- == 0;
}

static void test_check_is_stopped(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct block_dev *d = lab_open(ff, "qcow2");
	int left = 0;
	struct image_watch w = { stop, &left };
	struct image_check c;

	(void)state;
	assert_int_equal(image_check(d, true, &w, &c), -EAGAIN);
	left = 1000;
	assert_int_equal(image_check(d, true, &w, &c), 0);
	assert_true(left < 1000);
	lab_close(d);
	fake_file_free(ff);
}

/* ---- entries of the snapshot table ---- */

static struct fake_file *with_snapshot(const char *name)
{
	struct fake_file *ff = qcow2_small();
	struct block_dev *d = lab_open(ff, "qcow2");

	assert_int_equal(image_snapshot_create(d, name, 1), 0);
	lab_close(d);
	return ff;
}

struct entry {
	const char *name;
	uint64_t off; /* in the entry */
	unsigned int size;
	uint64_t val;
	int r; /* of listing it */
	size_t id, length;
	uint64_t disk_size;
};

static const struct entry entries[] = {
	{ "as it is", 20, 4, 0, 0, 1, 40, MIB },
	{ "no L1", 0, 8, 0, -EIO, 0, 0, 0 },
	{ "L1 unaligned", 0, 8, 3 * CLUSTER + 512, -EIO, 0, 0, 0 },
	{ "L1 past the end", 0, 8, 1ul << 40, -EIO, 0, 0, 0 },
	{ "L1 too large", 8, 4, 4194305, -EIO, 0, 0, 0 },
	{ "longest number", 12, 4, 15ul << 16 | 20, 0, 15, 20, MIB },
	{ "longer number", 12, 4, 20ul << 16 | 10, 0, 15, 10, MIB },
	{ "little to say", 36, 4, 8, 0, 1, 40, MIB },
	{ "nothing more to say", 36, 4, 0, 0, 1, 40, MIB },
	{ "much more to say", 36, 4, 1025, -EIO, 0, 0, 0 },
	{ "a name to the end of the file", 14, 2, 0xffff, -EIO, 0, 0, 0 },
};

static void test_snapshot_entries(void **state)
{
	struct fake_file *good = with_snapshot("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
	struct fake_file *ff = fake_file_new();

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		struct image_snapshot s;
		struct block_dev *d;
		int r;

		fake_file_copy(ff, good);
		qcow2_put(ff, qcow2_get(ff, 64, 8) + e->off, e->size, e->val);
		assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
		r = image_snapshot_list(d, 0, &s);
		if (r != e->r || (r == 0 && (s.disk_size != e->disk_size ||
					     (e->off != 36 && (strlen(s.id) != e->id ||
							       strlen(s.name) != e->length))))) {
			fail_msg("%s: %d, %s, %s, %lu", e->name, r, s.id, s.name, s.disk_size);
		}
		lab_close(d);
	}
	fake_file_free(good);
	fake_file_free(ff);
}

/* The snapshot's table, its L1 table, or its name end with the file, or one byte too late. */
static void test_snapshot_at_the_end(void **state)
{
	struct fake_file *ff = with_snapshot("snapshot");
	uint64_t table = qcow2_get(ff, 64, 8), end = ff->file.size;
	struct image_snapshot s;
	struct block_dev *d;

	(void)state;
	end = ALIGN_UP(end, CLUSTER);
	fake_file_resize(ff, end + 8);
	memcpy(ff->data + end, ff->data + qcow2_get(ff, table, 8), 8);
	qcow2_put(ff, table, 8, end);
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), 0);
	lab_close(d);
	fake_file_resize(ff, end + 7);
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), -EIO);
	lab_close(d);
	qcow2_put(ff, table, 8, 3 * CLUSTER); /* any place will do */
	fake_file_resize(ff, end + 40 + 16 + 1 + 8);
	memcpy(ff->data + end, ff->data + table, 40 + 16 + 1 + 8);
	qcow2_put(ff, 64, 8, end);
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), 0);
	assert_string_equal(s.name, "snapshot");
	lab_close(d);
	fake_file_resize(ff, end + 40 + 16 + 1 + 7);
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), -EIO);
	lab_close(d);
	fake_file_free(ff);
}

/* What is not on disk yet is written first: if that fails there is nothing to be said, and later there is. */
static void test_check_needs_a_flush(void **state)
{
	struct fake_file *ff = qcow2_small();
	struct image_check c;
	struct twin t;

	(void)state;
	twin_begin(&t, lab_open(ff, "qcow2"), 1);
	twin_write(&t, 20 * CLUSTER, CLUSTER, 9);
	ff->fail_write_in = 0;
	assert_int_equal(image_check(t.d, false, NULL, &c), -EIO);
	assert_int_equal(image_check(t.d, false, NULL, &c), 0);
	assert_int_equal(c.leaks + c.corruptions, 0);
	qcow2_done(&t, ff);
}

void fields_qcow2_rewrite_add(struct lab_group *g)
{
	static const struct {
		const char *name;
		CMUnitTestFunction fn;
	} tests[] = {
		{ "many snapshots", test_many_snapshots },
		{ "a snapshot's longest name", test_longest_name },
		{ "a rewrite fails", test_rewrite_fails },
		{ "what is damaged is not rewritten", test_damaged_is_not_rewritten },
		{ "a repair shows the base", test_repair_shows_the_base },
		{ "what the check says", test_check_says },
		{ "check of many clusters", test_check_of_many_clusters },
		{ "no memory", test_no_memory },
		{ "a check is stopped", test_check_is_stopped },
		{ "a check needs a flush", test_check_needs_a_flush },
		{ "entries of snapshots", test_snapshot_entries },
		{ "a snapshot at the end", test_snapshot_at_the_end },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(g, tests[i].fn, NULL, "qcow2, %s", tests[i].name);
	}
}
