/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU time that comes in at a rate, in percent of one CPU: what a cap allows, a reservation grants. */
/* Pure: several CPUs may spend from one budget at once; nobody waits here. */
#ifndef HV_SCHED_BUDGET_H
#define HV_SCHED_BUDGET_H

#include "hv/lib/types.h"

/*
 * Time run is paid with time passed: one tick of CPU takes 100 / percent ticks. What is not used
 * is kept up to `credit`: so much may be run at once after a rest.
 */
struct sched_budget {
	uint32_t percent; /* of one CPU; 0: there is no such budget */
	uint64_t paid;	  /* ticks: when all that was run will have been paid; atomic */
};

/* Something may be run at `now`. */
static inline bool sched_budget_open(const struct sched_budget *b, uint64_t now)
{
	return __atomic_load_n(&b->paid, __ATOMIC_RELAXED) <= now;
}

/* When it opens, in ticks, if nothing more is spent. */
static inline uint64_t sched_budget_opens(const struct sched_budget *b)
{
	return __atomic_load_n(&b->paid, __ATOMIC_RELAXED);
}

/* `ticks` will be run from `now` on, or have been. At most `credit` ticks are there from before. */
void sched_budget_spend(struct sched_budget *b, uint64_t now, uint64_t ticks, uint64_t credit);
/* Of what was spent, `ticks` were not run (negative: so many more). */
void sched_budget_refund(struct sched_budget *b, int64_t ticks);

#endif
