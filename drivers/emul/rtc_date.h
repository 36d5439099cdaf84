/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates as a clock chip shows them, and seconds since 1970. Pure; Gregorian calendar; no time zones. */
/* Does not know registers or BCD. */
#ifndef DRIVERS_EMUL_RTC_DATE_H
#define DRIVERS_EMUL_RTC_DATE_H

#include "hv/lib/types.h"

#define RTC_DATE_DAY 86400

struct rtc_date {
	int year;    /* 0 … 20000 */
	int month;   /* 1-12 */
	int day;     /* 1-31 */
	int weekday; /* 0 Sunday … 6: only read */
	int hour, minute, second;
};

/* Fields out of range carry over: 31 February is in March. */
int64_t rtc_date_to_seconds(const struct rtc_date *d);
/* seconds is not before the year 0. */
void rtc_date_from_seconds(int64_t seconds, struct rtc_date *d);

/*
 * The first second of a day (0 … 86399) at or after `from` at which an alarm with these fields
 * rings; a negative field matches all. -1 if there is none before midnight.
 */
int rtc_date_alarm(int from, int hour, int minute, int second);

#endif
