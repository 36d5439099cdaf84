/* SPDX-License-Identifier: BSD-2-Clause */
/* The battery clock (MC146818): the date at boot. */
/* Is never set, and raises no interrupts. */
#ifndef ARCH_X86_IRQ_RTC_H
#define ARCH_X86_IRQ_RTC_H

#include "hv/lib/types.h"

/* As the registers hold it. */
struct rtc_regs {
	uint8_t second;
	uint8_t minute;
	uint8_t hour; /* bit 7: PM, in 12-hour mode */
	uint8_t day;
	uint8_t month;
	uint8_t year;
	uint8_t century;  /* 0: the machine has none */
	uint8_t status_b; /* bit 1: 24 hours, bit 2: binary */
};

/* Seconds since 1970-01-01 UTC, taking the clock for UTC; 0 if the registers hold no date. */
uint64_t rtc_to_seconds(const struct rtc_regs *r);
/* Reads the host's; 0 if it has none. Takes up to a few milliseconds. */
uint64_t rtc_host_seconds(void);

#endif
