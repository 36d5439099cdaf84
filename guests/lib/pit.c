/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 as an operating system drives it. */
/* Interrupt 0 is the PIC's or the IO-APIC's business. */
#include "guests/lib/pit.h"
#include "guests/lib/cpu.h"

#define CHANNEL0 0x40
#define CHANNEL2 0x42
#define CONTROL	 0x43
#define PORT61	 0x61

#define MODE0_CH0 0x30 /* low byte, high byte, interrupt on terminal count */
#define MODE2_CH0 0x34 /* rate generator */
#define MODE0_CH2 0xb0
#define LATCH_CH0 0x00

#define P61_GATE2 0x01
#define P61_SPKR  0x02
#define P61_OUT2  0x20

static void load(uint16_t port, uint8_t control, unsigned int ticks)
{
	pio_out8(CONTROL, control);
	pio_out8(port, (uint8_t)ticks);
	pio_out8(port, (uint8_t)(ticks >> 8));
}

void pit_once(unsigned int ticks)
{
	load(CHANNEL0, MODE0_CH0, ticks);
}

void pit_periodic(unsigned int ticks)
{
	load(CHANNEL0, MODE2_CH0, ticks);
}

void pit_stop(void)
{
	pio_out8(CONTROL, MODE0_CH0); /* counting waits for a count that does not come */
}

uint16_t pit_count(void)
{
	uint8_t low;

	pio_out8(CONTROL, LATCH_CH0);
	low = pio_in8(CHANNEL0);
	return (uint16_t)(low | pio_in8(CHANNEL0) << 8);
}

uint64_t pit_spin(unsigned int ticks)
{
	uint64_t start;

	pio_out8(PORT61, (uint8_t)((pio_in8(PORT61) & ~P61_SPKR) | P61_GATE2));
	load(CHANNEL2, MODE0_CH2, ticks);
	start = cpu_tsc();
	while (!(pio_in8(PORT61) & P61_OUT2)) {
	}
	return cpu_tsc() - start;
}
