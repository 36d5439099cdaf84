/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's snapshots and check: what one side makes the other lists, reads, removes and finds right; */
/* errors in the middle leave the old state or the new one. */
#include "drivers/block/lab.h"
#include "drivers/block/qcow2_tests.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DISK (1ul * MIB)

static void steps(struct twin *t, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(twin_step(t), 0);
	}
}

static void make_and_use(uint32_t cluster_size, uint32_t refcount_bits)
{
	struct image_create_params p = { .format = "qcow2",
					 .size = DISK,
					 .cluster_size = cluster_size,
					 .refcount_bits = refcount_bits };
	struct fake_file *ff = lab_create(&p), *one = fake_file_new();
	struct block_dev *d = lab_open(ff, "qcow2");
	struct image_snapshot s;
	uint8_t *then = malloc(DISK);
	struct twin t;

	twin_begin(&t, d, cluster_size);
	steps(&t, 60);
	assert_int_equal(image_snapshot_create(d, "one", 1000000000), 0);
	assert_int_equal(image_snapshot_create(d, "one", 0), -EEXIST);
	assert_int_equal(image_snapshot_create(d, "", 0), -EINVAL);
	memcpy(then, t.want, DISK);
	steps(&t, 60);
	assert_int_equal(image_snapshot_create(d, "two with a long name", 5), 0);
	steps(&t, 60);
	twin_check(&t);
	assert_int_equal(image_snapshot_list(d, 0, &s), 0);
	assert_string_equal(s.name, "one");
	assert_string_equal(s.id, "1");
	assert_int_equal(s.seconds, 1000000000);
	assert_int_equal(s.disk_size, DISK);
	assert_int_equal(image_snapshot_list(d, 1, &s), 0);
	assert_string_equal(s.name, "two with a long name");
	assert_string_equal(s.id, "2");
	assert_int_equal(image_snapshot_list(d, 2, &s), -ENOENT);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, DISK);
	lab_must("qemu-img snapshot -l compared | grep -q 'two with a long name' && "
		 "qemu-img convert -f qcow2 -l snapshot.name=one -O raw compared one");
	fake_file_load(one, lab_path("one"));
	assert_memory_equal(one->data, then, DISK);

	d = lab_open(ff, "qcow2");
	t.d = d;
	twin_check(&t);
	assert_int_equal(image_snapshot_remove(d, "three"), -ENOENT);
	assert_int_equal(image_snapshot_restore(d, "three"), -ENOENT);
	assert_int_equal(image_snapshot_remove(d, "two with a long name"), 0);
	twin_check(&t);
	steps(&t, 30);
	assert_int_equal(image_snapshot_restore(d, "one"), 0);
	memcpy(t.want, then, DISK);
	twin_check(&t);
	steps(&t, 30);
	assert_int_equal(image_snapshot_remove(d, "one"), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), -ENOENT);
	twin_check(&t);
	steps(&t, 30);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, DISK);
	twin_end(&t);
	free(then);
	fake_file_free(one);
	fake_file_free(ff);
}

