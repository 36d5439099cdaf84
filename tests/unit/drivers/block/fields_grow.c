/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing in place: the new part reads as zeros and can be written, now and after a power cut; as far */
/* as tables have room, and no further; what fails leaves the old size. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "fakes/fake_fiber.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct growth {
	const char *name;
	struct image_create_params p;
	uint64_t size;
	uint64_t dirt, dirt_end; /* bytes of the file behind a table's end: nobody's */
};

static const struct growth growths[] = {
	{ "raw", { .format = "raw", .size = MIB }, 3 * MIB + 512, 0, 0 },
	{ "vdi", { .format = "vdi", .size = MIB }, 3 * MIB + 512, 516, 1024 },
	{ "vdi, more sectors of the table",
	  { .format = "vdi", .size = 3 * MIB },
	  131 * MIB,
	  524,
	  2048 },
	{ "vdi, within the last block", { .format = "vdi", .size = MIB - 512 }, MIB, 516, 1024 },
	{ "qed", { .format = "qed", .size = MIB, .cluster_size = 4096 }, 17 * MIB, 0, 0 },
	{ "qcow2",
	  { .format = "qcow2", .size = MIB, .cluster_size = 4096 },
	  5 * MIB + 512,
	  3 * 4096 + 8,
	  4 * 4096 },
	{ "qcow2, all room of the L1 table",
	  { .format = "qcow2", .size = MIB, .cluster_size = 512 },
	  2 * MIB,
	  0,
	  0 },
	{ "qcow2, version 2",
	  { .format = "qcow2", .size = MIB, .cluster_size = 512, .version = 2 },
	  MIB + 512,
	  0,
	  0 },
};

/* What lies in the file opens, is of the new size, and holds what it must. */
static void look(struct fake_file *ff, const char *format, const uint8_t *want, uint64_t size)
{
	struct block_dev *d = lab_open(ff, format);
	struct twin t;

	assert_int_equal(d->size, size);
	twin_begin(&t, d, 1);
	assert_memory_equal(t.want, want, size);
	lab_close(d);
	twin_end(&t);
	lab_check(ff, format);
}

static void test_growth(void **state)
{
	const struct growth *g = *state;
	struct fake_file *ff = lab_create(&g->p), *cut = fake_file_new();
	struct twin t;

	memset(ff->data + g->dirt, 0x0c, g->dirt_end - g->dirt);
	twin_begin(&t, lab_open(ff, g->p.format), 1);
	twin_write(&t, 0, 512, 1);
	twin_write(&t, g->p.size - 512, 512, 2);
	assert_int_equal(image_grow(t.d, g->size), 0);
	assert_int_equal(t.d->size, g->size);
	t.want = realloc(t.want, g->size);
	memset(t.want + g->p.size, 0, g->size - g->p.size);
	twin_check(&t);
	assert_int_equal(block_flush(t.d), 0);
	fake_file_copy(cut, ff);
	look(cut, g->p.format, t.want, g->size);
	for (uint64_t off = g->p.size; off < g->size; off += 512 * KIB) {
		twin_write(&t, off, 512, 3);
	}
	twin_write(&t, g->size - 512, 512, 4);
	lab_close(t.d);
	look(ff, g->p.format, t.want, g->size);
	twin_end(&t);
	fake_file_free(cut);
	fake_file_free(ff);
}

/* ---- durable on return ---- */

/* Nothing but growing happened since it was opened; the power is cut. */
static void test_growth_is_durable(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(growths); i++) {
		const struct growth *g = &growths[i];
		struct fake_file *ff = lab_create(&g->p), *cut = fake_file_new();
		struct block_dev *d = lab_open(ff, g->p.format);
		uint8_t *zeros = calloc(1, g->size);
		unsigned long flushes = ff->flushes;

		assert_int_equal(image_grow(d, g->size), 0);
		assert_true(ff->flushes > flushes);
		fake_file_copy(cut, ff);
		look(cut, g->p.format, zeros, g->size);
		lab_close(d);
		free(zeros);
		fake_file_free(cut);
		fake_file_free(ff);
	}
}

