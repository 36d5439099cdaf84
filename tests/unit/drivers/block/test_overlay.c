/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes kept in RAM above a disk that nobody changes: content, the disk below, limits, exact charges, */
/* and many threads at once. Images of boot modules, too. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/fmt_raw.c drivers/block/memfile.c drivers/block/overlay.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/lab.h"
#include "drivers/block/memfile.h"
#include "drivers/block/overlay.h"
#include "fakes/fake_fiber.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE  (5 * MIB + 3 * BLOCK_SECTOR) /* three leaves, and a page that ends early */
#define LARGE GIB

static uint8_t module[SIZE], before[SIZE];
static unsigned long heap_live;

static int setup(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < SIZE; i++) {
		module[i] = (uint8_t)fake_fiber_random(&seed);
	}
	memcpy(before, module, SIZE);
	heap_live = fake_heap_live;
	fake_heap_limit = fake_page_limit = ~0ul;
	fake_page_free = GIB;
	return 0;
}

/* Nobody changed the module, and everything was given back. */
static int teardown(void **state)
{
	(void)state;
	assert_memory_equal(module, before, SIZE);
	assert_int_equal(fake_heap_live, heap_live);
	assert_int_equal(fake_page_live, 0);
	return 0;
}

static struct block_dev *open_base(void)
{
	struct image_open_params p = { .format = "raw", .readonly = true };
	struct block_dev *d;

	p.file = memfile_open(module, SIZE);
	assert_non_null(p.file);
	assert_int_equal(image_open(&p, &d, &lab_why), 0);
	assert_true(d->immediate && d->readonly);
	return d;
}

static struct block_dev *open_overlay(uint64_t limit)
{
	struct block_dev *d;

	assert_int_equal(overlay_open(open_base(), limit, &d), 0);
	assert_int_equal(d->size, SIZE);
	assert_true(d->immediate && !d->readonly);
	return d;
}

static int write_byte(struct block_dev *d, uint64_t off, uint64_t len, int byte)
{
	uint8_t *buf = malloc(len);
	struct block_vec v = { buf, len };
	int r;

	memset(buf, byte, len);
	r = block_write(d, off, &v, 1);
	free(buf);
	return r;
}

static uint8_t read_byte(struct block_dev *d, uint64_t off)
{
	uint8_t sector[BLOCK_SECTOR];
	struct block_vec v = { sector, sizeof(sector) };

	assert_int_equal(block_read(d, ALIGN_DOWN(off, (uint64_t)BLOCK_SECTOR), &v, 1), 0);
	return sector[off % BLOCK_SECTOR];
}

/* ---- content ---- */

static void test_module_is_read_only(void **state)
{
	struct block_dev *d = open_base();

	(void)state;
	assert_int_equal(write_byte(d, 0, 512, 1), -EROFS);
	for (uint64_t off = 0; off < SIZE; off += 4099) {
		assert_int_equal(read_byte(d, off), module[off]);
	}
	assert_int_equal(block_close(d), 0);
}

static void test_same_as_twin(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 6; seed++) {
		struct twin t;

		twin_begin(&t, open_overlay(LARGE), seed);
		assert_memory_equal(t.want, module, SIZE);
		t.area = seed % 2 ? 128 * KIB : 0; /* the same pages again and again, or all */
		for (unsigned int i = 0; i < 400; i++) {
			assert_int_equal(twin_step(&t), 0);
		}
		twin_check(&t);
		assert_int_equal(block_close(t.d), 0);
		twin_end(&t);
	}
}

/* Half a page keeps its other half, the page behind the disk's end as well. */
static void test_parts_of_pages(void **state)
{
	static const uint64_t at[] = { 0, 4096 - 512, 2 * MIB - 1024, SIZE - 512 };
	struct block_dev *d = open_overlay(LARGE);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(write_byte(d, at[i], 512, 0x77), 0);
	}
	for (uint64_t off = 0; off < SIZE; off += 128) {
		bool written = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
			written = written || (off >= at[i] && off < at[i] + 512);
		}
		assert_int_equal(read_byte(d, off), written ? 0x77 : module[off]);
	}
	assert_int_equal(block_close(d), 0);
}

