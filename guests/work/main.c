/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts as fast as it can, for ever, and says about every 100 ms how far it got by which TSC. */
/* Never sleeps: what it counts in a time is its share of the CPUs, all of its vCPUs' together. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"

#define CHUNK 1000u

static struct {
	volatile uint64_t count;
	uint64_t unused[7]; /* a cache line each */
} work[SMP_CPUS];

static unsigned int cpus;

/* One iteration is two instructions. */
static void count_chunk(unsigned int cpu)
{
	uint64_t left = CHUNK;

	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(left)::"cc");
	work[cpu].count += CHUNK;
}

static uint64_t counted(void)
{
	uint64_t sum = 0;

	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		sum += work[cpu].count;
	}
	return sum;
}

/*
 * TSC ticks a millisecond: the shortest of several, since others may have run meanwhile. What pit_spin
 * returns is also too short, if they ran between the PIT's start and its own look at the TSC.
 */
static uint64_t tsc_ms(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 5; i++) {
		uint64_t start = cpu_tsc(), ticks;

		(void)pit_spin(PIT_HZ / 1000);
		ticks = cpu_tsc() - start;
		least = ticks < least ? ticks : least;
	}
	return least;
}

static void report(void)
{
	uint64_t interval = tsc_ms() * mboot_number("ms", 100);
	uint64_t reports = mboot_number("reports", UINT64_MAX);
	uint64_t now, next = cpu_tsc() + interval;

	while (reports) {
		count_chunk(0);
		now = cpu_tsc();
		if (now >= next) {
			print("work %lu at %lu\n", counted(), now);
			next = cpu_tsc() + interval;
			reports--;
		}
	}
}

static void run(unsigned int cpu)
{
	if (cpu == 0) {
		report();
		return;
	}
	for (;;) {
		count_chunk(cpu);
	}
}

void guest_main(void)
{
	cpus = (unsigned int)mboot_number("cpus", 1);
	print("work\n");
	if (cpus == 1) {
		report();
		return;
	}
	lapic_init();
	if (cpus > SMP_CPUS || !smp_start(cpus)) {
		print("work: not all of %u CPUs came up\n", cpus);
		return;
	}
	(void)smp_all(run);
}
