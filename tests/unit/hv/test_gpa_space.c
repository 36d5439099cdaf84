/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: rounding, the hole below 4 GiB, extents of scattered chunks, scrubbing, what is RAM. */
/* Sizes above the fake memory are tested on a space that is only described. */
/* TEST_SOURCES: hv/gpa_space.c hv/gpa_balloon.c hv/guest_mem.c hv/base/page.c hv/base/lock.c tests/unit/fakes/fake_paging.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
#include "hv/gpa_space.h"

#include "boot/boot_info.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/guest_mem.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "tests/unit/fakes/fake_paging.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct boot_info info = {
	.mem_count = 1,
	.mem = { { { 2 * MIB }, FAKE_RAM - 2 * MIB, BOOT_MEM_RAM } },
};

static unsigned int checkpoints;

void thread_checkpoint(void)
{
	checkpoints++;
}

void *heap_alloc(size_t size)
{
	return calloc(1, size);
}

void heap_free(void *p)
{
	free(p);
}

static int space_error;

int paging_space_create(struct paging_space *s)
{
	s->root.v = PAGE_SIZE;
	return space_error;
}

void paging_space_destroy(struct paging_space *s)
{
	s->root.v = 0;
}

int paging_space_map(struct paging_space *s, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	(void)s;
	assert_int_equal((gpa.v | hpa.v | size) % (2 * MIB), 0);
	return 0;
}

void *paging_window(hpa_t hpa)
{
	assert_int_equal(hpa.v % (2 * MIB), 0);
	return paging_direct(hpa);
}

void paging_window_close(void)
{
}

bool vm_memory_bring(struct vm *vm, gpa_t gpa, uint64_t len)
{
	(void)vm;
	(void)gpa;
	(void)len;
	return true;
}

int paging_space_make_sink(struct paging_space *s)
{
	(void)s;
	return 0;
}

int paging_space_unmap(struct paging_space *s, gpa_t gpa)
{
	(void)s;
	(void)gpa;
	return 0;
}

bool paging_space_is_clean(const struct paging_space *s, uint64_t generation)
{
	(void)s;
	(void)generation;
	return true;
}

static int setup(void **state)
{
	(void)state;
	fake_paging_reset();
	page_init(&info);
	return 0;
}

static void sizes_are_rounded_and_memory_comes_back(void **state)
{
	struct page_stats before, after;
	struct gpa_space s;

	(void)state;
	page_stats(&before);
	assert_int_equal(gpa_space_create(&s, 5 * MIB + 1), 0);
	assert_int_equal(s.size, 6 * MIB);
	assert_int_equal(s.low_size, 6 * MIB);
	gpa_space_destroy(&s);
	page_stats(&after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* Old content (0xaa in the fake memory) never shows, and the work is cut into slices. */
static void ram_starts_as_zeroes(void **state)
{
	struct gpa_space s;
	const char *ram;

	(void)state;
	checkpoints = 0;
	assert_int_equal(gpa_space_create(&s, 8 * MIB), 0);
	for (unsigned int i = 0; i < s.count; i++) {
		ram = paging_direct(s.extents[i].hpa);
		assert_int_equal(ram[0], 0);
		assert_memory_equal(ram, ram + 1, s.extents[i].size - 1);
	}
	assert_true(checkpoints >= 8 * MIB / (64 * KIB));
	gpa_space_destroy(&s);
}

static void scattered_chunks_become_extents(void **state)
{
	hpa_t chunk[16];
	struct gpa_space s;
	uint64_t next = 0;

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(page_alloc_chunks(1, &chunk[i]), 1);
	}
	for (unsigned int i = 0; i < 16; i += 2) { /* every other one stays taken */
		page_free_chunks(chunk[i], 1);
	}
	assert_int_equal(gpa_space_create(&s, 40 * MIB), 0);
	for (unsigned int i = 0; i < s.count; i++) {
		assert_int_equal(s.extents[i].gpa.v, next);
		next += s.extents[i].size;
	}
	assert_true(s.count > 4);
	assert_int_equal(next, 40 * MIB);
	gpa_space_destroy(&s);
}

