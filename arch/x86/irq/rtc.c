/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes seconds of the registers of an MC146818. */
/* Reading them from the host is rtc_host.c. */
#include "arch/x86/irq/rtc.h"

#include "hv/lib/types.h"

/* "MC146818A Real-Time Clock Plus RAM", "Register B" */
#define B_24_HOURS 0x02u
#define B_BINARY   0x04u
#define HOUR_PM	   0x80u

static unsigned int decode(uint8_t val, bool binary)
{
	return binary ? val : (val >> 4) * 10u + (val & 15u);
}

static unsigned int decode_hour(const struct rtc_regs *r, bool binary)
{
	unsigned int hour = decode(r->hour & (uint8_t)~HOUR_PM, binary);

	if ((r->status_b & B_24_HOURS) != 0) {
		return hour;
	}
	return hour % 12 + (r->hour & HOUR_PM ? 12 : 0);
}

/* Days from 1970-01-01; years begin in March here, so that the leap day is their last. */
static uint64_t days(unsigned int year, unsigned int month, unsigned int day)
{
	unsigned int y = month <= 2 ? year - 1 : year;
	unsigned int m = (month + 9) % 12;

	return y * 365ul + y / 4 - y / 100 + y / 400 + (m * 306ul + 5) / 10 + day - 1 - 719468;
}

uint64_t rtc_to_seconds(const struct rtc_regs *r)
{
	bool binary = (r->status_b & B_BINARY) != 0;
	unsigned int second = decode(r->second, binary);
	unsigned int minute = decode(r->minute, binary);
	unsigned int hour = decode_hour(r, binary);
	unsigned int day = decode(r->day, binary);
	unsigned int month = decode(r->month, binary);
	unsigned int year = decode(r->year, binary);
	unsigned int century = decode(r->century, binary);

	if (second > 59 || minute > 59 || hour > 23 || day < 1 || day > 31 || month < 1 ||
	    month > 12 || year > 99) {
		return 0;
	}
	year += (century >= 19 && century <= 99 ? century : year < 70 ? 20 : 19) * 100;
	if (year < 1970) {
		return 0;
	}
	return ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}
