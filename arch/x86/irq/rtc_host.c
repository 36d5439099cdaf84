/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the host's battery clock between two of its updates. */
/* Does no date arithmetic. */
#include "arch/pio.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/irq/rtc.h"
#include "hv/lib/string.h"

#define RTC_INDEX 0x70u
#define RTC_DATA  0x71u

/* "MC146818A", "Time, Calendar, and Alarm Locations" */
enum rtc_reg {
	RTC_SECONDS = 0,
	RTC_MINUTES = 2,
	RTC_HOURS = 4,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_A = 10,
	RTC_B = 11,
};

#define A_UPDATING 0x80u
#define SPINS	   10000u /* an update takes 2 ms, a port access 1 us or so */
#define TRIES	   5u

static uint8_t reg_read(uint8_t reg)
{
	pio_out8(RTC_INDEX, reg);
	return pio_in8(RTC_DATA);
}

static struct rtc_regs read_once(void)
{
	uint8_t century = acpi()->century;

	for (unsigned int i = 0; i < SPINS && (reg_read(RTC_A) & A_UPDATING) != 0; i++) {
	}
	return (struct rtc_regs){
		.second = reg_read(RTC_SECONDS),
		.minute = reg_read(RTC_MINUTES),
		.hour = reg_read(RTC_HOURS),
		.day = reg_read(RTC_DAY),
		.month = reg_read(RTC_MONTH),
		.year = reg_read(RTC_YEAR),
		.century = century != 0 ? reg_read(century) : 0,
		.status_b = reg_read(RTC_B),
	};
}

uint64_t rtc_host_seconds(void)
{
	if (acpi()->no_rtc) {
		return 0;
	}
	struct rtc_regs a = read_once();

	for (unsigned int i = 0; i < TRIES; i++) {
		struct rtc_regs b = read_once();

		if (memcmp(&a, &b, sizeof(a)) == 0) {
			break;
		}
		a = b; /* an update fell between: take the later if they never agree */
	}
	return rtc_to_seconds(&a);
}
