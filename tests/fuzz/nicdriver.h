/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a network card for its fuzzer: features, buffers and packets in chains of every shape, commands. */
/* Each is right, or bent where the input says so. */
#ifndef TESTS_FUZZ_NICDRIVER_H
#define TESTS_FUZZ_NICDRIVER_H

#include "hv/lib/types.h"

#define NICDRIVER_PAIRS 3u /* of queues that the card has */

extern bool nicdriver_races; /* this driver changes memory while the card reads it */

/* Any features, sizes of rings and numbers of queues; all memory is 0 before. */
void nicdriver_start(void);
/* Again, after a reset. */
void nicdriver_restart(void);
/* Buffers to receive into; a packet to send; a command; chains to queues that they do not belong to. */
void nicdriver_room(void);
void nicdriver_packet(void);
void nicdriver_command(void);
void nicdriver_anything(void);
/* Notifies of a queue, perhaps of one that there is not. */
void nicdriver_kick(void);
/* Right after the card has read len bytes at p; NULL: between a store and a load. */
void nicdriver_race(const void *p, size_t len);

#endif
