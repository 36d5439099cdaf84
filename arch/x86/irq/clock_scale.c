/* SPDX-License-Identifier: BSD-2-Clause */
/* The 128-bit steps of clock conversion, without a library for 128-bit division. */
/* Keeps no state. */
#include "arch/x86/irq/clock_scale.h"

typedef unsigned __int128 uint128_t;

uint64_t clock_scale_muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	uint128_t product = (uint128_t)a * b;
	uint64_t hi = (uint64_t)(product >> 64);
	uint64_t lo = (uint64_t)product;

	if (hi >= c) {
		return UINT64_MAX;
	}
	__asm__("divq %[c]" : "+a"(lo), "+d"(hi) : [c] "r"(c) : "cc");
	return lo;
}

struct clock_scale clock_scale_make(uint64_t from_hz, uint64_t to_hz)
{
	struct clock_scale s = { .shift = 63 };

	/* The largest shift whose multiplier still fits: at most 64 steps, once per clock. */
	s.mult = clock_scale_muldiv(to_hz, 1ul << s.shift, from_hz);
	while (s.mult == UINT64_MAX && s.shift > 0) {
		s.shift--;
		s.mult = clock_scale_muldiv(to_hz, 1ul << s.shift, from_hz);
	}
	return s;
}

uint64_t clock_scale_apply(struct clock_scale s, uint64_t in)
{
	uint128_t product = ((uint128_t)in * s.mult) >> s.shift;

	return product >> 64 != 0 ? UINT64_MAX : (uint64_t)product;
}