static void too_much_leaves_nothing_allocated(void **state)
{
	struct page_stats before, after;
	struct gpa_space s;

	(void)state;
	page_stats(&before);
	assert_int_equal(gpa_space_create(&s, FAKE_RAM), -ENOSPC);
	page_stats(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	space_error = -ENOMEM;
	assert_int_equal(gpa_space_create(&s, 2 * MIB), -ENOMEM);
	space_error = 0;
}

static void what_is_ram(void **state)
{
	const struct gpa_space small = { .size = 16 * MIB, .low_size = 16 * MIB };
	const struct gpa_space big = { .size = 4 * GIB, .low_size = GPA_LOW_RAM_MAX };
	const struct {
		const struct gpa_space *s;
		uint64_t gpa, len;
		bool ram;
	} rows[] = {
		{ &small, 0, 1, true },
		{ &small, 0x9ffff, 1, true },
		{ &small, 0x9ffff, 2, false },
		{ &small, 0xa0000, 1, false },
		{ &small, 0xbffff, 2, false },
		{ &small, 0xc0000, 1, true },
		{ &small, 0, 16 * MIB, false },
		{ &small, MIB, 15 * MIB, true },
		{ &small, MIB, 15 * MIB + 1, false },
		{ &small, 16 * MIB, 1, false },
		{ &small, UINT64_MAX, 1, false },
		{ &small, UINT64_MAX, 2, false },
		{ &small, MIB, UINT64_MAX, false },
		{ &small, GPA_HIGH_RAM, 1, false },
		{ &big, GPA_LOW_RAM_MAX - 1, 1, true },
		{ &big, GPA_LOW_RAM_MAX - 1, 2, false },
		{ &big, GPA_LOW_RAM_MAX, 1, false },
		{ &big, GPA_HIGH_RAM, GIB, true },
		{ &big, GPA_HIGH_RAM, GIB + 1, false },
		{ &big, GPA_HIGH_RAM - 1, 2, false },
		{ &big, GPA_HIGH_RAM + GIB, 0, true },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(gpa_space_is_ram(rows[i].s, (gpa_t){ rows[i].gpa }, rows[i].len),
				 rows[i].ram);
	}
}

/* A loader's copy crosses extents and slices; outside of RAM nothing is written at all. */
static void loading_crosses_extents(void **state)
{
	static struct vm vm;
	static char image[5 * MIB];
	const size_t at = MIB + 123;

	(void)state;
	for (size_t i = 0; i < sizeof(image); i++) {
		image[i] = (char)(i * 7 + i / 4096);
	}
	assert_int_equal(gpa_space_create(&vm.mem, 8 * MIB), 0);
	assert_int_equal(guest_mem_load(&vm, (gpa_t){ at }, image, sizeof(image)), 0);
	for (unsigned int i = 0; i < vm.mem.count; i++) {
		const struct gpa_extent *e = &vm.mem.extents[i];
		const char *ram = paging_direct(e->hpa);

		for (uint64_t b = 0; b < e->size; b++) {
			uint64_t gpa = e->gpa.v + b;

			assert_int_equal(ram[b], gpa >= at && gpa < at + sizeof(image)
							 ? image[gpa - at]
							 : 0);
		}
	}
	assert_int_equal(guest_mem_load(&vm, (gpa_t){ 4 * MIB }, image, sizeof(image)), -EFAULT);
	assert_int_equal(guest_mem_load(&vm, (gpa_t){ 0x9fff0 }, image, 32), -EFAULT);
	gpa_space_destroy(&vm.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes_are_rounded_and_memory_comes_back, setup),
		cmocka_unit_test_setup(ram_starts_as_zeroes, setup),
		cmocka_unit_test_setup(scattered_chunks_become_extents, setup),
		cmocka_unit_test_setup(too_much_leaves_nothing_allocated, setup),
		cmocka_unit_test_setup(what_is_ram, setup),
		cmocka_unit_test_setup(loading_crosses_extents, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
