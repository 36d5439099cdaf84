/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures the TSC's rate against a counter whose rate is known, or a counter against the TSC. */
/* Pure: the counters are functions, so that unit tests make them run as they like. */
#ifndef ARCH_X86_IRQ_CLOCK_CALIBRATE_H
#define ARCH_X86_IRQ_CLOCK_CALIBRATE_H

#include "hv/lib/types.h"

struct clock_counter {
	const char *name;
	uint64_t period_fs; /* femtoseconds per count; 0: unknown */
	uint32_t mask;	    /* of the bits that count */
	bool down;
	uint32_t (*read)(void);
};

struct clock_rate {
	uint64_t hz;
	uint64_t error_ppm; /* bound by how exactly the readings could be placed in time */
};

#define CLOCK_HZ_MIN 1000000ul
#define CLOCK_HZ_MAX 20000000000ul

/*
 * The TSC's rate by ref. Takes 0.5 ms where readings are quick, at most 32 ms. False if the counter
 * stands still or the result is not plausible.
 */
bool clock_calibrate_tsc(const struct clock_counter *ref, uint64_t (*tsc)(void),
			 struct clock_rate *out);
/* The counter's rate in Hz by the TSC, over 1 ms; 0 if it stands still. */
uint64_t clock_calibrate_counter(const struct clock_counter *c, uint64_t (*tsc)(void),
				 uint64_t tsc_hz);

#endif
