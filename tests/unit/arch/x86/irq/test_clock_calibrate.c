/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the calibration against simulated counters: fast, slow, wrapping, noisy, dead. */
/* TEST_SOURCES: arch/x86/irq/clock_calibrate.c arch/x86/irq/clock_scale.c */
#include "arch/x86/irq/clock_calibrate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FS 1000000000000000ul

/* The world: time in ns; every reading takes some, and now and then a pause. */
static struct {
	uint64_t now_ns;
	uint64_t start_ns;
	uint64_t tsc_hz;
	uint64_t counter_fs;
	uint64_t read_ns;
	uint64_t pause_ns; /* every pause_every readings */
	unsigned int pause_every;
	unsigned int reads;
	uint32_t offset;  /* of the counter */
	uint64_t dies_ns; /* the counter stands still from then on */
	bool down;
} sim;

static void spend(uint64_t ns)
{
	sim.now_ns += ns;
	if (sim.pause_every != 0 && ++sim.reads % sim.pause_every == 0) {
		sim.now_ns += sim.pause_ns;
	}
}

static uint64_t tsc(void)
{
	spend(5);
	return (uint64_t)((unsigned __int128)sim.now_ns * sim.tsc_hz / 1000000000);
}

static uint32_t counter(void)
{
	spend(sim.read_ns);
	uint64_t ns = u64_min(sim.now_ns, sim.dies_ns);
	uint32_t count = (uint32_t)((unsigned __int128)ns * 1000000 / sim.counter_fs);

	return sim.down ? sim.offset - count : sim.offset + count;
}

static void start(uint64_t tsc_hz, uint64_t counter_fs, uint64_t read_ns)
{
	memset(&sim, 0, sizeof(sim));
	sim.now_ns = sim.start_ns = 123456789;
	sim.tsc_hz = tsc_hz;
	sim.counter_fs = counter_fs;
	sim.read_ns = read_ns;
	sim.dies_ns = UINT64_MAX;
}

static struct clock_counter describe(uint32_t mask)
{
	return (struct clock_counter){
		.name = "simulated",
		.period_fs = sim.counter_fs,
		.mask = mask,
		.down = sim.down,
		.read = counter,
	};
}

static uint64_t off_by_ppm(uint64_t got, uint64_t want)
{
	return (got > want ? got - want : want - got) * 1000000 / want;
}

static void assert_calibrates(uint32_t mask, uint64_t ppm)
{
	struct clock_counter c = describe(mask);
	struct clock_rate rate;

	assert_true(clock_calibrate_tsc(&c, tsc, &rate));
	assert_true(off_by_ppm(rate.hz, sim.tsc_hz) <= ppm);
	assert_true(off_by_ppm(rate.hz, sim.tsc_hz) <= rate.error_ppm + 1);
	assert_true(sim.now_ns - sim.start_ns < 50000000);
}

static void quick_hpet(void **state UNUSED)
{
	start(3400000000, 69841279, 60);
	assert_calibrates(UINT32_MAX, 50);
	assert_true(sim.now_ns - sim.start_ns < 10000000); /* quick readings: quickly done */
}

static void pm_timer_wraps_in_24_bits(void **state UNUSED)
{
	start(2000000000, 279365115, 700);
	sim.offset = 0xffffff - 1000 - (uint32_t)(sim.start_ns * 1000000 / 279365115);
	assert_calibrates(0xffffff, 200);
}

static void pit_counts_down(void **state UNUSED)
{
	start(1000000000, 838095110, 3000);
	sim.down = true;
	sim.offset = 77;
	assert_calibrates(0xffff, 1000);
}

static void slow_and_fast_tsc(void **state UNUSED)
{
	start(50000000, 10000000, 400);
	assert_calibrates(UINT32_MAX, 200);
	start(6000000000, 10000000, 400);
	assert_calibrates(UINT32_MAX, 200);
}

/* Firmware or the emulator's host takes the CPU away, both clocks running on. */
static void pauses_do_no_harm(void **state UNUSED)
{
	for (unsigned int every = 2; every < 40; every++) {
		start(2596136847, 10000000, 300);
		sim.pause_every = every * 7;
		sim.pause_ns = 40000;
		struct clock_counter c = describe(UINT32_MAX);
		struct clock_rate rate;

		if (clock_calibrate_tsc(&c, tsc, &rate)) {
			assert_true(off_by_ppm(rate.hz, sim.tsc_hz) <= 2000);
		}
	}
	start(2596136847, 10000000, 300);
	sim.pause_every = 5000;
	sim.pause_ns = 3000000;
	assert_calibrates(UINT32_MAX, 200);
}

static void dead_counter_is_refused(void **state UNUSED)
{
	struct clock_rate rate;

	start(3000000000, 10000000, 100);
	sim.dies_ns = 0;
	struct clock_counter c = describe(UINT32_MAX);

	assert_false(clock_calibrate_tsc(&c, tsc, &rate));
	assert_int_equal(clock_calibrate_counter(&c, tsc, sim.tsc_hz), 0);
	sim.now_ns = sim.start_ns;
	sim.dies_ns = sim.start_ns + 200000; /* in the middle */
	assert_false(clock_calibrate_tsc(&c, tsc, &rate));
}

static void absurd_rates_are_refused(void **state UNUSED)
{
	struct clock_rate rate;

	start(900000, 10000000, 100);
	struct clock_counter c = describe(UINT32_MAX);

	assert_false(clock_calibrate_tsc(&c, tsc, &rate));
	start(30000000000, 10000000, 100);
	assert_false(clock_calibrate_tsc(&c, tsc, &rate));
}

static void counter_by_tsc(void **state UNUSED)
{
	start(2596136847, FS / 62500000, 150); /* a local APIC timer at 62.5 MHz, downwards */
	sim.down = true;
	struct clock_counter c = describe(UINT32_MAX);
	uint64_t hz = clock_calibrate_counter(&c, tsc, sim.tsc_hz);

	assert_true(off_by_ppm(hz, 62500000) <= 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quick_hpet),
		cmocka_unit_test(pm_timer_wraps_in_24_bits),
		cmocka_unit_test(pit_counts_down),
		cmocka_unit_test(slow_and_fast_tsc),
		cmocka_unit_test(pauses_do_no_harm),
		cmocka_unit_test(dead_counter_is_refused),
		cmocka_unit_test(absurd_rates_are_refused),
		cmocka_unit_test(counter_by_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
