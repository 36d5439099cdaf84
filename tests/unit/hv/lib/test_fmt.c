/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares fmt.c with the host's printf over all combinations of flags, and checks fmt_size. */
/* Leaves out what C leaves undefined. */
/* TEST_SOURCES: hv/lib/fmt.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

static const int64_t numbers[] = { 0,	      1,	-1,    7,	  42,	     -128,
				   255,	      32767,	65536, INT32_MAX, INT32_MIN, 1234567890123,
				   INT64_MAX, INT64_MIN };
static const char *const widths[] = { "", "1", "5", "25", ".0", ".3", "8.5", "30.22" };
static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j", "t" };

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"

static void print(int (*snprint)(char *, size_t, const char *, ...), char out[64], const char *fmt,
		  const char *length, int64_t v)
{
	if (length[0] == '\0' || length[0] == 'h') {
		assert_true(snprint(out, 64, fmt, (int)v) < 64);
	} else {
		assert_true(snprint(out, 64, fmt, v) < 64);
	}
}

static void check_number(const char *fmt, const char *length, int64_t v)
{
	char ours[64], theirs[64];

	print(fmt_snprintf, ours, fmt, length, v);
	print(snprintf, theirs, fmt, length, v);
	if (strcmp(ours, theirs) != 0) {
		fail_msg("'%s' of %ld: '%s', libc says '%s'", fmt, (long)v, ours, theirs);
	}
}

/* '+' and ' ' mean nothing to u, x and X; '#' nothing to d, i and u. */
static bool defined(unsigned int flags, char letter)
{
	bool is_signed = letter == 'd' || letter == 'i';
	bool is_hex = letter == 'x' || letter == 'X';

	return ((flags & 0xc) == 0 || is_signed) && ((flags & 0x10) == 0 || is_hex);
}

static void check_flags(unsigned int flags, const char *width, const char *length, char letter)
{
	char fmt[32];

	if (!defined(flags, letter)) {
		return;
	}
	snprintf(fmt, sizeof(fmt), "<%%%s%s%s%s%s%s%s%c>", flags & 1 ? "-" : "",
		 flags & 2 ? "0" : "", flags & 4 ? "+" : "", flags & 8 ? " " : "",
		 flags & 16 ? "#" : "", width, length, letter);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		check_number(fmt, length, numbers[i]);
	}
}

static void test_numbers_as_libc(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 32; flags++) {
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
			for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
				for (const char *letter = "diuxX"; *letter != '\0'; letter++) {
					check_flags(flags, widths[w], lengths[l], *letter);
				}
			}
		}
	}
}

#define CHECK(expected, ...)                                                                       \
	do {                                                                                       \
		char out_[64];                                                                     \
		int len_ = fmt_snprintf(out_, sizeof(out_), __VA_ARGS__);                          \
		assert_string_equal(out_, expected);                                               \
		assert_int_equal(len_, strlen(expected));                                          \
	} while (0)

static void test_text(void **state)
{
	const char *volatile none = NULL;

	(void)state;
	CHECK("", "%s", "");
	CHECK("[abc]", "[%s]", "abc");
	CHECK("[  abc]", "[%5s]", "abc");
	CHECK("[abc  ]", "[%-5s]", "abc");
	CHECK("[ab]", "[%.2s]", "abc");
	CHECK("[   ab]", "[%5.2s]", "abc");
	CHECK("[ab   ]", "[%*.*s]", -5, 2, "abc");
	CHECK("[abc]", "[%.*s]", -1, "abc");
	CHECK("(null)", "%s", none);
	CHECK("[x][  y][z  ]", "[%c][%3c][%-3c]", 'x', 'y', 'z');
	CHECK("100%", "%d%%", 100);
	CHECK("0x1f", "%p", (void *)0x1f);
	CHECK("    0x1f", "%8p", (void *)0x1f);
}

static void test_precision_stops_reading(void **state)
{
	char unterminated[3] = { 'a', 'b', 'c' };

	(void)state;
	CHECK("abc", "%.3s", unterminated);
}

static void test_unknown_conversion_is_printed(void **state)
{
	static const char *volatile odd = "%5y|%";
	char out[16];

	(void)state;
	assert_int_equal(fmt_snprintf(out, sizeof(out), odd, 1), 5);
	assert_string_equal(out, "%5y|%");
}

static void test_cut(void **state)
{
	char out[8] = "#######";

	(void)state;
	assert_int_equal(fmt_snprintf(out, 4, "%s-%d", "ab", 1234), 7);
	assert_string_equal(out, "ab-");
	assert_memory_equal(out + 4, "###", 4);
	assert_int_equal(fmt_snprintf(out, 1, "%08d", 5), 8);
	assert_string_equal(out, "");
	assert_int_equal(fmt_snprintf(NULL, 0, "%s", "hello"), 5);
}

static void test_size(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 512 * MIB, "512 MiB" },
		{ 3 * GIB / 2, "1.5 GiB" },
		{ MIB - 1, "1 MiB" },
		{ 10 * GIB + 52 * MIB, "10.1 GiB" },
		{ UINT64_MAX, "16 EiB" },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(fmt_size(out, sizeof(out), rows[i].bytes), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_as_libc),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_precision_stops_reading),
		cmocka_unit_test(test_unknown_conversion_is_printed),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
