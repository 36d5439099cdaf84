/* SPDX-License-Identifier: BSD-2-Clause */
/* printf-style formatting into a buffer: %d %i %u %x %X %c %s %p %% with flags 0 - + space #, */
/* width, precision, '*', and h hh l ll z j t. No floating point. */
#ifndef HV_LIB_FMT_H
#define HV_LIB_FMT_H

#include "hv/lib/types.h"
#include <stdarg.h>

/*
 * Both write at most size bytes including the final NUL and return the length that the whole text
 * has (as C's snprintf does). size may be 0.
 */
int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) PRINTF(3, 0);
int fmt_snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* Writes e.g. "512 MiB" or "1.5 GiB"; buf of 16 bytes is enough. Returns buf. */
char *fmt_size(char *buf, size_t size, uint64_t bytes);

#endif
