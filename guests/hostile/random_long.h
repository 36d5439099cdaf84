/* SPDX-License-Identifier: BSD-2-Clause */
/* Random code in 64-bit mode, in an address space of its own. */
/* Faults are taken by this guest's IDT and stepped over. */
#ifndef GUESTS_HOSTILE_RANDOM_LONG_H
#define GUESTS_HOSTILE_RANDOM_LONG_H

#include <stdint.h>

#define RANDOM_LONG_CODE 512u

struct random_long {
	uint64_t cs, ss;
	unsigned int faults_max;
};

void random_long_init(void);

/* Where to put the code; RANDOM_LONG_CODE bytes. */
uint8_t *random_long_code(void);

const char *random_long_run(const struct random_long *r);

#endif
