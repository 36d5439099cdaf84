/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the look-up of function names on a table made by hand. */
/* Does not check mksymtab.py: the build does, by making the table twice. */
/* TEST_SOURCES: hv/base/symtab.c */
#include "hv/base/symtab.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct symtab_entry symtab_entries[] = { { 0x1000, 0 }, { 0x1010, 4 }, { 0x2000, 8 } };
const uint64_t symtab_count = 3;
const char symtab_names[] = "one\0two\0end";

static void test_before_the_first(void **state)
{
	(void)state;
	assert_null(symtab_lookup(0, NULL));
	assert_null(symtab_lookup(0xfff, NULL));
}

static void test_first_and_last_byte(void **state)
{
	uint64_t offset = 99;

	(void)state;
	assert_string_equal(symtab_lookup(0x1000, &offset), "one");
	assert_int_equal(offset, 0);
	assert_string_equal(symtab_lookup(0x100f, &offset), "one");
	assert_int_equal(offset, 15);
	assert_string_equal(symtab_lookup(0x1010, &offset), "two");
	assert_int_equal(offset, 0);
	assert_string_equal(symtab_lookup(0x1fff, &offset), "two");
	assert_string_equal(symtab_lookup(UINT64_MAX, NULL), "end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_the_first),
		cmocka_unit_test(test_first_and_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
