/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level tables: page sizes, replacing, splitting, unmapping, the generation, running out. */
/* TEST_SOURCES: arch/x86/hvm/slat.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_slat.c */
#include "arch/x86/hvm/slat.h"
#include "fakes/fake_page.h"
#include "fakes/fake_slat.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct slat_format format;
static struct slat s;
static uint64_t freed_at_once, live_before; /* pages between two checkpoints, the most */

void thread_checkpoint(void)
{
	freed_at_once = u64_max(freed_at_once, live_before - fake_page_live);
	live_before = fake_page_live;
}

static int setup(void **state)
{
	(void)state;
	fake_page_limit = ~0ul;
	format = fake_slat_format(true);
	return slat_create(&s, &format);
}

static int teardown(void **state)
{
	(void)state;
	slat_destroy(&s);
	return fake_page_live == 0 ? 0 : -1;
}

static void check(uint64_t gpa, uint64_t hpa)
{
	hpa_t out;

	assert_true(slat_lookup(&s, (gpa_t){ gpa }, &out, NULL));
	assert_true(out.v == hpa);
}

static void check_none(uint64_t gpa)
{
	hpa_t out;

	assert_false(slat_lookup(&s, (gpa_t){ gpa }, &out, NULL));
}

static void map(uint64_t gpa, uint64_t hpa, uint64_t size)
{
	assert_int_equal(slat_map(&s, (gpa_t){ gpa }, (hpa_t){ hpa }, size, HVM_RWX), 0);
}

static void test_largest_pages(void **state)
{
	(void)state;
	map(GIB, 3 * GIB, GIB);
	assert_int_equal(s.tables, 2);	      /* root, level 3 */
	map(2 * GIB, 6 * GIB + 2 * MIB, GIB); /* the hpa allows 2 MiB only */
	assert_int_equal(s.tables, 3);
	check(GIB + 12345, 3 * GIB + 12345);
	check(3 * GIB - 1, 7 * GIB + 2 * MIB - 1);
	check_none(GIB - 1);
	check_none(3 * GIB);
}

static void test_no_1g(void **state)
{
	(void)state;
	format.large_1g = false;
	map(GIB, 3 * GIB, GIB);
	assert_int_equal(s.tables, 3);
	check(2 * GIB - 1, 4 * GIB - 1);
}

static void test_odd_ends(void **state)
{
	(void)state;
	map(2 * MIB - 4096, 10 * MIB - 4096, 4096 + 2 * MIB + 8192);
	check(2 * MIB - 4096, 10 * MIB - 4096);
	check(2 * MIB, 10 * MIB);
	check(4 * MIB + 8191, 12 * MIB + 8191);
	check_none(4 * MIB + 8192);
	check_none(2 * MIB - 4097);
}

static void test_split(void **state)
{
	enum hvm_right rights;
	hpa_t out;

	(void)state;
	map(0, GIB, GIB);
	assert_int_equal(slat_map(&s, (gpa_t){ 0xf0000 }, (hpa_t){ 0x7000000 }, 0x10000, HVM_READ),
			 0);
	check(0xeffff, GIB + 0xeffff);
	check(0xf0000, 0x7000000);
	check(0xfffff, 0x700ffff);
	check(0x100000, GIB + 0x100000);
	check(GIB - 1, 2 * GIB - 1);
	assert_true(slat_lookup(&s, (gpa_t){ 0xf0000 }, &out, &rights));
	assert_int_equal(rights, HVM_READ);
	assert_true(slat_lookup(&s, (gpa_t){ 0xe0000 }, &out, &rights));
	assert_int_equal(rights, HVM_RWX);
}

/* A large mapping over small ones fills the table that is there: no table is freed under a CPU. */
static void test_replace_small_by_large(void **state)
{
	uint64_t tables;

	(void)state;
	map(2 * MIB, 8 * MIB, 4096);
	tables = s.tables;
	map(2 * MIB, 32 * MIB, 2 * MIB);
	assert_true(s.tables == tables);
	check(2 * MIB, 32 * MIB);
	check(4 * MIB - 1, 34 * MIB - 1);
}

static void test_unmap(void **state)
{
	(void)state;
	map(0, GIB, GIB);
	assert_int_equal(slat_unmap(&s, (gpa_t){ 0xa0000 }, 0x20000), 0);
	check(0x9ffff, GIB + 0x9ffff);
	check_none(0xa0000);
	check_none(0xbffff);
	check(0xc0000, GIB + 0xc0000);
	assert_int_equal(slat_unmap(&s, (gpa_t){ 0 }, 4 * GIB), 0);
	check_none(0);
	check_none(GIB - 1);
}

static void test_generation(void **state)
{
	uint64_t g = slat_generation(&s);

	(void)state;
	map(0, GIB, 4 * MIB);
	assert_true(slat_generation(&s) == g); /* nothing can have been cached */
	map(4096, 2 * GIB, 4096);
	assert_true(slat_generation(&s) > g);
	g = slat_generation(&s);
	assert_int_equal(slat_unmap(&s, (gpa_t){ 8 * MIB }, MIB), 0);
	assert_true(slat_generation(&s) == g); /* there was nothing */
	assert_int_equal(slat_unmap(&s, (gpa_t){ 0 }, 4096), 0);
	assert_true(slat_generation(&s) > g);
}

static void test_refuses(void **state)
{
	(void)state;
	assert_int_equal(slat_map(&s, (gpa_t){ 1 }, (hpa_t){ 0 }, 4096, HVM_RWX), -EINVAL);
	assert_int_equal(slat_map(&s, (gpa_t){ 0 }, (hpa_t){ 1 }, 4096, HVM_RWX), -EINVAL);
	assert_int_equal(slat_map(&s, (gpa_t){ 0 }, (hpa_t){ 0 }, 100, HVM_RWX), -EINVAL);
	assert_int_equal(slat_map(&s, (gpa_t){ BIT(48) - 4096 }, (hpa_t){ 0 }, 8192, HVM_RWX),
			 -EINVAL);
	assert_int_equal(slat_unmap(&s, (gpa_t){ BIT(48) }, 4096), -EINVAL);
	check_none(BIT(48));
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned long n = 0; n < 3; n++) {
		fake_page_limit = n;
		assert_int_equal(slat_map(&s, (gpa_t){ 5 * GIB }, (hpa_t){ 0 }, 4096, HVM_RWX),
				 -ENOMEM);
		check_none(5 * GIB);
		fake_page_limit = ~0ul;
		slat_destroy(&s);
		assert_int_equal(slat_create(&s, &format), 0);
	}
	fake_page_limit = 3;
	map(5 * GIB, 0, 4096);
}

/* Of a guest that gave a page of each 2 MiB away; some 70 instructions for a table. */
static void test_destroy_lets_others_in(void **state)
{
	(void)state;
	map(0, 0, GIB);
	for (uint64_t at = 0; at < GIB; at += 2 * MIB) {
		assert_int_equal(slat_unmap(&s, (gpa_t){ at }, 4096), 0);
	}
	assert_true(s.tables > 512);
	freed_at_once = 0;
	live_before = fake_page_live;
	slat_destroy(&s);
	assert_true(freed_at_once > 0 && freed_at_once <= 64);
	assert_int_equal(slat_create(&s, &format), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_largest_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_1g, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_split, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace_small_by_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_destroy_lets_others_in, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
