/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket told as time: when the bucket will have paid off what went through. */
/* Decides nothing about packets that may not pass. */
#include "drivers/net/ratelimit.h"

#define SECOND	    1000000000ul
#define BURST	    (5 * SECOND / 1000)
#define BURST_BYTES (2 * 1514ul)

void ratelimit_set(struct ratelimit *r, uint64_t rate, uint64_t now)
{
	*r = (struct ratelimit){ .rate = rate, .paid = now };
	if (rate != 0) {
		r->burst = u64_max(BURST, BURST_BYTES * SECOND / rate);
	}
}

/* An idle bucket is full: paid lies `burst` before now and no further back. */
void ratelimit_charge(struct ratelimit *r, uint32_t len, uint64_t now)
{
	uint64_t due;

	if (r->rate == 0) {
		return;
	}
	if (now > r->burst && r->paid < now - r->burst) {
		r->paid = now - r->burst;
		r->rest = 0;
	}
	due = len * SECOND + r->rest;
	r->paid += due / r->rate;
	r->rest = due % r->rate;
}
