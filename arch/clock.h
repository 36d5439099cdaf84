/* SPDX-License-Identifier: BSD-2-Clause */
/* Time as the hypervisor counts it: ticks of the TSC, and one alarm per CPU. */
/* Does not know who wants to be woken: that is hv/timer. */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include "hv/lib/types.h"

/* What the alarm's interrupt calls, on the CPU whose alarm it is: hv/timer's timer_alarm. */
void clock_set_alarm(void (*fn)(void));

/* TSC ticks since power-on, the same on every CPU. */
uint64_t clock_now(void);
/* Ticks in a second, calibrated at boot. */
uint64_t clock_hz(void);
/* Neither overflows for spans below 100 years. */
uint64_t clock_ns_to_ticks(uint64_t ns);
uint64_t clock_ticks_to_ns(uint64_t ticks);

/*
 * Arms the executing CPU's alarm: an interrupt at deadline (ticks), or at once if that has passed.
 * It replaces the earlier alarm; CLOCK_NEVER disarms. The interrupt calls clock_set_alarm's function;
 * it may come early (then the function arms anew), never late.
 */
#define CLOCK_NEVER UINT64_MAX
void clock_arm(uint64_t deadline);

/* Seconds since 1970-01-01 UTC by the battery clock at boot plus the TSC since; small without one. */
uint64_t clock_wall_seconds(void);
/* The same in nanoseconds; the battery clock itself only shows seconds. */
uint64_t clock_wall_ns(void);

/* Name of what the TSC was calibrated against: "HPET", "ACPI PM timer", "PIT"; or "CPUID", "nothing". */
const char *clock_reference(void);

#endif
