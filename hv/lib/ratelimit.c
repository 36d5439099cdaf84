/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket told as time: when the bucket will have paid off what went through. */
/* Decides nothing about what may not pass. */
#include "hv/lib/ratelimit.h"

#define SECOND	 1000000000ul
#define PART_MAX (1ul << 34) /* times SECOND, and a rest of 10^14: fits 64 bits */

void ratelimit_set(struct ratelimit *r, uint64_t rate, uint64_t burst, uint64_t now)
{
	*r = (struct ratelimit){ .rate = rate, .burst = burst, .paid = now };
}

static void charge_part(struct ratelimit *r, uint64_t part)
{
	uint64_t due = part * SECOND + r->rest;

	if (__builtin_add_overflow(r->paid, due / r->rate, &r->paid)) {
		r->paid = UINT64_MAX;
	}
	r->rest = due % r->rate;
}

/* An idle bucket is full: paid lies `burst` before now and no further back. */
void ratelimit_charge(struct ratelimit *r, uint64_t amount, uint64_t now)
{
	if (r->rate == 0) {
		return;
	}
	if (now > r->burst && r->paid < now - r->burst) {
		r->paid = now - r->burst;
		r->rest = 0;
	}
	while (amount > 0) {
		uint64_t part = u64_min(amount, PART_MAX);

		charge_part(r, part);
		amount -= part;
	}
}
