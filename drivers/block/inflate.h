/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a part of a compressed cluster (DEFLATE, RFC 1951; with RFC 1950's header if the map says so). */
/* Compresses nothing. */
#ifndef DRIVERS_BLOCK_INFLATE_H
#define DRIVERS_BLOCK_INFLATE_H

#include "drivers/block/format.h"

/*
 * Fills v with the bytes behind the first m->skip ones of what the stream at m->file_off inflates to.
 * Needs about 44 KiB of heap, whatever the stream says. -EIO: it is damaged or too short.
 */
int inflate_read(struct block_file *file, const struct block_map *m, const struct block_vec *v,
		 unsigned int n);

#endif
