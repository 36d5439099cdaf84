/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the battery clock's date arithmetic against libc's. */
/* TEST_SOURCES: arch/x86/irq/rtc.c */
#define _GNU_SOURCE
#include "arch/x86/irq/rtc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static uint8_t bcd(int val)
{
	return (uint8_t)(val / 10 << 4 | val % 10);
}

static struct rtc_regs from_tm(const struct tm *tm, bool binary)
{
	int year = tm->tm_year + 1900;
	struct rtc_regs r = {
		.second = (uint8_t)tm->tm_sec,
		.minute = (uint8_t)tm->tm_min,
		.hour = (uint8_t)tm->tm_hour,
		.day = (uint8_t)tm->tm_mday,
		.month = (uint8_t)(tm->tm_mon + 1),
		.year = (uint8_t)(year % 100),
		.century = (uint8_t)(year / 100),
		.status_b = 6,
	};

	if (!binary) {
		uint8_t *p = &r.second;

		for (unsigned int i = 0; i < 7; i++) {
			p[i] = bcd(p[i]);
		}
		r.status_b = 2;
	}
	return r;
}

/* From 1970 to 2370 in steps of a day and some. */
static void four_centuries(void **state UNUSED)
{
	for (time_t t = 0; t < 12622780800; t += 86400 + 3607) {
		struct tm tm;

		gmtime_r(&t, &tm);
		struct rtc_regs b = from_tm(&tm, true);
		struct rtc_regs d = from_tm(&tm, false);

		assert_int_equal(rtc_to_seconds(&b), t);
		assert_int_equal(rtc_to_seconds(&d), t);
	}
}

static void twelve_hour_mode(void **state UNUSED)
{
	static const struct {
		uint8_t reg;
		unsigned int hour;
	} cases[] = { { 0x12, 0 },  { 0x01, 1 },  { 0x11, 11 },
		      { 0x92, 12 }, { 0x81, 13 }, { 0x91, 23 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtc_regs r = { .hour = cases[i].reg, .day = 1, .month = 1, .year = 0x70 };

		r.century = 0x19;
		assert_int_equal(rtc_to_seconds(&r), cases[i].hour * 3600);
	}
}

static void century_without_register(void **state UNUSED)
{
	struct rtc_regs r = { .day = 1, .month = 1, .year = 0, .status_b = 6 };

	assert_int_equal(rtc_to_seconds(&r), 946684800);
	r.year = 70;
	assert_int_equal(rtc_to_seconds(&r), 0);
	r.century = 255; /* garbage */
	r.year = 0;
	assert_int_equal(rtc_to_seconds(&r), 946684800);
}

static void nonsense_is_no_date(void **state UNUSED)
{
	static const struct rtc_regs bad[] = {
		{ 60, 0, 0, 1, 1, 20, 20, 6 }, { 0, 60, 0, 1, 1, 20, 20, 6 },
		{ 0, 0, 24, 1, 1, 20, 20, 6 }, { 0, 0, 0, 0, 1, 20, 20, 6 },
		{ 0, 0, 0, 32, 1, 20, 20, 6 }, { 0, 0, 0, 1, 0, 20, 20, 6 },
		{ 0, 0, 0, 1, 13, 20, 20, 6 }, { 0, 0, 0, 1, 1, 100, 20, 6 },
		{ 0, 0, 0, 1, 1, 69, 19, 6 },  { 255, 255, 255, 255, 255, 255, 255, 255 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(rtc_to_seconds(&bad[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_centuries),
		cmocka_unit_test(twelve_hour_mode),
		cmocka_unit_test(century_without_register),
		cmocka_unit_test(nonsense_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
