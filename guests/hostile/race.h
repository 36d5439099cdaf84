/* SPDX-License-Identifier: BSD-2-Clause */
/* All CPUs at one group of hostile acts, without any order among them: "GROUP cpus=4 seed=1 rounds=200". */
/* Each step's choice is by seed; which CPU comes first is not. */
#ifndef GUESTS_HOSTILE_RACE_H
#define GUESTS_HOSTILE_RACE_H

#include "guests/hostile/hostile.h"

/*
 * Starts the other CPUs; they go on until the machine is off, and begin again when one of them is
 * started over. Returns when CPU 0 has made its rounds. NULL: random code.
 */
void race(const struct hostile_group *g, unsigned int cpus);

/* Another pseudo-random number for each n. */
uint64_t race_mix(uint64_t n);

#endif
