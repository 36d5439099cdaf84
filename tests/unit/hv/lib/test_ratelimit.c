/* SPDX-License-Identifier: BSD-2-Clause */
/* The token bucket under a clock that the test owns: its rate over any time, its bursts, requests that are */
/* larger than it, and the ends of its numbers. */
/* TEST_SOURCES: hv/lib/ratelimit.c */
#include "hv/lib/ratelimit.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND 1000000000ul
#define MS     1000000ul

/* Always has more to do, looks again `late` ns after it may: what went through. */
static uint64_t greedy(struct ratelimit *r, uint64_t amount, uint64_t *now, uint64_t ns,
		       uint64_t late)
{
	uint64_t end = *now + ns, sum = 0;

	while (*now < end) {
		uint64_t until = ratelimit_wait(r, *now);

		if (until != 0) {
			*now = until + late;
			continue;
		}
		ratelimit_charge(r, amount, *now);
		sum += amount;
	}
	return sum;
}

static void test_rate(void **state)
{
	static const struct {
		uint64_t rate, amount, seconds, late;
	} rows[] = {
		{ 1, 1, 3600, 0 },
		{ 3, 1, 600, 9 * MS },
		{ 500, 1, 10, 9 * MS },
		{ 7777, 1, 10, 100 },
		{ 1000000, 1, 2, 20000 },
		{ 1 << 20, 65536, 60, 5 * MS },
		{ 10ul << 20, 512, 10, MS },
		{ 65536, 1 << 20, 3600, 0 }, /* a request of 16 seconds */
		{ 1ul << 40, 1ul << 30, 10, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t now = 5 * SECOND, ideal = rows[i].rate * rows[i].seconds, got;
		struct ratelimit r;

		ratelimit_set(&r, rows[i].rate, 10 * MS, now);
		got = greedy(&r, rows[i].amount, &now, rows[i].seconds * SECOND, rows[i].late);
		if (got < ideal * 98 / 100 || got > ideal * 102 / 100) {
			fail_msg("row %u: %lu, not %lu", i, got, ideal);
		}
	}
}

/* After any rest no more goes through at once than came in within the burst, and one more. */
static void test_burst(void **state)
{
	struct ratelimit r;
	uint64_t now = SECOND;

	(void)state;
	ratelimit_set(&r, 1000000, 10 * MS, now);
	assert_in_range(greedy(&r, 100, &now, 1, 0), 100, 200);
	for (uint64_t rest = 1; rest < 1000 * SECOND; rest *= 7) {
		uint64_t most = u64_min(rest, 10 * MS) / 1000 + 100, sum = 0;

		now += rest;
		while (ratelimit_wait(&r, now) == 0) {
			ratelimit_charge(&r, 100, now);
			sum += 100;
		}
		assert_true(sum <= most);
		now = ratelimit_wait(&r, now);
	}
}

/* Nobody starves: what is too large for the bucket goes through, and is paid for afterwards. */
static void test_debt(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_set(&r, 1000, 10 * MS, SECOND);
	assert_int_equal(ratelimit_wait(&r, SECOND), 0);
	ratelimit_charge(&r, 60000, SECOND);
	assert_int_equal(ratelimit_wait(&r, SECOND), 61 * SECOND);
	assert_int_equal(ratelimit_wait(&r, 61 * SECOND - 1), 61 * SECOND);
	assert_int_equal(ratelimit_wait(&r, 61 * SECOND), 0);
}

static void test_none(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_set(&r, 0, 10 * MS, 0);
	ratelimit_charge(&r, UINT64_MAX, 0);
	assert_int_equal(ratelimit_wait(&r, 0), 0);
}

/* Sums that no clock reaches hold everything back and come to no harm. */
static void test_ends(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_set(&r, 1, 0, SECOND);
	ratelimit_charge(&r, 1ul << 36, SECOND);
	assert_int_equal(ratelimit_wait(&r, UINT64_MAX - 1), UINT64_MAX);
	ratelimit_charge(&r, 1, UINT64_MAX - 1);
	assert_int_equal(ratelimit_wait(&r, SECOND), UINT64_MAX);
	ratelimit_set(&r, 100000000000000ul, 0, SECOND);
	ratelimit_charge(&r, 1ul << 36, SECOND);
	assert_in_range(ratelimit_wait(&r, SECOND), SECOND + 687194ul, SECOND + 687195ul);
	ratelimit_set(&r, 7, SECOND, 1); /* the clock has run for less than the burst */
	ratelimit_charge(&r, 7, 2);
	assert_int_equal(ratelimit_wait(&r, 2), SECOND + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate), cmocka_unit_test(test_burst),
		cmocka_unit_test(test_debt), cmocka_unit_test(test_none),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
