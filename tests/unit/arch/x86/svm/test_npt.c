/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the bits of nested page table entries against the APM. */
/* The tables themselves are tested with arch/x86/hvm/slat. */
/* TEST_SOURCES: arch/x86/svm/npt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/svm/npt.h"

static void test_leaf_bits(void **state)
{
	const struct slat_format *f = npt_format();
	hpa_t hpa = { 0x123456000 };

	(void)state;
	assert_int_equal(f->leaf(hpa, HVM_RWX, 1), 0x123456067);
	assert_int_equal(f->leaf((hpa_t){ 0x40000000 }, HVM_RWX, 2), 0x400000e7);
	assert_int_equal(f->leaf(hpa, HVM_READ, 1), 0x8000000123456065);
	assert_int_equal(f->table(hpa), 0x123456027);
}

static void test_rights_come_back(void **state)
{
	static const enum hvm_right all[] = { HVM_READ, HVM_READ | HVM_WRITE, HVM_READ | HVM_EXEC,
					      HVM_RWX };
	const struct slat_format *f = npt_format();

	(void)state;
	for (unsigned int level = 1; level <= 3; level++) {
		for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
			uint64_t e = f->leaf((hpa_t){ 0x80000000 }, all[i], level);

			assert_int_equal(f->rights(e, level), all[i]);
			assert_true(f->is_leaf(e, level));
		}
	}
}

static void test_table_is_no_leaf(void **state)
{
	const struct slat_format *f = npt_format();
	uint64_t e = f->table((hpa_t){ 0x1000 });

	(void)state;
	assert_false(f->is_leaf(e, 2));
	assert_false(f->is_leaf(e, 3));
	assert_false(f->is_leaf(e, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaf_bits),
		cmocka_unit_test(test_rights_come_back),
		cmocka_unit_test(test_table_is_no_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
