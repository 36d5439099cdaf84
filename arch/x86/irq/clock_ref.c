/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the host's HPET, PM timer and PIT, which serve for calibration only. */
/* Raises no interrupts from them. */
#include "arch/x86/irq/clock_ref.h"

#include "arch/paging.h"
#include "arch/pio.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/acpi/acpi_tables.h"

/* "IA-PC HPET Specification", "Register Overview"; offsets in 32-bit words */
#define HPET_SIZE	0x400u
#define HPET_PERIOD	(0x004u / 4) /* high half of the capabilities: femtoseconds */
#define HPET_CONFIG	(0x010u / 4)
#define HPET_COUNTER	(0x0f0u / 4)
#define HPET_ENABLE	1u
#define HPET_PERIOD_MAX 100000000u /* the specification's; also catches FFFFFFFFh */

/* "ACPI Specification", "Power Management Timer": 3.579545 MHz */
#define PM_PERIOD_FS 279365115ul

/* "8254 Programmable Interval Timer"; channel 2, whose gate is in port 61h: 1.193182 MHz */
#define PIT_PERIOD_FS  838095110ul
#define PIT_CHANNEL2   0x42u
#define PIT_COMMAND    0x43u
#define PIT_CH2_RATE   0xb4u /* channel 2, low then high byte, mode 2 */
#define PIT_CH2_LATCH  0x80u
#define PIT_GATE       0x61u
#define PIT_GATE_ON    0x01u
#define PIT_SPEAKER_ON 0x02u

static volatile uint32_t *hpet;
static uint16_t pm_port;

static uint32_t hpet_read(void)
{
	return hpet[HPET_COUNTER];
}

static uint32_t pm_read(void)
{
	return pio_in32(pm_port);
}

static uint32_t pit_read(void)
{
	pio_out8(PIT_COMMAND, PIT_CH2_LATCH);
	uint32_t low = pio_in8(PIT_CHANNEL2);

	return low | (uint32_t)pio_in8(PIT_CHANNEL2) << 8;
}

static bool start_hpet(struct clock_counter *out)
{
	if (acpi()->hpet.v == 0) {
		return false;
	}
	hpet = paging_map_device(acpi()->hpet, HPET_SIZE);
	if (hpet == NULL || hpet[HPET_PERIOD] == 0 || hpet[HPET_PERIOD] > HPET_PERIOD_MAX) {
		return false;
	}
	hpet[HPET_CONFIG] = hpet[HPET_CONFIG] | HPET_ENABLE;
	*out = (struct clock_counter){
		.name = "HPET",
		.period_fs = hpet[HPET_PERIOD],
		.mask = UINT32_MAX,
		.read = hpet_read,
	};
	return true;
}

static bool start_pm_timer(struct clock_counter *out)
{
	const struct acpi_register *r = &acpi()->pm_timer;

	if (r->space != ACPI_SPACE_IO || r->address == 0 || r->address > UINT16_MAX) {
		return false;
	}
	pm_port = (uint16_t)r->address;
	*out = (struct clock_counter){
		.name = "ACPI PM timer",
		.period_fs = PM_PERIOD_FS,
		.mask = acpi()->pm_timer_32bit ? UINT32_MAX : 0xffffff,
		.read = pm_read,
	};
	return true;
}

static bool start_pit(struct clock_counter *out)
{
	unsigned int gate = pio_in8(PIT_GATE) & ~(PIT_GATE_ON | PIT_SPEAKER_ON);

	pio_out8(PIT_GATE, (uint8_t)(gate | PIT_GATE_ON));
	pio_out8(PIT_COMMAND, PIT_CH2_RATE);
	pio_out8(PIT_CHANNEL2, 0); /* 0 stands for 65536 */
	pio_out8(PIT_CHANNEL2, 0);
	*out = (struct clock_counter){
		.name = "PIT",
		.period_fs = PIT_PERIOD_FS,
		.mask = 0xffff,
		.down = true,
		.read = pit_read,
	};
	return true;
}

unsigned int clock_ref_list(struct clock_counter refs[CLOCK_REFS_MAX])
{
	unsigned int n = 0;

	n += start_hpet(&refs[n]);
	n += start_pm_timer(&refs[n]);
	n += start_pit(&refs[n]);
	return n;
}
