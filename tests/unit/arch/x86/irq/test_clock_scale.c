/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the conversion between ticks and nanoseconds over a century and over all plausible rates. */
/* TEST_SOURCES: arch/x86/irq/clock_scale.c */
#include "arch/x86/irq/clock_scale.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NS	1000000000ul
#define CENTURY (100ul * 366 * 86400 * NS) /* ns */

typedef unsigned __int128 uint128_t;

static const uint64_t rates[] = { 1000000,    24000000,	  50000000,   999999999,  NS,
				  2596136847, 3400000000, 5000000000, 20000000000 };

static void muldiv_is_exact(void **state UNUSED)
{
	assert_int_equal(clock_scale_muldiv(0, 5, 7), 0);
	assert_int_equal(clock_scale_muldiv(6, 7, 42), 1);
	assert_int_equal(clock_scale_muldiv(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
	assert_int_equal(clock_scale_muldiv(UINT64_MAX, 1000, 1001), 18428315757951600014ul);
	assert_int_equal(clock_scale_muldiv(UINT64_MAX, 2, 1), UINT64_MAX); /* saturates */
	assert_int_equal(clock_scale_muldiv(1ul << 63, 2, 1), UINT64_MAX);
	assert_int_equal(clock_scale_muldiv(1ul << 63, 2, 2), 1ul << 63);
}

/* Against 128-bit arithmetic: never above the exact value, below by less than 1 in 2^40 and 1. */
static void assert_scales(uint64_t from, uint64_t to, uint64_t in)
{
	uint128_t exact = (uint128_t)in * to / from;
	uint64_t got = clock_scale_apply(clock_scale_make(from, to), in);

	if (exact >> 64 != 0) {
		assert_true(got > UINT64_MAX - (UINT64_MAX >> 40));
		return;
	}
	assert_true(got <= (uint64_t)exact);
	assert_true((uint64_t)exact - got <= ((uint64_t)exact >> 40) + 1);
}

static void century_at_every_rate(void **state UNUSED)
{
	static const uint64_t spans[] = { 0,	   1,  2,	   999,
					  1000000, NS, 86400 * NS, 365 * 86400 * NS,
					  CENTURY };

	for (unsigned int r = 0; r < ARRAY_SIZE(rates); r++) {
		for (unsigned int s = 0; s < ARRAY_SIZE(spans); s++) {
			assert_scales(NS, rates[r], spans[s]);
			assert_scales(rates[r], NS, spans[s]);
		}
	}
}

static void there_and_back(void **state UNUSED)
{
	for (unsigned int r = 0; r < ARRAY_SIZE(rates); r++) {
		struct clock_scale to_ticks = clock_scale_make(NS, rates[r]);
		struct clock_scale to_ns = clock_scale_make(rates[r], NS);

		for (uint64_t ns = NS; ns < CENTURY / 5; ns *= 7) {
			uint64_t back = clock_scale_apply(to_ns, clock_scale_apply(to_ticks, ns));

			/* One tick and the rounding of both. */
			assert_true(back <= ns);
			assert_true(ns - back <= NS / rates[r] + 2 + (ns >> 39));
		}
	}
}

static void grows_with_its_argument(void **state UNUSED)
{
	struct clock_scale s = clock_scale_make(NS, 2596136847);
	uint64_t last = 0;

	for (uint64_t ns = 0; ns < 100000; ns++) {
		uint64_t ticks = clock_scale_apply(s, ns);

		assert_true(ticks >= last && ticks - last <= 3);
		last = ticks;
	}
	assert_int_equal(clock_scale_apply(s, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(muldiv_is_exact),
		cmocka_unit_test(century_at_every_rate),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(grows_with_its_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
