/* SPDX-License-Identifier: BSD-2-Clause */
/* Converts between calendar dates and seconds since 1970, and finds when an alarm rings. */
/* Pure. */
#include "drivers/emul/rtc_date.h"

#define DAYS_400_YEARS 146097
#define EPOCH_DAY      719468 /* days from 1 March of year 0 to 1 January 1970 */

/* Years begin in March here, so that a leap day is the last one of its year. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = (month + 9) % 12;

	y += 400; /* stays positive for year 0; taken off again below */
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - DAYS_400_YEARS -
	       EPOCH_DAY;
}

int64_t rtc_date_to_seconds(const struct rtc_date *d)
{
	int months = d->year * 12 + d->month - 1;
	int64_t days = days_from_civil(months / 12, months % 12 + 1, 1) + d->day - 1;

	return days * RTC_DATE_DAY + d->hour * 3600 + d->minute * 60 + d->second;
}

static void date_from_days(int64_t days, struct rtc_date *d)
{
	int64_t z = days + EPOCH_DAY + DAYS_400_YEARS;
	int64_t of_era = z % DAYS_400_YEARS;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t m = (5 * of_year + 2) / 153;

	d->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	d->month = (int)(m < 10 ? m + 3 : m - 9);
	d->year = (int)(year + z / DAYS_400_YEARS * 400 - 400 + (d->month <= 2));
}

void rtc_date_from_seconds(int64_t seconds, struct rtc_date *d)
{
	int64_t days = seconds / RTC_DATE_DAY;
	int rest = (int)(seconds % RTC_DATE_DAY);

	if (rest < 0) {
		rest += RTC_DATE_DAY;
		days--;
	}
	date_from_days(days, d);
	d->weekday = (int)((days % 7 + 7 + 4) % 7); /* 1 January 1970 was a Thursday */
	d->hour = rest / 3600;
	d->minute = rest / 60 % 60;
	d->second = rest % 60;
}

/* The first value >= from that field matches, below limit; -1 if there is none. */
static int first_match(int field, int from, int limit)
{
	int at = field < 0 ? from : field;

	return at >= from && at < limit ? at : -1;
}

static int alarm_in_hour(int from, int minute, int second)
{
	int m = first_match(minute, from / 60, 60);
	int s = m < 0 ? -1 : first_match(second, m == from / 60 ? from % 60 : 0, 60);

	if (m >= 0 && s < 0) { /* too late in this minute */
		m = first_match(minute, m + 1, 60);
		s = first_match(second, 0, 60);
	}
	return m < 0 || s < 0 ? -1 : m * 60 + s;
}

int rtc_date_alarm(int from, int hour, int minute, int second)
{
	int h = first_match(hour, from / 3600, 24);
	int rest = h < 0 ? -1 : alarm_in_hour(h == from / 3600 ? from % 3600 : 0, minute, second);

	if (h >= 0 && rest < 0) { /* too late in this hour */
		h = first_match(hour, h + 1, 24);
		rest = alarm_in_hour(0, minute, second);
	}
	return h < 0 || rest < 0 ? -1 : h * 3600 + rest;
}
