/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT and SIPI: what they do to a CPU that runs, that waits, and in a storm from all sides. */
/* SDM Vol. 3A, "MP Initialization Protocol". */
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

#define SETTLE 10000000ul /* TSC ticks in which a CPU that runs would have shown it */

static uint32_t before;
static unsigned int victim;

static void pause_for(uint64_t ticks)
{
	uint64_t start = cpu_tsc();

	while (cpu_tsc() - start < ticks) {
		__asm__ volatile("pause");
	}
}

static bool came_up(void)
{
	return smp_ups(victim) != before;
}

static void nothing(unsigned int cpu)
{
	(void)cpu;
}

/* A SIPI to a CPU that does not wait for one. */
static bool startup_ignored(void)
{
	victim = check_cpus - 1;
	before = smp_ups(victim);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | SMP_TRAMPOLINE / 0x1000, victim);
	pause_for(SETTLE);
	return !came_up() && smp_on(victim, nothing);
}

static volatile uint32_t beats;

static void beat(unsigned int cpu)
{
	(void)cpu;
	for (;;) {
		beats = beats + 1;
	}
}

static bool beating(void)
{
	return beats > 1000;
}

static bool silent(void)
{
	uint32_t then = beats;

	pause_for(SETTLE);
	return beats == then;
}

/* CPU 0's part while the victim beats: stop it by INIT, see that interrupts do not start it. */
static bool stop_it(void)
{
	if (!check_until(beating)) {
		return false;
	}
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_INIT, victim);
	if (!check_until(silent)) {
		return false;
	}
	smp_icr(SMP_ICR_ASSERT | SMP_VECTOR_WAKE, victim);
	return check_until(silent) && !came_up();
}

static bool stopped;

static void stop_from_0(unsigned int cpu)
{
	if (cpu == victim) {
		beat(cpu);
	}
	if (cpu == 0) {
		stopped = stop_it();
		smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | SMP_TRAMPOLINE / 0x1000, victim);
	}
}

/* INIT to a CPU that runs: it stops and waits, then starts anew. The job it had counts as done. */
static bool init_stops(void)
{
	victim = check_cpus - 1;
	before = smp_ups(victim);
	beats = 0;
	stopped = false;
	if (!smp_all(stop_from_0) || !stopped || !check_until(came_up)) {
		return false;
	}
	return smp_on(victim, nothing);
}

/* The de-assert that old start-up code sends after an INIT is nothing by itself. */
static bool deassert_ignored(void)
{
	victim = check_cpus - 1;
	before = smp_ups(victim);
	smp_icr(0x8000 | SMP_ICR_INIT, victim);
	pause_for(SETTLE);
	return !came_up() && smp_on(victim, nothing);
}

/* ---- the storm ---- */

static volatile bool calm;
static volatile bool quiet[SMP_CPUS]; /* has seen that it is over */
static unsigned int storm_starts;

static unsigned int starts(void)
{
	unsigned int sum = 0;

	for (unsigned int i = 1; i < check_cpus; i++) {
		sum += smp_ups(i);
	}
	return sum;
}

/*
 * INIT and SIPI to one after the other, with plain interrupts in between, until it is over. A CPU that
 * is started over in the middle begins again.
 */
static void storm(unsigned int cpu)
{
	uint32_t seed = cpu * 2654435761u + starts();

	while (!calm) {
		unsigned int to;

		seed = seed * 1664525u + 1013904223u;
		to = 1 + (seed >> 16) % (check_cpus - 1);
		if ((seed >> 8 & 3) == 0) {
			smp_icr(SMP_ICR_ASSERT | SMP_VECTOR_WAKE, to);
		} else if (to != cpu) {
			smp_restart(to);
		}
	}
	quiet[cpu] = true;
}

static bool enough(void)
{
	for (unsigned int i = 1; i < check_cpus; i++) {
		smp_restart(i);
	}
	pause_for(SETTLE / 10);
	return starts() - storm_starts >= check_rounds / 20;
}

/* Those that have not seen the end may wait for a SIPI whose sender was stopped before it. */
static bool all_quiet(void)
{
	bool all = true;

	for (unsigned int i = 1; i < check_cpus; i++) {
		if (!quiet[i]) {
			all = false;
			smp_restart(i);
		}
	}
	pause_for(SETTLE);
	return all;
}

static void storm_and_calm(unsigned int cpu)
{
	if (cpu != 0) {
		storm(cpu);
		return;
	}
	(void)check_until(enough);
	calm = true;
	(void)check_until(all_quiet);
	/* So may one that had seen it. Now that nobody else sends, all start once more. */
	for (unsigned int i = 1; i < check_cpus; i++) {
		quiet[i] = false;
	}
	(void)check_until(all_quiet);
	smp_on_enter = 0;
}

/* Everybody restarts everybody but CPU 0; whatever state that leaves, each then starts again. */
static bool survives_storm(void)
{
	calm = false;
	storm_starts = starts();
	smp_on_enter = storm;
	(void)smp_all(storm_and_calm);
	for (victim = 1; victim < check_cpus; victim++) {
		before = smp_ups(victim);
		smp_restart(victim);
		if (!check_until(came_up)) {
			return false;
		}
	}
	return starts() - storm_starts >= check_rounds / 20 && smp_all(nothing);
}

static const struct check rows[] = {
	{ "startup_ignored", startup_ignored },
	{ "deassert_ignored", deassert_ignored },
	{ "init_stops", init_stops },
	{ "storm", survives_storm },
};

const struct check_table check_init = { ARRAY_SIZE(rows), rows };
