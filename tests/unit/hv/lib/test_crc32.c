/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks CRC-32 against the catalogue's value and by parts. */
/* Does not check speed. */
/* TEST_SOURCES: hv/lib/crc32.c */
#include "hv/lib/crc32.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32(0, "", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
