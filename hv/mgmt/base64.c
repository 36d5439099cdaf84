/* SPDX-License-Identifier: BSD-2-Clause */
/* Three bytes make four letters. */
/* Breaks no lines. */
#include "hv/mgmt/base64.h"

size_t base64_encode(const uint8_t *from, size_t len, char *to)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *at = to;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)from[i] << 16;

		bits |= i + 1 < len ? (uint32_t)from[i + 1] << 8 : 0;
		bits |= i + 2 < len ? from[i + 2] : 0;
		*at++ = letters[bits >> 18];
		*at++ = letters[bits >> 12 & 63];
		*at++ = i + 1 < len ? letters[bits >> 6 & 63] : '=';
		*at++ = i + 2 < len ? letters[bits & 63] : '=';
	}
	return (size_t)(at - to);
}
