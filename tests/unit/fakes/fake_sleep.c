/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/thread.h's sleeping, hv/mutex.h and arch/clock.h for one thread. */
/* A mutex that is held when it is taken, or not when it is let go, ends the program. */
#include "tests/unit/fakes/fake_sleep.h"

#include "arch/clock.h"
#include "hv/mutex.h"
#include "hv/thread.h"
#include <stdlib.h>

uint64_t fake_sleep_now;
void (*fake_sleep_meanwhile)(void);
bool (*fake_sleep_wakes)(void);

static struct thread me;

static void demand(bool right)
{
	if (!right) {
		abort();
	}
}

uint64_t clock_now(void)
{
	return fake_sleep_now;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
	return ns;
}

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
}

void mutex_lock(struct mutex *m)
{
	demand(m->owner == NULL);
	m->owner = &me;
}

void mutex_unlock(struct mutex *m)
{
	demand(m->owner == &me);
	m->owner = NULL;
}

struct thread *thread_current(void)
{
	return &me;
}

void thread_unpark(struct thread *t)
{
	demand(t == &me);
}

void thread_sleep(uint64_t ns)
{
	fake_sleep_now += ns;
	if (fake_sleep_meanwhile != NULL) {
		fake_sleep_meanwhile();
	}
}

void thread_park_until(uint64_t deadline)
{
	if (fake_sleep_wakes == NULL || !fake_sleep_wakes()) {
		fake_sleep_now = deadline;
	}
}
