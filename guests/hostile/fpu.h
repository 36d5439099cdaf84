/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns on x87, SSE and, where it exists, AVX. */
/* Only so that their instructions get as far as their operand. */
#ifndef GUESTS_HOSTILE_FPU_H
#define GUESTS_HOSTILE_FPU_H

void fpu_init(void);

#endif
