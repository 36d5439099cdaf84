/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters in UTF-8: where one ends, whether it is valid, and how many columns it fills. */
/* No normalisation, no upper and lower case. */
#ifndef HV_MGMT_UTF8_H
#define HV_MGMT_UTF8_H

#include "hv/lib/types.h"

/* Bytes of the sequence that starts with first: 1-4, or 0 if none can. */
unsigned int utf8_length(unsigned char first);
/* Decodes the character at s (n bytes are there); its length, or 0 if it is cut or invalid. */
unsigned int utf8_decode(const char *s, size_t n, uint32_t *out);
/* Bytes of the character at s, taking an invalid byte as one; 0 only for n = 0. */
unsigned int utf8_next(const char *s, size_t n);
/* Bytes of the character that ends at s + n; 0 only for n = 0. */
unsigned int utf8_prev(const char *s, size_t n);
/* Columns on a terminal of the n bytes at s. */
unsigned int utf8_width(const char *s, size_t n);

#endif
