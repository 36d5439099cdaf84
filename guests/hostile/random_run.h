/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs one random stream in one of the modes and survives it if that can be. */
/* random_code.c makes the code. */
#ifndef GUESTS_HOSTILE_RANDOM_RUN_H
#define GUESTS_HOSTILE_RANDOM_RUN_H

/* Once, when no interrupt handler of the guest's own is needed any more. */
void random_run_init(void);

/* The mode that stream n starts in. */
const char *random_run_name(unsigned int n);

/* Runs it. What ended it: "itself", "fault", "watchdog". */
const char *random_run(unsigned int n);

/*
 * A stream on one of several CPUs that share the sandbox. CPU 0 runs those of the older modes, too, and at
 * times starts another CPU in the midst of such code.
 */
void random_run_race(unsigned int cpu, unsigned int n);

#endif