/* Each piece of a scatter list gets its own bytes, whatever the pages' ends. */
static void test_scattered(void **state)
{
	static uint8_t buf[64 * KIB];
	struct block_dev *d = open_overlay(LARGE);
	struct block_vec v[40];
	uint64_t len = 0;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(v); i++) {
		v[i] = (struct block_vec){ buf + len, 512 * (1 + i % 5) };
		memset(v[i].base, (int)i + 1, v[i].len);
		len += v[i].len;
	}
	assert_int_equal(block_write(d, 3584, v, ARRAY_SIZE(v)), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(block_read(d, 3584, v, ARRAY_SIZE(v)), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(v); i++) {
		assert_int_equal(v[i].base[0], i + 1);
		assert_int_equal(v[i].base[v[i].len - 1], i + 1);
	}
	assert_int_equal(read_byte(d, 3583), module[3583]);
	assert_int_equal(read_byte(d, 3584 + len), module[3584 + len]);
	assert_int_equal(block_close(d), 0);
}

/* ---- charges ---- */

/* One page, and the two of its tree; the same page again costs nothing; giving it back frees it. */
static void test_charges(void **state)
{
	struct block_dev *d = open_overlay(LARGE);

	(void)state;
	assert_int_equal(overlay_used(d), 0);
	assert_int_equal(read_byte(d, 100), module[100]);
	assert_int_equal(overlay_used(d), 0);
	assert_int_equal(write_byte(d, 8192, 4096, 1), 0);
	assert_int_equal(overlay_used(d), 3 * PAGE_SIZE);
	assert_int_equal(write_byte(d, 8704, 512, 2), 0);
	assert_int_equal(overlay_used(d), 3 * PAGE_SIZE);
	assert_int_equal(fake_page_live, 3);
	assert_int_equal(block_discard(d, 0, SIZE), 0);
	assert_int_equal(overlay_used(d), 2 * PAGE_SIZE);
	assert_int_equal(read_byte(d, 8192), 0);
	assert_int_equal(read_byte(d, 4096), module[4096]); /* was never written */
	assert_int_equal(block_write_zeroes(d, 0, SIZE, true), 0);
	assert_int_equal(overlay_used(d),
			 5 * PAGE_SIZE); /* three leaves; the end is a page in part */
	assert_int_equal(read_byte(d, 4096), 0);
	assert_int_equal(read_byte(d, SIZE - 1), 0);
	assert_int_equal(block_close(d), 0);
}

/* A write that needs more than there is fails, and leaves everything readable. */
static void test_limit(void **state)
{
	struct block_dev *d = open_overlay(4 * PAGE_SIZE);

	(void)state;
	assert_int_equal(write_byte(d, 0, 8192, 1), 0);
	assert_int_equal(write_byte(d, 8192, 512, 2), -ENOSPC);
	assert_int_equal(write_byte(d, 8192, 4096, 2), -ENOSPC);
	assert_int_equal(write_byte(d, 3 * MIB, 4096, 2), -ENOSPC);
	assert_int_equal(write_byte(d, 4096, 4096, 3), 0);
	assert_int_equal(read_byte(d, 0), 1);
	assert_int_equal(read_byte(d, 4096), 3);
	assert_int_equal(read_byte(d, 8192), module[8192]);
	assert_int_equal(overlay_used(d), 4 * PAGE_SIZE);
	assert_int_equal(block_discard(d, 0, 4096), 0);
	assert_int_equal(write_byte(d, 8192, 4096, 4), 0);
	assert_int_equal(read_byte(d, 8192), 4);
	assert_int_equal(block_close(d), 0);
}

/* Others need memory, too: the last of the host's is not for writes of one VM. */
static void test_host_without_memory(void **state)
{
	struct block_dev *d = open_overlay(LARGE);

	(void)state;
	fake_page_free = 16 * MIB - 1;
	assert_int_equal(write_byte(d, 0, 512, 1), -ENOSPC);
	fake_page_free = GIB;
	for (unsigned int i = 0; i < 3; i++) { /* no branch; no leaf; no page */
		fake_page_limit = i > 0;
		assert_int_equal(write_byte(d, 0, 512, 1), -ENOSPC);
	}
	fake_page_limit = ~0ul;
	assert_int_equal(read_byte(d, 0), module[0]);
	assert_int_equal(write_byte(d, 0, 512, 1), 0);
	assert_int_equal(block_close(d), 0);
	fake_heap_limit = 0;
	assert_null(memfile_open(module, SIZE));
	fake_heap_limit = ~0ul;
}

