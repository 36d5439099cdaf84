/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock chip: time in all formats, setting it, update cycle, the three interrupts and when */
/* they need an alarm, CMOS memory. The calendar itself: test_rtc_date.c. */
/* TEST_SOURCES: drivers/emul/vrtc.c drivers/emul/rtc_date.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "arch/clock.h"
#include "hv/timer.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_pc.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND 1000000000ul

static bool irq8;

static void watch_line(void *chip UNUSED, unsigned int pin, bool level)
{
	if (pin == 8) {
		irq8 = level;
	}
}

static const struct virq_chip_ops watcher = { .set_line = watch_line };

static int start(void **state)
{
	fake_pc_start(state);
	fake_vm.virq.pic_ops = &watcher;
	irq8 = false;
	return 0;
}

static uint8_t get(uint8_t at)
{
	outb(0x70, at);
	return inb(0x71);
}

static void set(uint8_t at, uint8_t val)
{
	outb(0x70, at);
	outb(0x71, val);
}

/* hour, minute, second as three bytes */
static uint32_t hms(void)
{
	return (uint32_t)get(4) << 16 | (uint32_t)get(2) << 8 | get(0);
}

/* 1,000,000,000 s is Sunday, 9 September 2001, 01:46:40. */
static void test_time(void **state)
{
	(void)state;
	assert_int_equal(get(0x0d), 0x80);
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(hms(), 0x014640);
	assert_int_equal(get(6), 1);
	assert_int_equal(get(7), 0x09);
	assert_int_equal(get(8), 0x09);
	assert_int_equal(get(9), 0x01);
	assert_int_equal(get(0x32), 0x20);
	fake_pass(80 * SECOND);
	assert_int_equal(hms(), 0x014800);
	assert_int_equal(inb(0x70), 0xff);
}

static void test_formats(void **state)
{
	(void)state;
	set(0x0b, 0x06); /* binary */
	assert_int_equal(hms(), 1 << 16 | 46 << 8 | 40);
	set(0x0b, 0x00); /* 12 hours, BCD */
	assert_int_equal(hms(), 0x014640);
	fake_pass(12 * 3600 * SECOND);
	assert_int_equal(get(4), 0x81); /* 1 pm */
	fake_pass(11 * 3600 * SECOND);
	assert_int_equal(get(4), 0x12); /* midnight … */
	set(4, 0x92);
	set(0x0b, 0x02);
	assert_int_equal(get(4), 0x12); /* noon */
}

static void test_set_while_stopped(void **state)
{
	static const uint8_t date[] = { 0,    0x30, 2,	  0x59, 4,    0x23, 6,
					0x03, 7,    0x31, 8,	0x12, 9,    0x99 };

	(void)state;
	set(0x0b, 0x82);
	for (unsigned int i = 0; i < sizeof(date); i += 2) {
		set(date[i], date[i + 1]);
	}
	set(0x32, 0x19);
	fake_pass(5 * SECOND);
	assert_int_equal(hms(), 0x235930); /* it stands still */
	set(0x0b, 0x02);
	fake_pass(29 * SECOND);
	assert_int_equal(hms(), 0x235959);
	fake_pass(SECOND);
	assert_int_equal(hms(), 0);
	assert_int_equal(get(0x32), 0x20);
	assert_int_equal(get(9), 0);
	assert_int_equal(get(8), 1);
	assert_int_equal(get(6), 4); /* counted on from what was set */
}

/* "Divider Control": the first update comes half a second after the reset ends. */
static void test_divider_reset(void **state)
{
	(void)state;
	fake_pass(SECOND / 4);
	set(0x0a, 0x70);
	set(0, 0x00);
	fake_pass(3 * SECOND);
	assert_int_equal(get(0), 0);
	set(0x0a, 0x26);
	fake_pass(SECOND / 2 - 100000);
	assert_int_equal(get(0), 0);
	fake_pass(200000);
	assert_int_equal(get(0), 1);
}

static void test_update_in_progress(void **state)
{
	unsigned int changed = 0;
	uint64_t up = 0;

	(void)state;
	for (uint64_t t = 0; t < SECOND; t += 10000) {
		bool uip = get(0x0a) & 0x80;
		uint8_t before = get(0);

		up += uip ? 10 : 0;
		fake_pass(10000);
		if (get(0) != before) {
			changed++;
			assert_true(uip); /* never without warning */
		}
	}
	assert_int_equal(changed, 1);
	assert_in_range(up, 2200, 2260); /* microseconds */
	set(0x0b, 0x82);
	fake_pass(SECOND - 1000000);
	assert_int_equal(get(0x0a) & 0x80, 0);
}

static void test_update_interrupt(void **state)
{
	(void)state;
	assert_int_equal(timer_next(), CLOCK_NEVER);
	set(0x0b, 0x12);
	assert_true(timer_next() <= fake_now + SECOND);
	fake_pass(SECOND);
	assert_true(irq8);
	assert_int_equal(timer_next(), CLOCK_NEVER); /* it is up: nothing to wait for */
	assert_int_equal(get(0x0c) & ~0x40, 0x90);
	assert_false(irq8);
	assert_int_equal(get(0x0c), 0);
	fake_pass(SECOND);
	assert_true(irq8);
	set(0x0b, 0x92); /* SET clears UIE */
	assert_int_equal(get(0x0b), 0x82);
	assert_false(irq8);
}

