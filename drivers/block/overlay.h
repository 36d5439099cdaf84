/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that is never changed, under writes that are kept in RAM until it is closed. */
/* What lies below may be of any format, or a real disk. */
#ifndef DRIVERS_BLOCK_OVERLAY_H
#define DRIVERS_BLOCK_OVERLAY_H

#include "drivers/block/block.h"

/*
 * The device owns base, which is closed with it. At most `limit` bytes of RAM, its tables included,
 * keep what is written: then, or when the host's memory is nearly out, a write that needs more is
 * -ENOSPC. -ENOMEM, or -E2BIG above 128 TiB: base is still the caller's.
 */
int overlay_open(struct block_dev *base, uint64_t limit, struct block_dev **out);
/* Bytes of RAM that d, made by overlay_open, holds now. Any context. */
uint64_t overlay_used(const struct block_dev *d);

#endif
