/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/thread.h, hv/mutex.h and arch/clock.h for the one thread that a driver creates. */
/* Sleeping leaves its body: it begins anew when it is run again. */
#include "nic_thread.h"

#include "arch/clock.h"
#include "hv/mutex.h"
#include "hv/thread.h"
#include "tests/unit/drivers/net/netfake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

bool nic_thread_woken, nic_thread_waits;

static struct thread_params params;
static struct thread the_thread;
static jmp_buf parked;

int thread_create(struct thread **out, const struct thread_params *p)
{
	params = *p;
	*out = &the_thread;
	return 0;
}

void thread_unpark(struct thread *t)
{
	assert_ptr_equal(t, &the_thread);
	nic_thread_woken = true;
}

void thread_park(void)
{
	longjmp(parked, 1);
}

void thread_park_until(uint64_t deadline)
{
	assert_true(deadline > clock_now());
	nic_thread_waits = true;
	longjmp(parked, 1);
}

void thread_sleep(uint64_t ns)
{
	fake_time += ns;
}

uint64_t clock_now(void)
{
	return fake_time;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
	return ns;
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
}

void mutex_lock(struct mutex *m)
{
	assert_null(m->owner);
	m->owner = &the_thread;
}

void mutex_unlock(struct mutex *m)
{
	assert_ptr_equal(m->owner, &the_thread);
	m->owner = NULL;
}

void nic_thread_run(void)
{
	nic_thread_woken = nic_thread_waits = false;
	if (setjmp(parked) == 0) {
		params.body(params.arg);
	}
}
