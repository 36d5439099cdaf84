/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket told as time: when the bucket will have paid off what went through. */
/* Exact over any length of time: remainders of the division are carried on. No lock, no clock. */
#ifndef HV_LIB_RATELIMIT_H
#define HV_LIB_RATELIMIT_H

#include "hv/lib/types.h"

struct ratelimit {
	uint64_t rate;	/* bytes, requests or whatever is counted, per second; 0: no limit */
	uint64_t burst; /* ns: what may be saved up */
	uint64_t paid;	/* ns: everything so far is paid for at this time */
	uint64_t rest;	/* of the last division, below rate */
};

/* rate per second, 0 for none, at most 10^14. Saves up what comes in within `burst` ns; empty now. */
void ratelimit_set(struct ratelimit *r, uint64_t rate, uint64_t burst, uint64_t now);

/*
 * 0: something may go through now, however much (the bucket runs into debt); else the time from which on.
 */
static inline uint64_t ratelimit_wait(const struct ratelimit *r, uint64_t now)
{
	return r->rate == 0 || r->paid <= now ? 0 : r->paid;
}

/* So much goes through: before it does, for the time that it takes earns nothing twice. */
void ratelimit_charge(struct ratelimit *r, uint64_t amount, uint64_t now);

#endif
