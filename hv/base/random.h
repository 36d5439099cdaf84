/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes: the CPU's generator where it has one, else ChaCha20 keyed from the clock's jitter. */
/* Not in NMI context. */
#ifndef HV_BASE_RANDOM_H
#define HV_BASE_RANDOM_H

#include "hv/lib/types.h"

/* About 15 instructions for 8 bytes with a generator, about 3,000 for 64 without. Any lock but the log's. */
void random_bytes(void *buf, size_t len);

#endif
