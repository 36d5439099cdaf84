/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2 against qemu-img: images of both are read and written by the other; every table field wrong; */
/* errors at any moment; many requests at once. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/fmt_raw.c drivers/block/fmt_qcow2.c drivers/block/fmt_qcow2_create.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_l2.c drivers/block/fmt_qcow2_refcount.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_walk.c drivers/block/fmt_qcow2_check.c drivers/block/fmt_qcow2_rewrite.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_snapshot.c tests/unit/drivers/block/qcow2_snapshots.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_SOURCES: tests/unit/drivers/block/qcow2_damage.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/lab.h"
#include "drivers/block/qcow2_tests.h"
#include "fakes/fake_fiber.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1ul * MIB)

static bool soak(void)
{
	return getenv("INSULA_SOAK") != NULL;
}

/* ---- images of qemu-img ---- */

struct variant {
	const char *name;
	const char *options; /* of qemu-img create */
	const char *size;
	const char *io; /* of qemu-io */
};

static const struct variant variants[] = {
	{ "version 2", "compat=0.10", "1M", "write -P 7 64k 200k" },
	{ "smallest clusters", "cluster_size=512", "1M", "write -P 7 1000k 24k" },
	{ "4 KiB clusters, 1-bit counts", "cluster_size=4k,refcount_bits=1", "1M",
	  "write -P 7 3k 99k" },
	{ "2-bit counts", "cluster_size=4k,refcount_bits=2", "1M", "write -P 7 3k 99k" },
	{ "4-bit counts", "cluster_size=4k,refcount_bits=4", "1M", "write -P 7 3k 99k" },
	{ "8-bit counts", "cluster_size=4k,refcount_bits=8", "1M", "write -P 7 3k 99k" },
	{ "32-bit counts", "cluster_size=4k,refcount_bits=32", "1M", "write -P 7 3k 99k" },
	{ "64-bit counts", "cluster_size=4k,refcount_bits=64", "1M", "write -P 7 3k 99k" },
	{ "64 KiB clusters", "cluster_size=64k", "1000k", "write -P 7 900k 100k" },
	{ "2 MiB clusters", "cluster_size=2M", "5M", "write -P 7 1M 2M" },
	{ "zero clusters", "cluster_size=4k", "1M", "write -P 7 0 1M' -c 'write -z 64k 100k" },
	{ "zero clusters with a place", "cluster_size=4k,preallocation=metadata", "1M",
	  "write -z 64k 100k" },
	{ "discarded", "cluster_size=4k", "1M", "write -P 7 0 1M' -c 'discard 64k 100k" },
	{ "preallocated", "cluster_size=4k,preallocation=full", "1M", "write -P 7 64k 100k" },
	{ "compressed", "cluster_size=64k", "1M",
	  "write -c -P 9 0 64k' -c 'write -c -P 8 128k 128k" },
	{ "compressed, 512 byte clusters", "cluster_size=512", "1M", "write -c -P 9 0 64k" },
	{ "compressed, 2 MiB clusters", "cluster_size=2M", "4M", "write -c -P 9 0 2M" },
	{ "lazy counts", "lazy_refcounts=on,cluster_size=4k", "1M", "write -P 7 64k 100k" },
	{ "snapshots", "cluster_size=4k", "1M", "write -P 7 64k 100k" },
};

static struct fake_file *make(const struct variant *v)
{
	struct fake_file *ff = fake_file_new();

	lab_must(
		"qemu-img create -q -f qcow2 -o %s t.qcow2 %s && qemu-io -f qcow2 -c '%s' t.qcow2 && "
		"if [ '%s' = snapshots ]; then qemu-img snapshot -c one t.qcow2 && "
		"qemu-io -f qcow2 -c 'write -P 6 100k 100k' t.qcow2; fi && "
		"qemu-img convert -f qcow2 -O raw t.qcow2 t.raw",
		v->options, v->size, v->io, v->name);
	fake_file_load(ff, lab_path("t.qcow2"));
	return ff;
}

/* What we read is what qemu-img converts; then a workload, and qemu-img agrees with the outcome. */
static void use_image(const struct variant *v)
{
	struct fake_file *ff = make(v), *raw = fake_file_new();
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	fake_file_load(raw, lab_path("t.raw"));
	twin_begin(&t, d, 1);
	assert_int_equal(d->size, raw->file.size);
	assert_memory_equal(t.want, raw->data, d->size);
	for (unsigned int i = 0; i < 60; i++) {
		assert_int_equal(twin_step(&t), 0);
	}
	twin_check(&t);
	lab_close(d);
	d = lab_open(ff, "qcow2");
	t.d = d;
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, raw->file.size);
	twin_end(&t);
	fake_file_free(raw);
	fake_file_free(ff);
}

