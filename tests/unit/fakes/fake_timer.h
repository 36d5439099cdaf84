/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/timer.h over fake_now: a test moves the clock, then lets due timers fire. */
/* One CPU's timers only. */
#ifndef TESTS_UNIT_FAKES_FAKE_TIMER_H
#define TESTS_UNIT_FAKES_FAKE_TIMER_H

#include "hv/timer.h"

/* Moves fake_now to `now`, firing what is due on the way, in order, each at its own time. */
void fake_timer_run(uint64_t now);
void fake_timer_reset(void);

#endif
