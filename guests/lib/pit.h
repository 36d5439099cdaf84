/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254: channel 0 as interrupt source, channel 2 as a stop watch. */
/* Periods in its own ticks. */
#ifndef GUESTS_LIB_PIT_H
#define GUESTS_LIB_PIT_H

#include <stdint.h>

#define PIT_HZ 1193182u

/* Channel 0: interrupt 0 once after ticks (mode 0), or every so many (mode 2). 1 to 65536. */
void pit_once(unsigned int ticks);
void pit_periodic(unsigned int ticks);

/* Channel 0 counts, but never to an end that anybody hears of. */
void pit_stop(void);

/* Channel 0's count at this moment. */
uint16_t pit_count(void);

/* Spins for ticks of channel 2, at most 65535; TSC ticks that it took. */
uint64_t pit_spin(unsigned int ticks);

#endif