static void test_flags_without_interrupts(void **state)
{
	(void)state;
	get(0x0c);
	fake_pass(3 * SECOND);
	assert_int_equal(timer_next(), CLOCK_NEVER);
	assert_int_equal(get(0x0c) & 0xf0, 0x50); /* update and periodic, no IRQF */
	assert_int_equal(get(0x0c) & 0xf0, 0);
}

static void test_periodic_interrupt(void **state)
{
	unsigned int count = 0;

	(void)state;
	set(0x0b, 0x42);
	for (unsigned int i = 0; i < 10000; i++) {
		fake_pass(100000);
		if (irq8) {
			count++;
			assert_int_equal(get(0x0c) & 0xc0, 0xc0);
		}
	}
	assert_in_range(count, 1023, 1025);
	set(0x0a, 0x2f); /* 2 Hz */
	get(0x0c);
	fake_pass(SECOND / 2 + 1000);
	assert_true(irq8);
	get(0x0c);
	set(0x0a, 0x20); /* none */
	fake_pass(2 * SECOND);
	assert_false(irq8);
}

static void test_alarm(void **state)
{
	(void)state;
	set(5, 0x01);
	set(3, 0x47);
	set(1, 0x05);
	set(0x0b, 0x22);
	fake_pass(24 * SECOND);
	assert_false(irq8);
	fake_pass(SECOND);
	assert_true(irq8);
	assert_int_equal(get(0x0c) & 0xb0, 0xb0);
	fake_pass(86399 * SECOND);
	assert_false(irq8);
	fake_pass(SECOND); /* again a day later */
	assert_true(irq8);
}

static void test_alarm_wildcards(void **state)
{
	(void)state;
	set(5, 0xff);
	set(3, 0xc0);
	set(1, 0x10);
	set(0x0b, 0x22);
	fake_pass(29 * SECOND);
	assert_false(irq8);
	fake_pass(SECOND);
	assert_true(irq8);
	get(0x0c);
	fake_pass(60 * SECOND);
	assert_true(irq8);
	set(1, 0x77); /* never */
	get(0x0c);
	assert_int_equal(timer_next(), CLOCK_NEVER);
}

static void test_memory(void **state)
{
	(void)state;
	assert_int_equal(get(0x15) | get(0x16) << 8, 640);
	assert_int_equal(get(0x30) | get(0x31) << 8, 0xffff);
	assert_int_equal(get(0x34) | get(0x35) << 8, (0xc0000000 - 0x1000000) / 65536);
	assert_int_equal(get(0x5b) | get(0x5c) << 8, 0x8000); /* 2 GiB above 4 GiB */
	set(0x0f, 0x0a);
	set(0x7f, 0x55);
	set(0x0d, 0x00); /* read-only */
	assert_int_equal(get(0x0f), 0x0a);
	assert_int_equal(get(0xff), 0x55); /* bit 7 is the NMI mask */
	assert_int_equal(get(0x0d), 0x80);
}

static void test_reset_keeps_the_time(void **state)
{
	(void)state;
	set(0x0b, 0x72);
	set(0x40, 0x99);
	fake_pass(5 * SECOND + SECOND / 2);
	fake_pc_reset();
	assert_false(irq8);
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(get(0x0c), 0);
	assert_int_equal(get(0x40), 0x99);
	assert_int_equal(hms(), 0x014645);
}

static void test_any_bytes_as_date(void **state)
{
	(void)state;
	for (unsigned int val = 0; val < 256; val++) {
		for (unsigned int b = 0; b < 8; b += 2) {
			set(0x0b, (uint8_t)b);
			for (uint8_t at = 0; at < 10; at++) {
				set(at, (uint8_t)val);
			}
			set(0x32, (uint8_t)val);
			fake_pass(SECOND);
			hms();
		}
	}
	assert_int_equal(fake_pc_save_and_load("rtc", 0), 0);
}

static void test_save_and_load(void **state)
{
	(void)state;
	set(0x0b, 0x12);
	assert_int_equal(fake_pc_save_and_load("rtc", 3 * SECOND), 0);
	assert_false(irq8);
	assert_int_equal(hms(), 0x014640); /* the pause did not count */
	fake_pass(SECOND);
	assert_true(irq8);
	for (size_t at = 0; at < fake_pc_state_size("rtc"); at++) {
		if (fake_pc_load_corrupt("rtc", at, 0xff) == 0) {
			hms();
			fake_pass(SECOND);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, start, fake_pc_stop)
		T(test_time),
		T(test_formats),
		T(test_set_while_stopped),
		T(test_divider_reset),
		T(test_update_in_progress),
		T(test_update_interrupt),
		T(test_flags_without_interrupts),
		T(test_periodic_interrupt),
		T(test_alarm),
		T(test_alarm_wildcards),
		T(test_memory),
		T(test_reset_keeps_the_time),
		T(test_any_bytes_as_date),
		T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
