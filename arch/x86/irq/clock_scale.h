/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversion between two rates by one 64x64-bit multiplication and a shift. */
/* Pure arithmetic: knows no clock. */
#ifndef ARCH_X86_IRQ_CLOCK_SCALE_H
#define ARCH_X86_IRQ_CLOCK_SCALE_H

#include "hv/lib/types.h"

/* out = in * mult / 2^shift */
struct clock_scale {
	uint64_t mult;
	unsigned int shift;
};

/* From units of from_hz to units of to_hz, both nonzero; as exact as mult's 64 bits can be. */
struct clock_scale clock_scale_make(uint64_t from_hz, uint64_t to_hz);
/* Rounds down; a result above 64 bits becomes UINT64_MAX. */
uint64_t clock_scale_apply(struct clock_scale s, uint64_t in);
/* a * b / c with a 128-bit product, c nonzero; UINT64_MAX if the quotient has more than 64 bits. */
uint64_t clock_scale_muldiv(uint64_t a, uint64_t b, uint64_t c);

#endif
