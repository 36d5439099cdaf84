/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads for host tests: fibers that switch where threads may, by the dice of a seed. */
/* thread.h's park, unpark, checkpoint and current are theirs; the rest of it is not here. */
#ifndef TESTS_UNIT_FAKES_FAKE_FIBER_H
#define TESTS_UNIT_FAKES_FAKE_FIBER_H

#include <stdint.h>

#define FAKE_FIBERS 16

/* Adds a fiber that will call body(arg). */
void fake_fiber_add(void (*body)(void *arg), void *arg);
/* Runs all fibers to their ends; 0, or -1 if all that are left sleep. Forgets them. */
int fake_fiber_run(uint32_t seed);
/* A place where others may run: in fibers only, else nothing happens. */
void fake_fiber_pause(void);
/* Pseudo-random numbers of the seed. */
uint32_t fake_fiber_random(uint32_t *state);
/* Calls of thread_checkpoint, by fibers or not. */
extern unsigned long fake_fiber_checkpoints;

#endif
