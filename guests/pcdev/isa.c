/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of the RTC, the keyboard controller, the UART and port 61h. */
/* The UART is COM1, which this guest also prints on. */
#include "guests/lib/cpu.h"
#include "guests/lib/pic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/pcdev/check.h"

#define RTC_A	0x0a
#define RTC_B	0x0b
#define RTC_C	0x0c
#define RTC_D	0x0d
#define RTC_IRQ 8u
#define B_PIE	0x40
#define B_UIE	0x10
#define B_BIN	0x04

#define COM1	 0x3f8
#define COM1_IRQ 4u
#define MS	 (PIT_HZ / 1000)

static uint8_t cmos_read(uint8_t index)
{
	pio_out8(0x70, index);
	return pio_in8(0x71);
}

static void cmos_write(uint8_t index, uint8_t val)
{
	pio_out8(0x70, index);
	pio_out8(0x71, val);
}

static unsigned int rtc_number(uint8_t index)
{
	uint8_t val = cmos_read(index);

	return cmos_read(RTC_B) & B_BIN ? val : (val >> 4) * 10u + (val & 15);
}

static bool rtc_time(void)
{
	unsigned int i;

	for (i = 0; i < 100 && (cmos_read(RTC_A) & 0x80); i++) {
		(void)pit_spin(MS);
	}
	if (rtc_number(0) > 59 || rtc_number(2) > 59 || rtc_number(4) > 23 || rtc_number(7) < 1 ||
	    rtc_number(7) > 31 || rtc_number(8) < 1 || rtc_number(8) > 12 || rtc_number(9) > 99) {
		return CHECK_FAIL("%u:%u:%u %u.%u.%u", rtc_number(4), rtc_number(2), rtc_number(0),
				  rtc_number(7), rtc_number(8), rtc_number(9));
	}
	return (cmos_read(RTC_D) & 0x80) != 0; /* the battery is good */
}

static bool rtc_memory(void)
{
	uint8_t old = cmos_read(0x7f), got;

	cmos_write(0x7f, 0xa5);
	got = cmos_read(0x7f);
	cmos_write(0x7f, old);
	return got == 0xa5;
}

/* Interrupts of one kind; register C must be read for the next to come. */
static bool rtc_interrupt(uint8_t enable, unsigned int tries)
{
	uint8_t b = cmos_read(RTC_B), flags = 0;
	unsigned int i, counted;

	check_count(PIC_VECTOR + RTC_IRQ);
	pic_unmask(RTC_IRQ);
	(void)cmos_read(RTC_C);
	cmos_write(RTC_B, b | enable);
	for (i = 0; i < tries && check_counted() == 0; i++) {
		(void)check_wait(1);
	}
	counted = check_counted();
	flags = cmos_read(RTC_C);
	cmos_write(RTC_B, b);
	(void)cmos_read(RTC_C);
	cpu_sti(); /* one more may have come meanwhile: the PIC must not keep it for the next check */
	(void)pit_spin(MS);
	cpu_cli();
	pic_mask(RTC_IRQ);
	return counted == 1 && (flags & (0x80 | enable)) == (0x80 | enable);
}

static bool rtc_periodic(void)
{
	cmos_write(RTC_A, 0x26); /* 1,024 Hz */
	return rtc_interrupt(B_PIE, 1);
}

static bool rtc_update(void)
{
	return rtc_interrupt(B_UIE, 12);
}

/* ---- 8042 ---- */

static bool kbd_answer(uint8_t *val)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		if (pio_in8(0x64) & 1) {
			*val = pio_in8(0x60);
			return true;
		}
		(void)pit_spin(MS / 2);
	}
	return false;
}

static bool kbd_ask(uint16_t port, uint8_t command, uint8_t want)
{
	uint8_t got = 0;
	unsigned int i;

	for (i = 0; i < 16 && (pio_in8(0x64) & 1); i++) {
		(void)pio_in8(0x60);
	}
	pio_out8(port, command);
	return kbd_answer(&got) && got == want ? true : CHECK_FAIL("%x: %x", command, got);
}

static bool kbd_self_test(void)
{
	return kbd_ask(0x64, 0xaa, 0x55) && kbd_ask(0x64, 0xab, 0x00);
}

static bool kbd_command_byte(void)
{
	pio_out8(0x64, 0x60);
	pio_out8(0x60, 0x74);
	return kbd_ask(0x64, 0x20, 0x74);
}

static bool kbd_keyboard(void)
{
	pio_out8(0x64, 0xae);
	return kbd_ask(0x60, 0xee, 0xee) && kbd_ask(0x60, 0xf4, 0xfa);
}

/* ---- 16550 ---- */

static bool uart_scratch(void)
{
	pio_out8(COM1 + 7, 0x5a);
	return pio_in8(COM1 + 7) == 0x5a;
}

static bool uart_divisor(void)
{
	uint8_t low;

	print_drain();
	pio_out8(COM1 + 3, 0x83);
	low = pio_in8(COM1);
	pio_out8(COM1 + 3, 0x03);
	return low == 1;
}

static bool uart_fifo(void)
{
	return (pio_in8(COM1 + 2) & 0xc0) == 0xc0;
}

/* A byte sent in loop-back comes in again. */
static bool uart_loopback(void)
{
	uint8_t mcr = pio_in8(COM1 + 4), got, modem;

	print_drain();
	pio_out8(COM1 + 4, 0x1a);
	modem = pio_in8(COM1 + 6);
	pio_out8(COM1, 0xc3);
	(void)pit_spin(MS);
	got = pio_in8(COM1 + 5) & 1 ? pio_in8(COM1) : 0;
	pio_out8(COM1 + 4, mcr);
	return got == 0xc3 && (modem & 0xf0) == 0x90 ? true : CHECK_FAIL("%x %x", got, modem);
}

static bool uart_interrupt(void)
{
	uint8_t mcr = pio_in8(COM1 + 4), cause;

	print_drain();
	check_count(PIC_VECTOR + COM1_IRQ);
	pic_unmask(COM1_IRQ);
	pio_out8(COM1 + 4, mcr | 0x08); /* OUT2 lets it through */
	pio_out8(COM1 + 1, 0x02);	/* transmitter empty: at once */
	(void)check_wait(1);
	cause = pio_in8(COM1 + 2);
	pio_out8(COM1 + 1, 0);
	pio_out8(COM1 + 4, mcr);
	pic_mask(COM1_IRQ);
	return check_counted() == 1 && (cause & 0x0f) == 0x02;
}

/* ---- port 61h ---- */

static bool port61(void)
{
	uint8_t first = pio_in8(0x61) & 0x10;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		if ((pio_in8(0x61) & 0x10) != first) {
			return true; /* the refresh bit toggles */
		}
		__asm__ volatile("pause");
	}
	return false;
}

static const struct check rows[] = {
	{ "rtc_time", rtc_time },
	{ "rtc_memory", rtc_memory },
	{ "rtc_periodic", rtc_periodic },
	{ "rtc_update", rtc_update },
	{ "kbd_self_test", kbd_self_test },
	{ "kbd_command_byte", kbd_command_byte },
	{ "kbd_keyboard", kbd_keyboard },
	{ "uart_scratch", uart_scratch },
	{ "uart_divisor", uart_divisor },
	{ "uart_fifo", uart_fifo },
	{ "uart_loopback", uart_loopback },
	{ "uart_interrupt", uart_interrupt },
	{ "port61", port61 },
};

const struct check_table check_isa = { ARRAY_SIZE(rows), rows };
