/* SPDX-License-Identifier: BSD-2-Clause */
/* The ChaCha20 block function: 64 bytes of key stream from a key, a nonce and a counter (RFC 8439). */
/* Where the key comes from is the caller's. */
#ifndef HV_LIB_CHACHA20_H
#define HV_LIB_CHACHA20_H

#include "hv/lib/types.h"

#define CHACHA20_KEY   8u /* words */
#define CHACHA20_NONCE 3u
#define CHACHA20_BLOCK 64u /* bytes */

void chacha20_block(const uint32_t key[CHACHA20_KEY], uint32_t counter,
		    const uint32_t nonce[CHACHA20_NONCE], uint8_t out[CHACHA20_BLOCK]);

#endif
