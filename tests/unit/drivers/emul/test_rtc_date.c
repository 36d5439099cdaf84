/* SPDX-License-Identifier: BSD-2-Clause */
/* Calendar arithmetic against libc's, and the alarm search against trying every second. */
/* Pure. */
/* TEST_SOURCES: drivers/emul/rtc_date.c */
#include "drivers/emul/rtc_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void check(int64_t seconds)
{
	struct rtc_date d;
	struct tm tm;
	time_t t = seconds;

	gmtime_r(&t, &tm);
	rtc_date_from_seconds(seconds, &d);
	assert_int_equal(d.year, tm.tm_year + 1900);
	assert_int_equal(d.month, tm.tm_mon + 1);
	assert_int_equal(d.day, tm.tm_mday);
	assert_int_equal(d.weekday, tm.tm_wday);
	assert_int_equal(d.hour, tm.tm_hour);
	assert_int_equal(d.minute, tm.tm_min);
	assert_int_equal(d.second, tm.tm_sec);
	assert_true(rtc_date_to_seconds(&d) == seconds);
}

/* Every day from year 0 to 4000, at odd times of the day. */
static void test_against_libc(void **state)
{
	(void)state;
	for (int64_t day = -719528; day < 741000; day++) {
		check(day * RTC_DATE_DAY + (day * day) % RTC_DATE_DAY);
	}
}

static void test_fields_carry_over(void **state)
{
	struct rtc_date feb31 = { .year = 2023, .month = 2, .day = 31 };
	struct rtc_date mar3 = { .year = 2023, .month = 3, .day = 3 };
	struct rtc_date mon14 = { .year = 2023, .month = 14, .day = 1, .hour = 25 };
	struct rtc_date feb2 = { .year = 2024, .month = 2, .day = 2, .hour = 1 };

	(void)state;
	assert_true(rtc_date_to_seconds(&feb31) == rtc_date_to_seconds(&mar3));
	assert_true(rtc_date_to_seconds(&mon14) == rtc_date_to_seconds(&feb2));
}

static bool rings(int at, int hour, int minute, int second)
{
	return (hour < 0 || at / 3600 == hour) && (minute < 0 || at / 60 % 60 == minute) &&
	       (second < 0 || at % 60 == second);
}

static int slow_alarm(int from, int hour, int minute, int second)
{
	for (int at = from; at < RTC_DATE_DAY; at++) {
		if (rings(at, hour, minute, second)) {
			return at;
		}
	}
	return -1;
}

static int any_or(int limit)
{
	return rand() % 3 == 0 ? -1 : rand() % limit;
}

static void test_alarm_against_trying(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int i = 0; i < 3000; i++) {
		int hour = any_or(26), minute = any_or(63), second = any_or(63);
		int from = rand() % RTC_DATE_DAY;

		assert_int_equal(rtc_date_alarm(from, hour, minute, second),
				 slow_alarm(from, hour, minute, second));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_libc),
		cmocka_unit_test(test_fields_carry_over),
		cmocka_unit_test(test_alarm_against_trying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
