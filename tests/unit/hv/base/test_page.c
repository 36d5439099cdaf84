/* SPDX-License-Identifier: BSD-2-Clause */
/* Host memory: what is never handed out, alignment, zeroing, accounting to the byte, exhaustion. */
/* Random allocations are compared with a map of who owns which page. */
/* TEST_SOURCES: hv/base/page.c hv/base/lock.c tests/unit/fakes/fake_paging.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
#include "hv/base/page.h"

#include "arch/paging.h"
#include "boot/boot_info.h"
#include "tests/unit/fakes/fake_paging.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_START 0x200000ul
#define IMAGE_END   0x310000ul
#define MODULE	    0x1234567ul
#define MODULE_SIZE 0x300000ul

static struct boot_info info;

static void fill_info(void)
{
	info = (struct boot_info){
		.image_start = { IMAGE_START },
		.image_end = { IMAGE_END },
		.mem_count = 3,
		.mem = { { { 0 }, 0x9fc00, BOOT_MEM_RAM },
			 { { 0xf0000 }, 0x10000, BOOT_MEM_RESERVED },
			 { { MIB }, FAKE_RAM - MIB, BOOT_MEM_RAM } },
		.module_count = 1,
		.modules = { { { MODULE }, MODULE_SIZE, "m" } },
	};
}

static void check_sums(void)
{
	struct page_stats s;

	page_stats(&s);
	assert_int_equal(s.total, s.image + s.hypervisor + s.guest + s.free);
	assert_int_equal(s.total, 0x9fc00 + FAKE_RAM - MIB);
	for (unsigned int u = 0; u < PAGE_USES; u++) {
		assert_true(s.use[u] <= s.hypervisor);
		s.hypervisor -= s.use[u];
	}
	assert_int_equal(s.hypervisor, 0);
}

static int setup(void **state)
{
	(void)state;
	fake_paging_reset();
	fill_info();
	page_init(&info);
	return 0;
}

static bool overlaps(uint64_t a, uint64_t size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + size;
}

static void assert_allowed(uint64_t hpa, uint64_t size)
{
	assert_true(hpa + size <= FAKE_RAM);
	assert_false(overlaps(hpa, size, 0, MIB));
	assert_false(overlaps(hpa, size, IMAGE_START, IMAGE_END - IMAGE_START));
	assert_false(overlaps(hpa, size, MODULE, MODULE_SIZE));
}

static bool all_zero(const char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

#define LIVE 300u

static struct {
	char *p;
	unsigned int order;
} live[LIVE];

static void free_slot(unsigned int i)
{
	memset(live[i].p, 0x55, PAGE_SIZE << live[i].order);
	page_free(live[i].p, live[i].order);
	live[i].p = NULL;
}

static void assert_disjoint(unsigned int i)
{
	for (unsigned int j = 0; j < LIVE; j++) {
		assert_false(j != i && live[j].p != NULL &&
			     overlaps((uint64_t)live[i].p, PAGE_SIZE << live[i].order,
				      (uint64_t)live[j].p, PAGE_SIZE << live[j].order));
	}
}

static void random_pages_are_ours_alone(void **state)
{
	struct page_stats before, after;

	(void)state;
	page_stats(&before);
	srandom(11);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = (unsigned int)random() % LIVE;

		if (live[i].p != NULL) {
			free_slot(i);
			continue;
		}
		live[i].order = (unsigned int)random() % 20 == 0 ? (unsigned int)random() % 10
								 : (unsigned int)random() % 3;
		live[i].p = page_alloc(live[i].order);
		if (live[i].p == NULL) {
			continue; /* memory is out for a while */
		}
		assert_int_equal(paging_hpa(live[i].p).v % (PAGE_SIZE << live[i].order), 0);
		assert_allowed(paging_hpa(live[i].p).v, PAGE_SIZE << live[i].order);
		assert_true(all_zero(live[i].p, PAGE_SIZE << live[i].order));
		assert_disjoint(i);
		check_sums();
	}
	for (unsigned int i = 0; i < LIVE; i++) {
		if (live[i].p != NULL) {
			free_slot(i);
		}
	}
	page_stats(&after);
	assert_int_equal(before.free, after.free);
	assert_int_equal(before.hypervisor, after.hypervisor);
}

static void guest_chunks_are_whole_and_accounted(void **state)
{
	struct page_stats before, with, after;
	unsigned int got;
	hpa_t base;

	(void)state;
	page_stats(&before);
	got = page_alloc_chunks(5, &base);
	assert_int_equal(got, 5);
	assert_int_equal(base.v % PAGE_CHUNK_SIZE, 0);
	assert_allowed(base.v, 5 * PAGE_CHUNK_SIZE);
	page_stats(&with);
	assert_int_equal(with.guest, before.guest + 5 * PAGE_CHUNK_SIZE);
	check_sums();
	page_free_chunks(base, 5);
	page_stats(&after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void chunks_run_out_cleanly(void **state)
{
	struct {
		hpa_t base;
		unsigned int count;
	} runs[64];
	unsigned int n = 0;
	hpa_t base;

	(void)state;
	while (n < 64 && (runs[n].count = page_alloc_chunks(3, &runs[n].base)) > 0) {
		for (unsigned int i = 0; i < n; i++) {
			assert_false(overlaps(runs[i].base.v, runs[i].count * PAGE_CHUNK_SIZE,
					      runs[n].base.v, runs[n].count * PAGE_CHUNK_SIZE));
		}
		n++;
	}
	assert_true(n > 5);
	assert_int_equal(page_alloc_chunks(1, &base), 0);
	while (page_alloc_table() != NULL) {
	}
	assert_null(page_alloc(0));
	check_sums();
	while (n-- > 0) {
		page_free_chunks(runs[n].base, runs[n].count);
	}
	assert_non_null(page_alloc(0));
}

/* The hypervisor's pages always leave some for page tables; a failed mapping leaks nothing. */
static void growing_can_fail(void **state)
{
	struct page_stats before, after;
	void *p, *last = NULL;

	(void)state;
	fake_paging_fail = true;
	page_stats(&before);
	while ((p = page_alloc(0)) != NULL) {
		*(void **)p = last;
		last = p;
	}
	assert_non_null(page_alloc_table());
	while (last != NULL) {
		p = *(void **)last;
		page_free(last, 0);
		last = p;
	}
	page_stats(&after);
	assert_int_equal(after.free, before.free - PAGE_SIZE);
	check_sums();
}

/* What VMs can get is whole chunks: it is given out to the last one. */
static void all_that_is_for_guests_can_be_had(void **state)
{
	struct page_stats s;
	uint64_t got = 0;
	hpa_t base;

	(void)state;
	assert_non_null(page_alloc(0));
	page_stats(&s);
	assert_true(s.for_guests <= s.free);
	while (got < s.for_guests) {
		unsigned int n = page_alloc_chunks(1, &base);

		assert_int_equal(n, 1);
		got += PAGE_CHUNK_SIZE;
	}
	assert_int_equal(page_alloc_chunks(1, &base), 0);
	page_stats(&s);
	assert_int_equal(s.for_guests, 0);
	check_sums();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_pages_are_ours_alone, setup),
		cmocka_unit_test_setup(guest_chunks_are_whole_and_accounted, setup),
		cmocka_unit_test_setup(chunks_run_out_cleanly, setup),
		cmocka_unit_test_setup(growing_can_fail, setup),
		cmocka_unit_test_setup(all_that_is_for_guests_can_be_had, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
