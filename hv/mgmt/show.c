/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns formatting of times, dates, percentages and addresses. */
/* Asks no clock. */
#include "hv/mgmt/show.h"
#include "hv/lib/fmt.h"

#define DAY 86400u

const char *show_time(char *buf, size_t size, uint64_t ns)
{
	uint64_t s = ns / 1000000000;

	if (s < 60) {
		fmt_snprintf(buf, size, "%lu.%03lu s", s, ns / 1000000 % 1000);
	} else if (s < DAY) {
		fmt_snprintf(buf, size, "%02lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	} else {
		fmt_snprintf(buf, size, "%lud %02lu:%02lu:%02lu", s / DAY, s / 3600 % 24,
			     s / 60 % 60, s % 60);
	}
	return buf;
}

const char *show_percent(char *buf, size_t size, uint64_t part, uint64_t whole)
{
	uint64_t tenths;

	while (whole > UINT64_MAX / 2048 || part > UINT64_MAX / 2048) {
		whole /= 2;
		part /= 2;
	}
	tenths = whole > 0 ? (part * 1000 + whole / 2) / whole : 0;
	fmt_snprintf(buf, size, "%lu.%lu", tenths / 10, tenths % 10);
	return buf;
}

static bool is_leap(uint64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint64_t month_days(uint64_t year, uint64_t month)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 1 && is_leap(year) ? 29 : lengths[month];
}

const char *show_date(char *buf, size_t size, uint64_t seconds)
{
	uint64_t days = seconds / DAY, s = seconds % DAY, year = 1970, month = 0;

	for (; days >= 365u + is_leap(year) && year < 9999; year++) {
		days -= 365u + is_leap(year);
	}
	for (; month < 11 && days >= month_days(year, month); month++) {
		days -= month_days(year, month);
	}
	fmt_snprintf(buf, size, "%04lu-%02lu-%02lu %02lu:%02lu:%02lu UTC", year, month + 1,
		     days + 1, s / 3600, s / 60 % 60, s % 60);
	return buf;
}

const char *show_ip(char *buf, size_t size, uint32_t ip)
{
	if (ip == 0) {
		fmt_snprintf(buf, size, "-");
	} else {
		fmt_snprintf(buf, size, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
			     ip & 255);
	}
	return buf;
}

const char *show_mac(char *buf, size_t size, const uint8_t mac[6])
{
	fmt_snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		     mac[4], mac[5]);
	return buf;
}
