/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes in memory as a read-only file: a boot module with an image in it. */
/* Copies and frees nothing. */
#ifndef DRIVERS_BLOCK_MEMFILE_H
#define DRIVERS_BLOCK_MEMFILE_H

#include "drivers/block/block.h"

/* The bytes stay as they are until the file is closed. NULL: no memory. */
struct block_file *memfile_open(const void *data, uint64_t size);

#endif
