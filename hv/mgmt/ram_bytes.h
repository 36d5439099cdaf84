/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes in 2 MiB chunks of host memory, with holes that read as zeros: what a file of ram: is made of. */
/* Knows no names and no ends of files. */
#ifndef HV_MGMT_RAM_BYTES_H
#define HV_MGMT_RAM_BYTES_H

#include "hv/mutex.h"

#define RAM_BYTES_MAX (4096ul * GIB) /* there is nothing from here on: every GiB may cost a table */

struct ram_span;

struct ram_bytes {
	struct mutex mutex; /* where chunks are, and what is in them: any number of threads */
	struct ram_span *first;
};

void ram_bytes_init(struct ram_bytes *b);
/* Frees all chunks: nobody uses b any more. */
void ram_bytes_free(struct ram_bytes *b);

/* All of these yield in between. */
void ram_bytes_read(struct ram_bytes *b, uint64_t off, void *buf, uint64_t len);
/* -ENOSPC: no memory, or past RAM_BYTES_MAX; what lies before the first chunk that there is none for is written. */
int ram_bytes_write(struct ram_bytes *b, uint64_t off, const void *buf, uint64_t len);
/* [off, off + len) reads as zeros; whole chunks are given back. */
void ram_bytes_clear(struct ram_bytes *b, uint64_t off, uint64_t len);

/* Bytes of host memory that all such chunks take. Any thread. */
uint64_t ram_bytes_used(void);

#endif
