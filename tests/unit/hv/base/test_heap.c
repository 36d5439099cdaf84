/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of every size: aligned, zeroed, apart from each other, given back to the page. */
/* The pages under them are real, of the fake memory. */
/* TEST_SOURCES: hv/base/heap.c hv/base/page.c hv/base/lock.c tests/unit/fakes/fake_paging.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
#include "hv/base/heap.h"

#include "boot/boot_info.h"
#include "hv/base/page.h"
#include "tests/unit/fakes/fake_paging.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define LIVE 400u

static const struct boot_info info = {
	.mem_count = 1,
	.mem = { { { 2 * MIB }, FAKE_RAM - 2 * MIB, BOOT_MEM_RAM } },
};

static struct {
	unsigned char *p;
	size_t size;
} live[LIVE];

static int setup(void **state)
{
	(void)state;
	fake_paging_reset();
	page_init(&info);
	return 0;
}

static void check_and_free(unsigned int i)
{
	for (size_t b = 0; b < live[i].size; b++) {
		assert_int_equal(live[i].p[b], (unsigned char)i);
	}
	heap_free(live[i].p);
	live[i].p = NULL;
}

static void random_objects_keep_their_content(void **state)
{
	struct page_stats before, after;

	(void)state;
	page_stats(&before);
	srandom(5);
	for (unsigned int step = 0; step < 30000; step++) {
		unsigned int i = (unsigned int)random() % LIVE;

		if (live[i].p != NULL) {
			check_and_free(i);
			continue;
		}
		live[i].size = (size_t)random() % (random() % 8 == 0 ? 30000 : 700);
		live[i].p = heap_alloc(live[i].size);
		assert_non_null(live[i].p);
		assert_int_equal((uintptr_t)live[i].p % 16, 0);
		for (size_t b = 0; b < live[i].size; b++) {
			assert_int_equal(live[i].p[b], 0);
		}
		memset(live[i].p, (int)i, live[i].size);
	}
	for (unsigned int i = 0; i < LIVE; i++) {
		if (live[i].p != NULL) {
			check_and_free(i);
		}
	}
	page_stats(&after);
	assert_int_equal(before.free, after.free);
}

static void out_of_memory_is_null(void **state)
{
	void *p, *last = NULL;

	(void)state;
	while ((p = heap_alloc(100000)) != NULL) {
		*(void **)p = last;
		last = p;
	}
	assert_null(heap_alloc(4 * MIB));
	while (last != NULL) {
		p = *(void **)last;
		heap_free(last);
		last = p;
	}
	heap_free(NULL);
}

static void strings_are_copied(void **state)
{
	char *s = heap_strdup("insula");

	(void)state;
	assert_string_equal(s, "insula");
	heap_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_objects_keep_their_content, setup),
		cmocka_unit_test_setup(out_of_memory_is_null, setup),
		cmocka_unit_test_setup(strings_are_copied, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
