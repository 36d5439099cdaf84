/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the bounded string helpers, the number parsers and the error texts. */
/* The functions with standard names are tested in test_libc.c. */
/* TEST_SOURCES: hv/lib/string.c hv/lib/errno.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hv/lib/errno.h"
#include "hv/lib/string.h"

static void test_copy(void **state)
{
	char out[4];

	(void)state;
	assert_true(string_copy(out, "abc", sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(string_copy(out, "wxyz", sizeof(out)));
	assert_string_equal(out, "wxy");
	assert_true(string_copy(out, "", sizeof(out)));
	assert_string_equal(out, "");
	assert_false(string_copy(out, "a", 1));
	assert_string_equal(out, "");
	assert_false(string_copy(NULL, "a", 0));
}

static void test_starts_with(void **state)
{
	(void)state;
	assert_true(string_starts_with("main:disk", "main:"));
	assert_true(string_starts_with("x", ""));
	assert_false(string_starts_with("mai", "main"));
	assert_false(string_starts_with("boot:", "main:"));
}

static const struct {
	const char *text;
	int err;
	uint64_t value;
} numbers[] = {
	{ "0", 0, 0 },
	{ "42", 0, 42 },
	{ "0x", -EINVAL, 0 },
	{ "0x1F", 0, 0x1f },
	{ "0XabC", 0, 0xabc },
	{ "18446744073709551615", 0, UINT64_MAX },
	{ "18446744073709551616", -ERANGE, 0 },
	{ "184467440737095516150", -ERANGE, 0 },
	{ "99999999999999999999999x", -EINVAL, 0 },
	{ "0xffffffffffffffff", 0, UINT64_MAX },
	{ "0x10000000000000000", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "12a", -EINVAL, 0 },
	{ "a", -EINVAL, 0 },
}, sizes[] = {
	{ "7", 0, 7 },
	{ "1K", 0, KIB },
	{ "512M", 0, 512 * MIB },
	{ "0x10G", 0, 16 * GIB },
	{ "16777215T", 0, 16777215ul << 40 },
	{ "16777216T", -ERANGE, 0 },
	{ "99999999999999999999999T", -ERANGE, 0 },
	{ "K", -EINVAL, 0 },
	{ "1KK", -EINVAL, 0 },
	{ "1k", -EINVAL, 0 },
	{ "1KB", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
};

static void test_to_u64(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t v = 0;

		print_message("'%s'\n", numbers[i].text);
		assert_int_equal(string_to_u64(numbers[i].text, &v), numbers[i].err);
		assert_true(v == numbers[i].value);
	}
}

static void test_to_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t v = 0;

		print_message("'%s'\n", sizes[i].text);
		assert_int_equal(string_to_size(sizes[i].text, &v), sizes[i].err);
		assert_true(v == sizes[i].value);
	}
}

static void test_errno_text(void **state)
{
	(void)state;
	assert_string_equal(errno_text(ENOMEM), "out of memory");
	assert_string_equal(errno_text(-ENOMEM), "out of memory");
	assert_string_equal(errno_text(-ETIMEDOUT), "timed out");
	assert_string_equal(errno_text(3), "unknown error");
	assert_string_equal(errno_text(INT32_MIN), "unknown error");
	assert_string_equal(errno_text(111), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),	   cmocka_unit_test(test_starts_with),
		cmocka_unit_test(test_to_u64),	   cmocka_unit_test(test_to_size),
		cmocka_unit_test(test_errno_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