static void test_image_of_qemu(void **state)
{
	use_image(*state);
}

/* ---- images of ours ---- */

static const struct image_create_params creations[] = {
	{ .format = "qcow2", .size = SIZE },
	{ .format = "qcow2", .size = 512 },
	{ .format = "qcow2", .size = SIZE, .version = 2 },
	{ .format = "qcow2", .size = 3 * SIZE / 2 + 512, .cluster_size = 512 },
	{ .format = "qcow2", .size = SIZE, .cluster_size = 512, .refcount_bits = 64 },
	{ .format = "qcow2", .size = SIZE, .cluster_size = 4096, .refcount_bits = 1 },
	{ .format = "qcow2", .size = 3 * SIZE, .cluster_size = 2 * MIB },
	{ .format = "qcow2", .size = 1024 * GIB },
};

static void test_image_of_ours(void **state)
{
	const struct image_create_params *p = *state;
	struct fake_file *ff = lab_create(p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	assert_int_equal(d->size, p->size);
	lab_judge(ff, "qcow2", false);
	if (d->size > GIB) {
		assert_true(ff->file.size < MIB);
		lab_close(d);
		fake_file_free(ff);
		return;
	}
	twin_begin(&t, d, (uint32_t)(p - creations));
	for (unsigned int k = 0; k < 200; k++) {
		assert_int_equal(twin_step(&t), 0);
	}
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_compare(ff, "qcow2", t.want, p->size);
	twin_end(&t);
	fake_file_free(ff);
}

/* ---- growing the refcount table ---- */

/* An image whose table is one cluster, filled far beyond what that can count. */
static void test_table_grows(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct block_dev *d;
	struct twin t;

	(void)state;
	lab_must("qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=64 g.qcow2 4M");
	fake_file_load(ff, lab_path("g.qcow2"));
	d = lab_open(ff, "qcow2");
	twin_begin(&t, d, 5);
	for (uint64_t off = 0; off < d->size; off += 64 * KIB) {
		twin_write(&t, off, 64 * KIB, (uint8_t)(1 + off / KIB));
	}
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, 4 * MIB);
	twin_end(&t);
	fake_file_free(ff);
}

/* ---- backing files ---- */

struct backing {
	const char *name;
	const char *format; /* of the backing file */
	const char *options;
	const char *base_size;
};

static const struct backing backings[] = {
	{ "raw below", "raw", "cluster_size=4k", "1M" },
	{ "raw below, smaller, odd size", "raw", "cluster_size=4k", "333k" },
	{ "qcow2 below", "qcow2", "cluster_size=64k", "1M" },
	{ "qcow2 below, larger", "qcow2", "cluster_size=512", "2M" },
	{ "version 2 over qcow2", "qcow2", "compat=0.10,cluster_size=4k", "700k" },
};

static void use_backing(const struct backing *b)
{
	struct fake_file *base = fake_file_new(), *ff = fake_file_new(), *raw = fake_file_new();
	uint8_t *before;
	struct block_dev *d;
	struct twin t;

	lab_must(
		"rm -f base; qemu-img create -q -f %s base %s && qemu-io -f %s -c 'write -P 5 0 300k' base && "
		"qemu-img create -q -f qcow2 -b base -F %s -o %s top.qcow2 1M && "
		"qemu-io -f qcow2 -c 'write -P 6 50k 9k' top.qcow2 && "
		"qemu-img convert -f qcow2 -O raw top.qcow2 t.raw",
		b->format, b->base_size, b->format, b->format, b->options);
	fake_file_load(base, lab_path("base"));
	fake_file_load(ff, lab_path("top.qcow2"));
	fake_file_load(raw, lab_path("t.raw"));
	before = malloc(base->file.size);
	memcpy(before, base->data, base->file.size);
	lab_backing("base", base);
	d = lab_open(ff, "qcow2");
	twin_begin(&t, d, 3);
	assert_memory_equal(t.want, raw->data, d->size);
	for (unsigned int i = 0; i < 200; i++) {
		assert_int_equal(twin_step(&t), 0);
	}
	twin_check(&t);
	lab_close(d);
	assert_memory_equal(before, base->data, base->file.size);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, SIZE);
	lab_forget_backing();
	twin_end(&t);
	free(before);
	fake_file_free(raw);
	fake_file_free(base);
	fake_file_free(ff);
}

static void test_backing(void **state)
{
	use_backing(*state);
}

