/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/timer.h over fake_now: a test moves the clock, then lets due timers fire. */
/* One CPU's timers only. */
#include "fakes/fake_timer.h"

#include "fakes/fake_arch.h"

static struct timer *set;

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

bool timer_cancel(struct timer *t)
{
	bool was = t->queued;

	for (struct timer **at = &set; was && *at != NULL; at = &(*at)->next) {
		if (*at == t) {
			*at = t->next;
			break;
		}
	}
	t->queued = false;
	return was;
}

void timer_destroy(struct timer *t)
{
	timer_cancel(t);
}

void timer_set(struct timer *t, uint64_t deadline)
{
	timer_cancel(t);
	t->deadline = deadline;
	t->queued = true;
	t->next = set;
	set = t;
}

static struct timer *first(void)
{
	struct timer *best = set;

	for (struct timer *t = set; t != NULL; t = t->next) {
		if (t->deadline < best->deadline) {
			best = t;
		}
	}
	return best;
}

void fake_timer_run(uint64_t now)
{
	struct timer *t;

	while ((t = first()) != NULL && t->deadline <= now) {
		if (t->deadline > fake_now) {
			fake_now = t->deadline;
		}
		timer_cancel(t);
		t->fn(t);
	}
	fake_now = now;
}

void fake_timer_reset(void)
{
	set = NULL;
}