void test_snapshots(void **state)
{
	struct image_create_params p = { .format = "qcow2", .size = DISK, .refcount_bits = 1 };
	struct fake_file *ff = lab_create(&p);
	struct block_dev *d = lab_open(ff, "qcow2");
	struct twin t;

	(void)state;
	make_and_use(4096, 16);
	make_and_use(512, 64);
	make_and_use(65536, 2);
	/* A count of two does not fit one bit. */
	twin_begin(&t, d, 1);
	twin_write(&t, 0, 512, 1);
	assert_int_equal(image_snapshot_create(d, "x", 0), -ENOSPC);
	twin_check(&t);
	twin_end(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	fake_file_free(ff);
}

void test_snapshots_of_qemu(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct image_snapshot s;
	struct block_dev *d;
	struct twin t;

	(void)state;
	lab_must("qemu-img create -q -f qcow2 -o cluster_size=4k s 1M && "
		 "qemu-io -f qcow2 -c 'write -P 1 0 300k' s && qemu-img snapshot -c a s && "
		 "qemu-io -f qcow2 -c 'write -P 2 100k 300k' s && qemu-img snapshot -c b s && "
		 "qemu-io -f qcow2 -c 'write -P 3 200k 300k' s && "
		 "qemu-io -f qcow2 -c 'write -c -P 3 512k 64k' s");
	fake_file_load(ff, lab_path("s"));
	lab_check(ff, "qcow2");
	d = lab_open(ff, "qcow2");
	twin_begin(&t, d, 7);
	steps(&t, 60);
	assert_int_equal(image_snapshot_remove(d, "a"), 0);
	assert_int_equal(image_snapshot_list(d, 0, &s), 0);
	assert_string_equal(s.name, "b");
	steps(&t, 60);
	assert_int_equal(image_snapshot_create(d, "c", 0), 0);
	steps(&t, 60);
	twin_check(&t);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	lab_compare(ff, "qcow2", t.want, DISK);
	/* And back. */
	lab_must("qemu-img snapshot -a c compared && qemu-img snapshot -d b compared && "
		 "qemu-io -f qcow2 -c 'write -P 9 0 1M' compared");
	fake_file_load(ff, lab_path("compared"));
	lab_check(ff, "qcow2");
	t.d = d = lab_open(ff, "qcow2");
	memset(t.want, 9, DISK);
	twin_check(&t);
	lab_close(d);
	twin_end(&t);
	fake_file_free(ff);
}

/* ---- in the middle of it ---- */

void test_snapshot_errors(void **state)
{
	struct image_create_params p = { .format = "qcow2", .size = DISK, .cluster_size = 4096 };

	(void)state;
	for (long when = 0; when < (getenv("INSULA_SOAK") ? 600 : 60); when++) {
		struct fake_file *ff = lab_create(&p);
		struct block_dev *d = lab_open(ff, "qcow2");
		struct twin t;
		int r;

		twin_begin(&t, d, 9);
		steps(&t, 15);
		assert_int_equal(block_flush(d), 0);
		*(when % 3 ? &ff->fail_write_in : &ff->fail_read_in) = when / 3;
		r = image_snapshot_create(d, "x", 0);
		assert_true(r == 0 || r == -EIO);
		ff->fail_write_in = ff->fail_read_in = -1;
		steps(&t, 15);
		twin_check(&t);
		lab_close(d);
		if (when % 30 == 0) {
			lab_judge(ff, "qcow2", true);
		}
		twin_end(&t);
		fake_file_free(ff);
	}
}

/* ---- check ---- */

struct wrong {
	const char *name;
	uint64_t off;
	unsigned int size;
	uint64_t val;
	uint64_t leaks, corruptions;
};

#define CLUSTER 4096ul
static const struct wrong wrongs[] = {
	/* cluster 5 and 6 hold data, 7 is free and in the file */
	{ "nothing", 2 * CLUSTER, 2, 1, 0, 0 },
	{ "a leak", 2 * CLUSTER + 14, 2, 1, 1, 0 },
	{ "data counts as free", 2 * CLUSTER + 10, 2, 0, 0, 2 }, /* and so its flag is wrong */
	{ "data counted twice", 2 * CLUSTER + 10, 2, 2, 1, 1 },
	{ "L2 counts as free", 2 * CLUSTER + 8, 2, 0, 0, 2 },
	{ "header counts as free", 2 * CLUSTER, 2, 0, 0, 1 },
	{ "one cluster for two places", 4 * CLUSTER + 8, 8, 1ul << 63 | 5 * CLUSTER, 1, 1 },
	{ "flag of L2 missing", 4 * CLUSTER, 8, 5 * CLUSTER, 0, 1 },
	{ "flag of L1 missing", 3 * CLUSTER, 8, 4 * CLUSTER, 0, 1 },
	{ "data past the end", 4 * CLUSTER, 8, 1ul << 63 | 1ul << 30, 1, 2 },
	{ "unaligned data", 4 * CLUSTER, 8, 1ul << 63 | (5 * CLUSTER + 512), 1, 1 },
	{ "unaligned L2", 3 * CLUSTER, 8, 1ul << 63 | (4 * CLUSTER + 512), 3, 1 },
};

void test_check(void **state)
{
	struct image_create_params p = { .format = "qcow2", .size = DISK, .cluster_size = CLUSTER };
	struct fake_file *good = lab_create(&p), *ff = fake_file_new();
	struct block_dev *d = lab_open(good, "qcow2");
	struct image_check c;
	struct twin t;

	(void)state;
	twin_begin(&t, d, 1);
	twin_write(&t, 0, 2 * CLUSTER, 7);
	lab_close(d);
	fake_file_resize(good, 8 * CLUSTER);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrongs); i++) {
		const struct wrong *w = &wrongs[i];

		fake_file_copy(ff, good);
		for (unsigned int b = 0; b < w->size; b++) {
			ff->data[w->off + b] = (uint8_t)(w->val >> 8 * (w->size - 1 - b));
		}
		d = lab_open(ff, "qcow2");
		assert_int_equal(image_check(d, false, NULL, &c), 0);
		if (c.leaks != w->leaks || c.corruptions != w->corruptions) {
			fail_msg("%s: %lu leaks, %lu corruptions: %s", w->name, c.leaks,
				 c.corruptions, c.first.text);
		}
		fake_file_save(ff, lab_path("w"));
		assert_int_equal(lab_run(false, "qemu-img check w") >> 8, c.corruptions ? 2
									  : c.leaks	? 3
											: 0);
		assert_int_equal(image_check(d, true, NULL, &c), 0);
		assert_int_equal(c.fixed, c.leaks + c.corruptions);
		lab_close(d);
		lab_judge(ff, "qcow2", false);
		lab_check(ff, "qcow2");
	}
	twin_end(&t);
	fake_file_free(ff);
	fake_file_free(good);
}

/* Lazy counts: whatever they say after a crash, they are true once we have opened the image. */
void test_lazy(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct block_dev *d;
	struct twin t;

	(void)state;
	lab_must("qemu-img create -q -f qcow2 -o cluster_size=4k,lazy_refcounts=on z 1M && "
		 "qemu-io -f qcow2 -c 'write -P 1 0 300k' z && "
		 "{ qemu-io -f qcow2 -c 'write -P 2 400k 300k' -c 'sigraise 9' z; true; } && "
		 "! qemu-img check -q z");
	fake_file_load(ff, lab_path("z"));
	assert_int_equal(lab_try_open(ff, "qcow2", true, &d), 0);
	lab_close(d);
	assert_int_equal(ff->writes, 0);
	d = lab_open(ff, "qcow2");
	twin_begin(&t, d, 1);
	assert_int_equal(t.want[0], 1);
	assert_int_equal(t.want[500 * KIB], 2);
	steps(&t, 30);
	lab_close(d);
	lab_judge(ff, "qcow2", false);
	lab_check(ff, "qcow2");
	twin_end(&t);
	fake_file_free(ff);
}
