/* SPDX-License-Identifier: BSD-2-Clause */
/* Alarms: any number of them over the one alarm that each CPU has. */
/* Times are TSC ticks (arch/clock.h). */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include "hv/lib/types.h"

struct timer {
	uint64_t deadline;	    /* ticks */
	void (*fn)(struct timer *); /* (c) */
	struct timer *child;	    /* pairing heap of the CPU that set it: first child, */
	struct timer *next;	    /* next sibling, */
	struct timer *prev;	    /* previous sibling, or parent of a first child */
	uint32_t cpu;		    /* whose heap it is, or was last, in */
	bool queued;
	uint8_t running; /* calls of fn under way: one ends on a CPU while the next begins elsewhere */
};

/* fn runs on the CPU that set the timer, in an interrupt window: masked, no lock held, no sleep. */
void timer_init(struct timer *t, void (*fn)(struct timer *));
/* Sets or moves t to deadline on the executing CPU; a past deadline fires at the next window. */
void timer_set(struct timer *t, uint64_t deadline);
/* True if it was set and now will not fire; false: it was idle, or fn is running elsewhere. */
bool timer_cancel(struct timer *t);
/*
 * Cancels and waits until fn runs nowhere and has not set t again: before its memory is freed.
 * Thread context; nobody but fn sets t any more.
 */
void timer_destroy(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return t->queued;
}

/* The executing CPU's heap; once per CPU, before any timer is set there. */
void timer_init_cpu(void);
/* Earliest deadline of the executing CPU, CLOCK_NEVER if none. */
uint64_t timer_next(void);
/* Where that of a CPU stands, for one who looks often; written by that CPU only. */
const uint64_t *timer_next_of(unsigned int cpu);
/* Fires what is due on the executing CPU and arms the next: called by the clock's interrupt. */
void timer_alarm(void);

#endif