/* The events up to `now`, but for the one called `lost`, which was not flushed. */
static void apply(struct fake_file *to, const struct fake_file *ff, size_t now, size_t lost)
{
	for (size_t i = 0; i < now; i++) {
		if (i != lost) {
			fake_file_apply(to, &ff->event[i]);
		}
	}
}

/* It is of the old size or of the new one, and all that is new is zeros. */
static void look_after_cut(struct fake_file *cut, const struct growth *g, const uint8_t *zeros)
{
	struct block_dev *d = lab_open(cut, g->p.format);
	uint64_t size = d->size;

	lab_close(d);
	assert_true(size == g->p.size || size == g->size);
	look(cut, g->p.format, zeros, size);
}

static void test_growth_power_cut(void **state)
{
	const struct growth *g = *state;
	struct fake_file *ff = lab_create(&g->p), *before = fake_file_new();
	struct fake_file *cut = fake_file_new();
	uint8_t *zeros = calloc(1, g->size);
	size_t flushed = 0;
	struct block_dev *d;

	memset(ff->data + g->dirt, 0x0c, g->dirt_end - g->dirt);
	fake_file_copy(before, ff);
	d = lab_open(ff, g->p.format);
	ff->record = true;
	assert_int_equal(image_grow(d, g->size), 0);
	ff->record = false;
	for (size_t now = 0; now <= ff->events; now++) {
		for (size_t lost = flushed; lost <= now; lost++) { /* the last one: none is */
			fake_file_copy(cut, before);
			apply(cut, ff, now, lost);
			look_after_cut(cut, g, zeros);
		}
		if (now < ff->events && ff->event[now].kind == FAKE_FLUSH) {
			flushed = now + 1;
		}
	}
	fake_file_forget(ff);
	lab_close(d);
	free(zeros);
	fake_file_free(before);
	fake_file_free(cut);
	fake_file_free(ff);
}

/* ---- as far as there is room ---- */

struct limit {
	const char *name;
	struct image_create_params p;
	uint64_t last; /* size that is possible; 0: none is */
	uint64_t next; /* and one that is not */
};

static const struct limit limits[] = {
	{ "vdi, all room of the table",
	  { .format = "vdi", .size = MIB },
	  (MIB - 512) / 4 * MIB,
	  (MIB - 512) / 4 * MIB + 512 },
	{ "vdi, fixed", { .format = "vdi", .size = MIB, .subformat = "fixed" }, 0, 2 * MIB },
	{ "vhd", { .format = "vhd", .size = MIB }, 0, 2 * MIB },
	{ "vmdk", { .format = "vmdk", .size = MIB }, 0, 2 * MIB },
	{ "qcow", { .format = "qcow", .size = MIB }, 0, 2 * MIB },
	{ "qed", { .format = "qed", .size = MIB, .cluster_size = 4096 }, 16 * GIB, 16 * GIB + 512 },
	{ "qcow2, one cluster of L1",
	  { .format = "qcow2", .size = MIB, .cluster_size = 512 },
	  2 * MIB,
	  2 * MIB + 512 },
	{ "qcow2, 2 MiB of L1",
	  { .format = "qcow2", .size = GIB, .cluster_size = 2 * MIB },
	  1ul << 55,
	  1ul << 61 },
	{ "qcow2, 32 MiB of L1",
	  { .format = "qcow2", .size = 128 * GIB - 64 * KIB, .cluster_size = 512 },
	  128 * GIB,
	  128 * GIB + 512 },
};

static void test_limit(void **state)
{
	const struct limit *l = *state;
	struct fake_file *ff = lab_create(&l->p);
	struct block_dev *d = lab_open(ff, l->p.format);
	uint64_t size = l->last ? l->last : l->p.size;

	assert_int_equal(image_grow(d, l->next), -ENOTSUP);
	assert_int_equal(d->size, l->p.size);
	if (l->last) {
		assert_int_equal(image_grow(d, l->last), 0);
	}
	assert_int_equal(image_grow(d, l->next), -ENOTSUP);
	assert_int_equal(d->size, size);
	lab_close(d);
	d = lab_open(ff, l->p.format);
	assert_int_equal(d->size, size);
	lab_close(d);
	fake_file_free(ff);
}

