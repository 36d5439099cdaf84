/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts as fast as it can, for ever, and says about every 100 ms how far it got by which TSC. */
/* Never sleeps: what it counts in a time is its share of the CPU. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"

#define CHUNK 1000u

/* One iteration is two instructions. */
static void count_chunk(void)
{
	uint64_t left = CHUNK;

	__asm__ volatile("1: decq %0; jnz 1b" : "+r"(left)::"cc");
}

void guest_main(void)
{
	uint64_t ms = mboot_number("ms", 100), count = 0, now, next, interval;
	uint64_t reports = mboot_number("reports", UINT64_MAX);

	interval = pit_spin(PIT_HZ / 1000) * ms;
	print("work\n");
	next = cpu_tsc() + interval;
	while (reports) {
		count_chunk();
		count += CHUNK;
		now = cpu_tsc();
		if (now >= next) {
			print("work %lu at %lu\n", count, now);
			next = cpu_tsc() + interval;
			reports--;
		}
	}
}
