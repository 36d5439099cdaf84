/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer chip on its ports: irq 0 from counter 0, gate and output of counter 2, refresh, */
/* read-back, saving. The counters themselves: test_vpit_counter.c. */
/* TEST_SOURCES: drivers/emul/vpit.c drivers/emul/vpit_counter.c drivers/emul/vpic.c */
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

#define CLK_NS(n) (((n)*1000000000ul + 1193181) / 1193182) /* until n clocks have passed */

static void init_pic(void)
{
	outb(0x20, 0x13);
	outb(0x21, 0x20);
	outb(0x21, 0x01);
}

static void program(uint8_t control, uint16_t count)
{
	uint16_t port = (uint16_t)(0x40 + (control >> 6));

	outb(0x43, control);
	outb(port, (uint8_t)count);
	outb(port, (uint8_t)(count >> 8));
}

static unsigned int ticks_in(uint64_t ns)
{
	uint64_t step = 10000;
	unsigned int ticks = 0;

	for (; ns >= step; ns -= step) {
		fake_pass(step);
		if (fake_intr) {
			ticks++;
			fake_acknowledge();
			outb(0x20, 0x20);
		}
	}
	return ticks;
}

static void test_periodic(void **state)
{
	(void)state;
	init_pic();
	program(0x34, 11932); /* mode 2, 100 Hz */
	assert_in_range(ticks_in(1000000000), 99, 100);
	program(0x36, 1193); /* mode 3, 1 kHz */
	assert_in_range(ticks_in(100000000), 99, 101);
}

static void test_one_shot(void **state)
{
	(void)state;
	init_pic();
	program(0x30, 1193);
	assert_int_equal(ticks_in(990000), 0);
	assert_int_equal(ticks_in(20000), 1);
	assert_int_equal(timer_next(), CLOCK_NEVER); /* and no alarm any more */
	assert_int_equal(ticks_in(100000000), 0);
	program(0x38, 1193); /* mode 4 */
	assert_int_equal(ticks_in(2000000), 1);
	assert_int_equal(timer_next(), CLOCK_NEVER);
}

static void test_no_alarm_without_count(void **state)
{
	(void)state;
	assert_int_equal(timer_next(), CLOCK_NEVER);
	outb(0x43, 0x34);
	assert_int_equal(timer_next(), CLOCK_NEVER);
	program(0xb6, 100); /* counter 2 needs none */
	program(0x74, 18);
	assert_int_equal(timer_next(), CLOCK_NEVER);
}

/* A count of 2 asks for 600,000 interrupts a second. */
static void test_flood_is_bounded(void **state)
{
	unsigned int fired = 0;

	(void)state;
	program(0x34, 2);
	for (uint64_t end = fake_now + 10000000; timer_next() < end; fired++) {
		fake_pass(timer_next() - fake_now);
	}
	assert_in_range(fired, 400, 510);
}

/* An edge that is due is not lost when the guest writes before the alarm was taken. */
static void test_late_alarm(void **state)
{
	(void)state;
	init_pic();
	program(0x34, 1193);
	fake_now += 1100000;
	outb(0x40, 0xff);
	assert_true(fake_intr);
}

/* The VM did not have the CPU: it gets all its ticks afterwards, closely spaced, and then no more. */
static void test_missed_ticks(void **state)
{
	(void)state;
	init_pic();
	program(0x34, 11932); /* 100 Hz */
	assert_int_equal(ticks_in(10010000), 1);
	fake_pass(50000000); /* five edges; the first waits in the PIC */
	assert_int_equal(ticks_in(1000000), 5);
	assert_int_equal(ticks_in(8000000), 0);
	assert_in_range(ticks_in(1000000000), 99, 101);
}

/* Late alarms alone lose nothing either, and what is owed has a bound. */
static void test_missed_ticks_have_a_bound(void **state)
{
	(void)state;
	init_pic();
	program(0x34, 11932);
	fake_pass(100000000000ul);
	assert_in_range(ticks_in(1000000000), 190, 202);
	assert_in_range(ticks_in(1000000000), 99, 101);
}

/* Programming it anew forgives the debt; a masked line has none. */
static void test_no_debt(void **state)
{
	(void)state;
	init_pic();
	program(0x34, 11932);
	fake_pass(55000000);
	program(0x34, 11932);
	assert_int_equal(ticks_in(9000000), 1); /* the one in the PIC */
	outb(0x21, 0x01);
	fake_pass(500000000);
	outb(0x21, 0x00);
	assert_in_range(ticks_in(100000000), 10, 12);
}

static void test_speaker_gate(void **state)
{
	(void)state;
	assert_int_equal(inb(0x61) & 0xcf, 0);
	outb(0x61, 0xff);
	assert_int_equal(inb(0x61) & 0xcf, 0x0f);
	program(0xb0, 1000); /* counter 2, mode 0: as Linux measures the TSC */
	assert_int_equal(inb(0x61) & 0x20, 0);
	fake_pass(CLK_NS(500ul));
	outb(0x61, 0); /* gate low: it stands still */
	fake_pass(CLK_NS(2000ul));
	assert_int_equal(inb(0x61) & 0x20, 0);
	outb(0x61, 1);
	fake_pass(CLK_NS(490ul));
	assert_int_equal(inb(0x61) & 0x20, 0);
	fake_pass(CLK_NS(15ul));
	assert_int_equal(inb(0x61) & 0x20, 0x20);
}

static void test_refresh_toggles(void **state)
{
	unsigned int toggles = 0;
	uint8_t last = inb(0x61) & 0x10;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		fake_pass(1000);
		toggles += (inb(0x61) & 0x10) != last;
		last = inb(0x61) & 0x10;
	}
	assert_in_range(toggles, 65, 67); /* every 15.085 us */
}

static void test_read_back(void **state)
{
	uint8_t low;

	(void)state;
	program(0x36, 5000);
	program(0xb0, 4000);
	fake_pass(CLK_NS(2ul));
	outb(0x43, 0xca); /* count and status of counters 0 and 2 */
	fake_pass(1000000);
	assert_int_equal(inb(0x40), 0xb6);
	low = inb(0x40);
	assert_in_range(low | inb(0x40) << 8, 4990, 5000);
	assert_int_equal(inb(0x42) & 0x3f, 0x30);
	assert_int_equal(inb(0x43), 0xff);
	assert_int_equal(fake_in(0x40, 4) >> 24, 0xff);
}

static void test_save_and_load(void **state)
{
	(void)state;
	init_pic();
	program(0x30, 11932); /* 10 ms */
	fake_pass(4000000);
	assert_int_equal(fake_pc_save_and_load("pit", 1000000000), 0);
	assert_int_equal(ticks_in(5900000), 0); /* the pause does not count */
	assert_int_equal(ticks_in(200000), 1);
	for (size_t at = 0; at < fake_pc_state_size("pit"); at++) {
		if (fake_pc_load_corrupt("pit", at, 0x7f) == 0) {
			fake_in(0x40, 4);
			fake_pass(1000000);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, fake_pc_start, fake_pc_stop)
		T(test_periodic),
		T(test_one_shot),
		T(test_no_alarm_without_count),
		T(test_flood_is_bounded),
		T(test_late_alarm),
		T(test_missed_ticks),
		T(test_missed_ticks_have_a_bound),
		T(test_no_debt),
		T(test_speaker_gate),
		T(test_refresh_toggles),
		T(test_read_back),
		T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