/* Snapshots of version 2 do not say how large the disk was. */
static void test_qcow2_with_snapshots(void **state)
{
	(void)state;
	for (unsigned int version = 2; version <= 3; version++) {
		struct image_create_params p = { .format = "qcow2",
						 .size = MIB,
						 .version = version };
		struct fake_file *ff = lab_create(&p);
		struct block_dev *d = lab_open(ff, "qcow2");
		struct image_snapshot s;

		assert_int_equal(image_snapshot_create(d, "s", 1), 0);
		assert_int_equal(image_grow(d, 2 * MIB), version == 2 ? -ENOTSUP : 0);
		assert_int_equal(image_snapshot_list(d, 0, &s), 0);
		assert_int_equal(s.disk_size, MIB);
		assert_int_equal(image_snapshot_restore(d, "s"), version == 2 ? 0 : -ENOTSUP);
		lab_close(d);
		fake_file_free(ff);
	}
}

/* ---- what fails ---- */

/* A snapshot writes the header once more, and with it what the image believes. */
static bool writes_header(const struct growth *g)
{
	return strcmp(g->p.format, "qcow2") == 0 && g->p.version != 2;
}

static int grow_failing(const struct growth *g, struct fake_file *ff, long *fail, long when)
{
	struct block_dev *d = lab_open(ff, g->p.format);
	uint8_t buf[512] = { 1 };
	struct block_vec v = { buf, 512 };
	int r;

	*fail = when;
	r = image_grow(d, g->size);
	*fail = -1;
	assert_true(r == 0 || r == -EIO);
	assert_int_equal(d->size, r ? g->p.size : g->size);
	assert_int_equal(block_write(d, g->p.size - 512, &v, 1), 0);
	if (writes_header(g)) {
		assert_int_equal(image_snapshot_create(d, "s", 1), 0);
	}
	lab_close(d);
	lab_check(ff, g->p.format);
	return r;
}

/* Every read, write and flush in turn: it is the old size, and may become the new one. */
static void test_growth_fails(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < ARRAY_SIZE(growths); i++) {
		const struct growth *g = &growths[i];

		for (unsigned int what = 0; what < 3; what++) {
			int r = -EIO;

			for (long when = 0; r != 0 && when < 20; when++) {
				struct fake_file *ff = lab_create(&g->p);
				struct block_dev *d;

				r = grow_failing(g, ff,
						 what == 0   ? &ff->fail_read_in
						 : what == 1 ? &ff->fail_write_in
							     : &ff->fail_flush_in,
						 when);
				d = lab_open(ff, g->p.format);
				if (writes_header(g)) {
					assert_int_equal(d->size, r ? g->p.size : g->size);
				}
				assert_int_equal(image_grow(d, g->size), 0);
				lab_close(d);
				fake_file_free(ff);
			}
			assert_int_equal(r, 0);
		}
	}
}

/* ---- others run ---- */

static void test_growing_pauses(void **state)
{
	static const struct {
		struct image_create_params p;
		uint64_t size;
	} rows[] = {
		{ { .format = "vdi", .size = MIB }, 64 * GIB },
		{ { .format = "qcow2", .size = GIB, .cluster_size = 2 * MIB }, 1ul << 55 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_file *ff = lab_create(&rows[i].p);
		struct block_dev *d = lab_open(ff, rows[i].p.format);
		unsigned long before = fake_fiber_checkpoints;

		assert_int_equal(image_grow(d, rows[i].size), 0);
		assert_true(fake_fiber_checkpoints - before >= 65535); /* entries */
		lab_close(d);
		fake_file_free(ff);
	}
}

void fields_grow_add(struct lab_group *g)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth_is_durable),
		cmocka_unit_test(test_qcow2_with_snapshots),
		cmocka_unit_test(test_growth_fails),
		cmocka_unit_test(test_growing_pauses),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(growths); i++) {
		lab_add(g, test_growth, &growths[i], "grows: %s", growths[i].name);
		lab_add(g, test_growth_power_cut, &growths[i], "grows, cut: %s", growths[i].name);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		lab_add(g, test_limit, &limits[i], "grows so far: %s", limits[i].name);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
}
