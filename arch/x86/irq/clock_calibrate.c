/* SPDX-License-Identifier: BSD-2-Clause */
/* Places counter readings between readings of the TSC and takes the ratio. */
/* Keeps no state and touches no hardware. */
#include "arch/x86/irq/clock_calibrate.h"

#include "arch/x86/irq/clock_scale.h"

#define FS_PER_SECOND 1000000000000000ul
#define FS_PER_US     1000000000ul
#define READS_MAX     20000u /* without a change: the counter stands still */
#define SAMPLES	      4u     /* the one that was read quickest is kept */
#define FIRST_US      500u
#define LAST_US	      32000u
#define GOOD_PPM      50u
#define POOR_PPM      10000u

/* The counter stepped to `count` at `tsc`, give or take width / 2. */
struct sample {
	uint64_t tsc;
	uint64_t width;
	uint32_t count;
};

static uint32_t elapsed(const struct clock_counter *c, uint32_t from, uint32_t to)
{
	return (c->down ? from - to : to - from) & c->mask;
}

/* A step of the counter lies between the TSC readings before the read before it and after it. */
static bool find_step(const struct clock_counter *c, uint64_t (*tsc)(void), struct sample *out)
{
	uint64_t t0 = tsc();
	uint32_t last = c->read() & c->mask;
	uint64_t t1 = tsc();

	for (unsigned int i = 0; i < READS_MAX; i++) {
		uint32_t count = c->read() & c->mask;
		uint64_t t2 = tsc();

		if (count != last) {
			*out = (struct sample){ t0 + (t2 - t0) / 2, t2 - t0, count };
			return true;
		}
		t0 = t1;
		t1 = t2;
	}
	return false;
}

static bool take_sample(const struct clock_counter *c, uint64_t (*tsc)(void), struct sample *best)
{
	struct sample s;

	best->width = UINT64_MAX;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		if (!find_step(c, tsc, &s)) {
			return false;
		}
		if (s.width < best->width) {
			*best = s;
		}
	}
	return true;
}

static bool wait_until(const struct clock_counter *c, const struct sample *start, uint32_t counts)
{
	uint32_t last = 0;
	unsigned int same = 0;

	for (;;) {
		uint32_t now = elapsed(c, start->count, c->read());

		if (now >= counts) {
			return true;
		}
		same = now == last ? same + 1 : 0;
		if (same > READS_MAX) {
			return false;
		}
		last = now;
	}
}

/* False if nothing can be said of this interval. */
static bool rate_of(const struct clock_counter *c, const struct sample *a, const struct sample *b,
		    struct clock_rate *out)
{
	uint64_t ticks = b->tsc - a->tsc;
	uint64_t fs = elapsed(c, a->count, b->count) * c->period_fs;

	if (ticks == 0 || fs == 0) {
		return false;
	}
	out->hz = clock_scale_muldiv(ticks, FS_PER_SECOND, fs);
	out->error_ppm = clock_scale_muldiv(a->width + b->width, 500000, ticks);
	return true;
}

static bool agree(const struct clock_rate *a, const struct clock_rate *b)
{
	uint64_t diff = u64_max(a->hz, b->hz) - u64_min(a->hz, b->hz);

	return clock_scale_muldiv(diff, 1000000, u64_max(a->hz, 1)) <=
	       a->error_ppm + b->error_ppm + GOOD_PPM;
}

/*
 * The interval doubles until two measurements over it agree and the last is good. A pause of ours
 * (firmware, the emulator's host) does no harm: both clocks run on, and slow readings are not used.
 */
bool clock_calibrate_tsc(const struct clock_counter *ref, uint64_t (*tsc)(void),
			 struct clock_rate *out)
{
	struct clock_rate last = { 0 };
	struct sample a;
	struct sample b;
	bool good = false;

	if (!take_sample(ref, tsc, &a)) {
		return false;
	}
	for (uint64_t us = FIRST_US; us <= LAST_US && !good; us *= 2) {
		if (!wait_until(ref, &a, (uint32_t)(us * FS_PER_US / ref->period_fs)) ||
		    !take_sample(ref, tsc, &b) || !rate_of(ref, &a, &b, out)) {
			return false;
		}
		good = out->error_ppm <= GOOD_PPM && last.hz != 0 && agree(out, &last);
		if (!good && us * 2 <= LAST_US) {
			last = *out;
		}
	}
	return out->hz >= CLOCK_HZ_MIN && out->hz <= CLOCK_HZ_MAX && out->error_ppm <= POOR_PPM &&
	       agree(out, &last);
}

uint64_t clock_calibrate_counter(const struct clock_counter *c, uint64_t (*tsc)(void),
				 uint64_t tsc_hz)
{
	struct sample a;
	struct sample b;

	if (!take_sample(c, tsc, &a)) {
		return 0;
	}
	while (tsc() - a.tsc < tsc_hz / 1000) {
	}
	if (!take_sample(c, tsc, &b) || b.tsc == a.tsc) {
		return 0;
	}
	return clock_scale_muldiv(elapsed(c, a.count, b.count), tsc_hz, b.tsc - a.tsc);
}
