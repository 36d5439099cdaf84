/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that no two vCPUs ever share an ASID on one CPU without a flush in between. */
/* The TLB is a model: the set of (ASID, vCPU) pairs that left translations since the last flush. */
/* TEST_SOURCES: arch/x86/svm/asid.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/svm/asid.h"

#include <stdlib.h>

#define VCPUS 40u
#define CPUS  3u
#define LIMIT 16u

/* Whose translations each ASID of a CPU carries; -1: none. */
static int tlb[CPUS][LIMIT];

static void flush(unsigned int cpu, enum asid_flush what, uint32_t asid)
{
	for (uint32_t i = 0; i < LIMIT; i++) {
		if (what == ASID_FLUSH_ALL || (what == ASID_FLUSH_OWN && i == asid)) {
			tlb[cpu][i] = -1;
		}
	}
}

static void test_first_asid_is_one_and_flushed(void **state)
{
	struct asid_pool p;
	struct asid_tag t = { 0 };

	(void)state;
	asid_init(&p, LIMIT);
	assert_false(asid_valid(&p, &t));
	assert_int_equal(asid_assign(&p, &t), ASID_FLUSH_OWN);
	assert_int_equal(t.asid, 1);
	assert_true(asid_valid(&p, &t));
}

static void test_new_generation_takes_all_away(void **state)
{
	struct asid_pool p;
	struct asid_tag t[LIMIT] = { 0 };

	(void)state;
	asid_init(&p, LIMIT);
	for (unsigned int i = 1; i < LIMIT; i++) {
		assert_int_equal(asid_assign(&p, &t[i]), ASID_FLUSH_OWN);
	}
	assert_int_equal(asid_assign(&p, &t[0]), ASID_FLUSH_ALL);
	assert_int_equal(t[0].asid, 1);
	for (unsigned int i = 1; i < LIMIT; i++) {
		assert_false(asid_valid(&p, &t[i]));
	}
}

static void test_smallest_pool_flushes_on_every_change(void **state)
{
	struct asid_pool p;
	struct asid_tag a = { 0 }, b = { 0 };

	(void)state;
	asid_init(&p, 2);
	assert_int_equal(asid_assign(&p, &a), ASID_FLUSH_OWN);
	assert_int_equal(asid_assign(&p, &b), ASID_FLUSH_ALL);
	assert_false(asid_valid(&p, &a));
}

/* Random migration: each run must find in its ASID nothing but what the same vCPU left since. */
static void test_no_stale_translation_in_random_migration(void **state)
{
	struct asid_pool pools[CPUS];
	struct asid_tag tags[VCPUS] = { 0 };
	unsigned int last_cpu[VCPUS] = { 0 };

	(void)state;
	srand(1);
	for (unsigned int c = 0; c < CPUS; c++) {
		asid_init(&pools[c], LIMIT);
		flush(c, ASID_FLUSH_ALL, 0);
	}
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int v = (unsigned int)rand() % VCPUS;
		unsigned int c = (unsigned int)rand() % CPUS;

		if (!asid_valid(&pools[c], &tags[v])) {
			flush(c, asid_assign(&pools[c], &tags[v]), tags[v].asid);
		} else {
			assert_int_equal(last_cpu[v], c);
		}
		assert_in_range(tags[v].asid, 1, LIMIT - 1);
		assert_true(tlb[c][tags[v].asid] == -1 || tlb[c][tags[v].asid] == (int)v);
		tlb[c][tags[v].asid] = (int)v;
		last_cpu[v] = c;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_asid_is_one_and_flushed),
		cmocka_unit_test(test_new_generation_takes_all_away),
		cmocka_unit_test(test_smallest_pool_flushes_on_every_change),
		cmocka_unit_test(test_no_stale_translation_in_random_migration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
