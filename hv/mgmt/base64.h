/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as letters that any terminal passes on: RFC 4648, "Base 64 Encoding". */
/* One way only. */
#ifndef HV_MGMT_BASE64_H
#define HV_MGMT_BASE64_H

#include "hv/lib/types.h"

#define BASE64_LINE	  57u /* RFC 2045, "Base64 Content-Transfer-Encoding": 76 letters */
#define BASE64_LETTERS(n) (((n) + 2u) / 3u * 4u)

/* Writes BASE64_LETTERS(len) letters to `to`, '=' where bytes are missing; returns how many. */
size_t base64_encode(const uint8_t *from, size_t len, char *to);

#endif
