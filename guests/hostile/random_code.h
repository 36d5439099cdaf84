/* SPDX-License-Identifier: BSD-2-Clause */
/* A generator of pseudo-random numbers, and of code that is random where it matters. */
/* Equal seeds give equal code. */
#ifndef GUESTS_HOSTILE_RANDOM_CODE_H
#define GUESTS_HOSTILE_RANDOM_CODE_H

#include <stddef.h>
#include <stdint.h>

void random_code_seed(uint64_t seed);
uint64_t random_code_next(void);

/* Fills size bytes with instructions, the last of them INT 30h. */
void random_code_fill(uint8_t *to, size_t size);

#endif
