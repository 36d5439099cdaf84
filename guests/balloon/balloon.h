/* SPDX-License-Identifier: BSD-2-Clause */
/* What main.c, a rude driver on one CPU, and race.c, several CPUs around it, share. */
/* Knows the balloon's two queues and a chunk of memory that nothing else is in. */
#ifndef GUESTS_BALLOON_BALLOON_H
#define GUESTS_BALLOON_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE  4096ul
#define CHUNK 0x800000ul /* 2 MiB that nothing else is in */
#define PAGES 512u

enum balloon_queue { INFLATE, DEFLATE };

/* Counts; says on the console what is not ok. */
void balloon_check(bool ok, const char *what);
/* A ring for one queue at a time: the other one is set up anew. */
void balloon_begin(enum balloon_queue queue);
/* The pages of the 2 MiB at that address by the queue begun; returns when the device has them. */
void balloon_send_chunk(uint64_t at);

static inline uint64_t *balloon_word(uint64_t at, unsigned int page, unsigned int n)
{
	return (uint64_t *)(at + page * PAGE) + n;
}

/* race.c: all its checks. */
void balloon_race(unsigned int cpus, unsigned int rounds);

#endif
