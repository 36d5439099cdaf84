/* SPDX-License-Identifier: BSD-2-Clause */
/* The longest time for which each CPU has kept interrupts masked in root mode, always measured. */
/* Those who unmask report; the console prints. */
#ifndef HV_BASE_STRETCH_H
#define HV_BASE_STRETCH_H

#include "arch/cpu.h"
#include "hv/lib/types.h"

#define STRETCH_CALLERS 5u

/* Written by its CPU only; others may read a value that is being replaced. */
struct stretch {
	uint64_t since;	  /* ticks: when an interrupt was last let in, or the guest last left */
	uint64_t longest; /* ticks */
	uint64_t ended[STRETCH_CALLERS]; /* return addresses at its end, innermost first; 0 ends */
};

extern struct stretch stretches[CPU_MAX];

/* Forgets what the executing CPU did so far: its boot. */
void stretch_reset(void);
void stretch_record(struct stretch *s, uint64_t now);

/* Interrupts were let in up to now (ticks). */
static inline void stretch_begin(struct stretch *s, uint64_t now)
{
	s->since = now;
}

/* Interrupts are about to be let in. */
static inline void stretch_end(struct stretch *s, uint64_t now)
{
	if (unlikely(now - s->since > s->longest)) {
		stretch_record(s, now);
	}
}

#endif
