/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs without rest and tells from the gaps in its TSC when its time windows began. */
/* How late is late is the test's decision. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"

#define STARTS_MAX 10001u
#define PAUSE_US   200u /* without the CPU for longer: a window was over */

static uint64_t starts[STARTS_MAX];

static uint64_t pause_ticks(void)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 5; i++) {
		uint64_t ticks = pit_spin(PIT_HZ / 2000);

		least = ticks < least ? ticks : least;
	}
	return least * PAUSE_US / 500;
}

/* TSC of the first moment in each of `count` windows. */
static void watch(unsigned int count)
{
	uint64_t pause = pause_ticks();
	uint64_t last = cpu_tsc();

	for (unsigned int n = 0; n < count;) {
		uint64_t now = cpu_tsc();

		if (now - last > pause) {
			starts[n++] = now;
		}
		last = now;
	}
}

/* Against frames of `frame` ticks each window begins so much later, or earlier, than the first. */
static void report(unsigned int frames, uint64_t frame)
{
	int64_t low = 0, high = 0;

	for (unsigned int n = 0; n <= frames; n++) {
		int64_t late = (int64_t)(starts[n] - starts[0] - n * frame);

		low = late < low ? late : low;
		high = late > high ? late : high;
	}
	print("window %u frames, first at %lu, others %ld to %ld later\n", frames, starts[0], low,
	      high);
}

void guest_main(void)
{
	unsigned int frames = (unsigned int)mboot_number("frames", 1000);

	if (frames == 0 || frames >= STARTS_MAX) {
		print("window: at most %u frames\n", STARTS_MAX - 1);
		return;
	}
	print("window\n");
	watch(frames + 1);
	report(frames, mboot_number("frame", 0));
	for (;;) { /* its window is looked at from outside now */
		__asm__ volatile("hlt");
	}
}
