/* SPDX-License-Identifier: BSD-2-Clause */
/* The only thread, for tests of drivers that wait: a clock that goes on when it sleeps, and its mutexes. */
/* One tick is a nanosecond. What the hardware does meanwhile is the test's to say. */
#ifndef TESTS_UNIT_FAKES_FAKE_SLEEP_H
#define TESTS_UNIT_FAKES_FAKE_SLEEP_H

#include "hv/lib/types.h"

extern uint64_t fake_sleep_now;
/* NULL or: happens at each thread_sleep(). */
extern void (*fake_sleep_meanwhile)(void);
/* NULL or: happens at each thread_park_until(); false: nobody wakes the thread before its deadline. */
extern bool (*fake_sleep_wakes)(void);

#endif
