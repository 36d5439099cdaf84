/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake CPU of the unit tests: arch/cpu.h and arch/clock.h over plain variables. */
/* One thread of the test plays all CPUs in turn. */
#ifndef TESTS_UNIT_FAKES_FAKE_ARCH_H
#define TESTS_UNIT_FAKES_FAKE_ARCH_H

#include "hv/lib/types.h"

extern unsigned int fake_cpu;	  /* what cpu_id() says */
extern uint64_t fake_now;	  /* what clock_now() says; 1 tick = 1 ns */
extern uint64_t fake_armed;	  /* deadline of the last clock_arm() */
extern bool fake_has_random;	  /* does this CPU have RDRAND? */
extern bool fake_tsc_agrees;	  /* what tsc_sync_agrees() says */
extern uint64_t fake_wall_ns;	  /* what clock_wall_ns() says */
extern unsigned int fake_windows; /* interrupt windows opened */

#endif