static void test_created_over_backing(void **state)
{
	static const struct image_backing bad[] = {
		{ "/etc/passwd", "raw" }, { "../base", "raw" }, { "a/../base", "raw" },
		{ "json:{}", "raw" },	  { "..", "raw" },	{ "nbd:x", "raw" },
	};
	struct image_backing base = { "base", "raw" };
	struct image_create_params p = { .format = "qcow2", .size = SIZE, .backing = &base };
	struct fake_file *below = fake_file_new(), *ff = lab_create(&p);
	struct block_dev *d;
	struct twin t;

	(void)state;
	lab_must("yes insula | head -c 1M >base");
	fake_file_load(below, lab_path("base"));
	lab_backing("base", below);
	d = lab_open(ff, "qcow2");
	twin_begin(&t, d, 1);
	assert_memory_equal(t.want, below->data, SIZE);
	twin_write(&t, 100 * KIB, 512, 9);
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, SIZE);
	twin_end(&t);
	lab_forget_backing();
	fake_file_free(ff);
	fake_file_free(below);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		p.backing = &bad[i];
		ff = fake_file_new();
		assert_int_equal(image_create(&ff->file, &p, &lab_why), -EINVAL);
		assert_int_equal(ff->writes, 0);
		fake_file_free(ff);
	}
}

/* ---- errors of the world ---- */

/* Every call in turn fails: errors are reported, nothing is lost that was flushed, nothing breaks. */
static void fail_at(unsigned int what, long when)
{
	struct image_create_params p = { .format = "qcow2", .size = SIZE, .cluster_size = 4096 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	twin_begin(&t, d, (uint32_t)when);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(twin_step(&t), 0);
	}
	assert_int_equal(block_flush(d), 0);
	*(what == 0   ? &ff->fail_read_in
	  : what == 1 ? &ff->fail_write_in
		      : &ff->fail_flush_in) = when;
	t.area = SIZE / 2; /* the other half must stay as it is */
	for (unsigned int i = 0; i < 20; i++) {
		int r = twin_step(&t);

		assert_true(r == 0 || r == -EIO);
	}
	ff->fail_read_in = ff->fail_write_in = ff->fail_flush_in = -1;
	assert_int_equal(block_read(d, 0, &(struct block_vec){ t.want, SIZE / 2 }, 1), 0);
	twin_check(&t);
	lab_close(d);
	if (when % 8 == 0) {
		lab_judge(ff, "qcow2", true);
		lab_compare(ff, "qcow2", t.want, SIZE);
	}
	twin_end(&t);
	fake_file_free(ff);
}

static void test_errors(void **state)
{
	(void)state;
	for (unsigned int what = 0; what < 3; what++) {
		for (long when = 0; when < (soak() ? 200 : 16); when++) {
			fail_at(what, when);
		}
	}
}

