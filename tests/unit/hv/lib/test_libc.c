/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares libc.c with plain byte loops, all lengths and overlaps around its thresholds. */
/* libc.c is included with its functions renamed, so that the program keeps the host's own. */
/* TEST_SOURCES: */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define memcpy	our_memcpy
#define memmove our_memmove
#define memset	our_memset
#define memcmp	our_memcmp
#define memchr	our_memchr
#define strlen	our_strlen
#define strnlen our_strnlen
#define strcmp	our_strcmp
#define strncmp our_strncmp
#define strchr	our_strchr
#define strrchr our_strrchr
#define strstr	our_strstr
#include "hv/lib/libc.c"

#define AREA 256u

static void fill(uint8_t *area)
{
	for (unsigned int i = 0; i < AREA; i++) {
		area[i] = (uint8_t)(i * 7 + 3);
	}
}

static void check_move(unsigned int from, unsigned int to, unsigned int n)
{
	uint8_t got[AREA], want[AREA], copy[AREA];

	fill(got);
	fill(want);
	fill(copy);
	for (unsigned int i = 0; i < n; i++) {
		want[to + i] = copy[from + i];
	}
	assert_ptr_equal(memmove(got + to, got + from, n), got + to);
	assert_memory_equal(got, want, AREA);
	fill(got);
	assert_ptr_equal(memcpy(got + to, copy + from, n), got + to);
	assert_memory_equal(got, want, AREA);
}

static void test_copy(void **state)
{
	(void)state;
	for (unsigned int n = 0; n <= 100; n++) {
		for (unsigned int from = 0; from < 70; from += 3) {
			for (unsigned int to = 0; to < 70; to++) {
				check_move(from, to, n);
			}
		}
	}
}

static void test_set(void **state)
{
	uint8_t got[AREA], want[AREA];

	(void)state;
	for (unsigned int n = 0; n <= 200; n++) {
		fill(got);
		fill(want);
		for (unsigned int i = 0; i < n; i++) {
			want[5 + i] = 0xa5;
		}
		assert_ptr_equal(memset(got + 5, 0x3a5, n), got + 5);
		assert_memory_equal(got, want, AREA);
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
	uint8_t a[AREA], b[AREA];

	(void)state;
	fill(a);
	fill(b);
	for (unsigned int n = 0; n <= 70; n++) {
		assert_int_equal(memcmp(a + 1, b + 1, n), 0);
		for (unsigned int i = 0; i < n; i++) {
			b[1 + i] = (uint8_t)~b[1 + i];
			b[1 + n] = (uint8_t)~b[1 + n]; /* behind the end: must not count */
			assert_int_equal(sign(memcmp(a + 1, b + 1, n)),
					 a[1 + i] < b[1 + i] ? -1 : 1);
			fill(b);
		}
	}
}

static void test_strings(void **state)
{
	const char *s = "abcabc";
	const char high[] = { (char)0x80, '\0' };

	(void)state;
	assert_int_equal(strlen(""), 0);
	assert_int_equal(strlen(s), 6);
	assert_int_equal(strnlen(s, 4), 4);
	assert_int_equal(strnlen(s, 9), 6);
	assert_int_equal(strcmp("", ""), 0);
	assert_true(strcmp("ab", "abc") < 0);
	assert_true(strcmp(high, "a") > 0);
	assert_int_equal(strncmp("abx", "aby", 2), 0);
	assert_true(strncmp("abx", "aby", 3) < 0);
	assert_ptr_equal(strchr(s, 'b'), s + 1);
	assert_ptr_equal(strrchr(s, 'b'), s + 4);
	assert_ptr_equal(strchr(s, '\0'), s + 6);
	assert_ptr_equal(strrchr(s, '\0'), s + 6);
	assert_null(strchr(s, 'x'));
	assert_null(strrchr(s, 'x'));
	assert_ptr_equal(strstr(s, "ca"), s + 2);
	assert_ptr_equal(strstr(s, ""), s);
	assert_null(strstr(s, "abcd"));
	assert_ptr_equal(memchr(s, 'c', 6), s + 2);
	assert_null(memchr(s, 'c', 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