static void test_too_large(void **state)
{
	struct block_dev base = { .size = 128ul * KIB * GIB + 512 }, *d;

	(void)state;
	assert_int_equal(overlay_open(&base, LARGE, &d), -E2BIG);
	base.size -= 512;
	fake_heap_limit = 0;
	assert_int_equal(overlay_open(&base, LARGE, &d), -ENOMEM);
	fake_heap_limit = ~0ul;
}

/* An error of the disk below is the caller's, for reads and for parts of pages; nothing is kept. */
static void test_errors_below(void **state)
{
	struct fake_file *ff = fake_file_new();
	struct block_dev *base, *d;

	(void)state;
	fake_file_resize(ff, MIB);
	assert_int_equal(lab_try_open(ff, "raw", true, &base), 0);
	assert_int_equal(overlay_open(base, LARGE, &d), 0);
	ff->fail_read_in = 0;
	assert_int_equal(write_byte(d, 512, 512, 1), -EIO);
	assert_int_equal(overlay_used(d), 2 * PAGE_SIZE);  /* the tree */
	assert_int_equal(write_byte(d, 4096, 4096, 1), 0); /* needs nothing of what is below */
	assert_int_equal(read_byte(d, 0), 0);
	assert_int_equal(read_byte(d, 4096), 1);
	assert_int_equal(ff->writes, 0);
	assert_int_equal(block_close(d), 0);
	fake_file_free(ff);
}

/* ---- many at once ---- */

#define SECTORS 64u /* eight pages that all fight for */

struct job {
	struct block_dev *d;
	unsigned int id;
	uint32_t seed;
	bool bad;
};

/* Each writes its own sectors of every page only, and must always find there what it wrote last. */
static void fight(void *arg)
{
	struct job *j = arg;
	uint8_t last[SECTORS] = { 0 }, sector[BLOCK_SECTOR];
	struct block_vec v = { sector, sizeof(sector) };

	for (unsigned int i = 0; i < 200; i++) {
		uint32_t s = fake_fiber_random(&j->seed) % (SECTORS / 8) * 8 + j->id;
		uint64_t off = (uint64_t)s * BLOCK_SECTOR;

		if (fake_fiber_random(&j->seed) % 2) {
			last[s] = (uint8_t)(1 + i % 255);
			memset(sector, last[s], sizeof(sector));
			j->bad = j->bad || block_write(j->d, off, &v, 1);
		} else {
			j->bad = j->bad || block_read(j->d, off, &v, 1);
			j->bad = j->bad || sector[0] != (last[s] ? last[s] : (uint8_t)(off >> 9));
			j->bad = j->bad || sector[511] != sector[0];
		}
	}
}

static void test_threads(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 50; seed++) {
		struct fake_file *ff = fake_file_new();
		struct job jobs[8];
		struct block_dev *base, *d;

		fake_file_resize(ff, MIB);
		for (size_t i = 0; i < MIB; i++) {
			ff->data[i] = (uint8_t)(i >> 9);
		}
		assert_int_equal(lab_try_open(ff, "raw", true, &base), 0);
		assert_int_equal(overlay_open(base, LARGE, &d), 0);
		for (unsigned int i = 0; i < 8; i++) {
			jobs[i] = (struct job){ .d = d, .id = i, .seed = seed * 8 + i };
			fake_fiber_add(fight, &jobs[i]);
		}
		assert_int_equal(fake_fiber_run(seed), 0);
		for (unsigned int i = 0; i < 8; i++) {
			assert_false(jobs[i].bad);
		}
		assert_true(overlay_used(d) <= 10 * PAGE_SIZE);
		assert_int_equal(block_close(d), 0);
		fake_file_free(ff);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_module_is_read_only),
		TEST(test_same_as_twin),
		TEST(test_parts_of_pages),
		TEST(test_scattered),
		TEST(test_charges),
		TEST(test_limit),
		TEST(test_host_without_memory),
		TEST(test_too_large),
		TEST(test_errors_below),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