static void test_no_space(void **state)
{
	struct image_create_params p = { .format = "qcow2", .size = SIZE, .cluster_size = 4096 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct block_vec v = { calloc(1, SIZE), SIZE };

	(void)state;
	ff->limit = ff->file.size + 64 * KIB;
	memset(v.base, 1, SIZE);
	assert_int_equal(block_write(d, 0, &v, 1), -ENOSPC);
	assert_int_equal(block_flush(d), 0);
	ff->limit = UINT64_MAX;
	assert_int_equal(block_write(d, 0, &v, 1), 0);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	free(v.base);
	fake_file_free(ff);
}

static void test_no_memory(void **state)
{
	const struct variant *v = &variants[14];
	struct fake_file *ff = make(v);
	struct block_vec vec = { malloc(SIZE), SIZE };
	struct block_dev *d;

	(void)state;
	for (unsigned long n = 0; n < 4; n++) {
		fake_heap_limit = n;
		fake_page_limit = n == 3 ? 0 : ~0ul;
		if (lab_try_open(ff, "qcow2", false, &d) == 0) {
			fake_heap_limit = 0;
			assert_int_equal(block_read(d, 0, &vec, 1), -ENOMEM);
			fake_heap_limit = ~0ul;
			lab_close(d);
		}
	}
	fake_heap_limit = fake_page_limit = ~0ul;
	free(vec.base);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
	assert_int_equal(fake_page_live, 0);
}

/* ---- many at once ---- */

#define FIBERS 6

struct worker {
	struct twin t;
	unsigned int id;
	unsigned int errors;
};

/* Each owns every sixth sector, so that they meet in every cluster. */
static void work(void *arg)
{
	struct worker *w = arg;
	uint32_t seed = w->id + 77;

	for (unsigned int i = 0; i < 60; i++) {
		uint64_t s =
			fake_fiber_random(&seed) % (w->t.d->size / 1024 / FIBERS) * FIBERS + w->id;
		uint8_t *want = w->t.want + s * 512, got[512];
		struct block_vec v = { want, 512 }, back = { got, 512 };

		switch (fake_fiber_random(&seed) % 8) {
		case 0:
			w->errors += block_flush(w->t.d) != 0;
			break;
		case 1:
			w->errors += block_read(w->t.d, s * 512, &back, 1) != 0 ||
				     memcmp(got, want, 512) != 0;
			break;
		default:
			memset(want, (int)(fake_fiber_random(&seed) % 3 * (1 + i)), 512);
			w->errors += block_write(w->t.d, s * 512, &v, 1) != 0;
		}
	}
}

/* And one gives clusters back that nobody writes. */
static void give_back(void *arg)
{
	struct worker *w = arg;
	uint64_t start = w->t.d->size;
	uint32_t seed = 5;

	for (unsigned int i = 0; i < 40; i++) {
		uint64_t off = start / 2 + fake_fiber_random(&seed) % (start / 8192) * 4096;
		struct block_vec v = { w->t.want + off, 4096 };

		if (i % 2) {
			memset(v.base, 0, 4096);
			w->errors += block_write_zeroes(w->t.d, off, 4096, true) != 0;
		} else {
			memset(v.base, (int)i + 1, 4096);
			w->errors += block_write(w->t.d, off, &v, 1) != 0;
		}
	}
}

static void many_at_once(uint32_t seed, bool judged)
{
	struct image_create_params p = { .format = "qcow2",
					 .size = 256 * KIB,
					 .cluster_size = 4096 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct worker w[FIBERS + 1];
	struct twin t;

	twin_begin(&t, d, seed);
	for (unsigned int i = 0; i <= FIBERS; i++) {
		w[i] = (struct worker){ .t = t, .id = i };
		fake_fiber_add(i < FIBERS ? work : give_back, &w[i]);
	}
	assert_int_equal(fake_fiber_run(seed), 0);
	for (unsigned int i = 0; i <= FIBERS; i++) {
		assert_int_equal(w[i].errors, 0);
	}
	twin_check(&t);
	lab_close(d);
	if (judged) {
		lab_judge(ff, "qcow2", false);
		lab_compare(ff, "qcow2", t.want, p.size);
	}
	twin_end(&t);
	fake_file_free(ff);
}

static void test_many_at_once(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < (soak() ? 2000 : 30); seed++) {
		many_at_once(seed, seed % 16 == 0);
	}
}

/* More scattered places to give back than the list of them holds. */
static void test_many_discards(void **state)
{
	struct image_create_params p = { .format = "qcow2",
					 .size = 4 * SIZE,
					 .cluster_size = 4096 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	(void)state;
	twin_begin(&t, d, 1);
	twin_write(&t, 0, 4 * SIZE, 3);
	for (uint64_t off = 0; off < 4 * SIZE; off += 8192) {
		assert_int_equal(block_discard(d, off, 4096), 0);
		memset(t.want + off, 0, 4096);
	}
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	twin_end(&t);
	fake_file_free(ff);
}

/* Bits that stand for what only others keep up to date are cleared before the first write. */
static void test_autoclear(void **state)
{
	struct image_create_params p = { .format = "qcow2", .size = SIZE };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d;

	(void)state;
	ff->data[95] = 1;
	ff->writes = 0;
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	lab_close(d);
	assert_int_equal(ff->writes, 0);
	assert_int_equal(ff->data[95], 1);
	lab_close(lab_open(ff, "qcow2"));
	assert_int_equal(ff->data[95], 0);
	fake_file_free(ff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_grows),
		cmocka_unit_test(test_created_over_backing),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_backing_names),
		cmocka_unit_test(test_many_discards),
		cmocka_unit_test(test_autoclear),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_snapshots_of_qemu),
		cmocka_unit_test(test_snapshot_errors),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_lazy),
	};

	static struct lab_group g;

	for (unsigned int i = 0; i < ARRAY_SIZE(variants); i++) {
		lab_add(&g, test_image_of_qemu, &variants[i], "qcow2 of qemu-img: %s",
			variants[i].name);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(creations); i++) {
		lab_add(&g, test_image_of_ours, &creations[i], "qcow2 of ours: %u", i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(backings); i++) {
		lab_add(&g, test_backing, &backings[i], "qcow2 over another: %s", backings[i].name);
	}
	qcow2_damage_add(&g);
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(&g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
	return lab_group_run(&g);
}
