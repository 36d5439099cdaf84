/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 8439, 2.3 "The ChaCha20 Block Function". */
/* Neither encrypts nor keeps state. */
#include "hv/lib/chacha20.h"

#include "hv/lib/bytes.h"
#include "hv/lib/string.h"

#define WORDS	      16u
#define DOUBLE_ROUNDS 10u

static uint32_t rotate(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

/* 2.1 "The ChaCha Quarter Round" */
static void quarter_round(uint32_t s[WORDS], const uint8_t i[4])
{
	static const uint8_t shifts[4] = { 16, 12, 8, 7 };

	for (unsigned int n = 0; n < 4; n++) {
		unsigned int a = i[n & 1 ? 2 : 0], b = i[n & 1 ? 3 : 1], c = i[n & 1 ? 1 : 3];

		s[a] += s[b];
		s[c] = rotate(s[c] ^ s[a], shifts[n]);
	}
}

void chacha20_block(const uint32_t key[CHACHA20_KEY], uint32_t counter,
		    const uint32_t nonce[CHACHA20_NONCE], uint8_t out[CHACHA20_BLOCK])
{
	static const uint8_t rounds[8][4] = { { 0, 4, 8, 12 },	{ 1, 5, 9, 13 },  { 2, 6, 10, 14 },
					      { 3, 7, 11, 15 }, { 0, 5, 10, 15 }, { 1, 6, 11, 12 },
					      { 2, 7, 8, 13 },	{ 3, 4, 9, 14 } };
	uint32_t start[WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[WORDS];

	memcpy(&start[4], key, CHACHA20_KEY * sizeof(*key));
	start[12] = counter;
	memcpy(&start[13], nonce, CHACHA20_NONCE * sizeof(*nonce));
	memcpy(s, start, sizeof(s));
	for (unsigned int i = 0; i < 8 * DOUBLE_ROUNDS; i++) {
		quarter_round(s, rounds[i % 8]);
	}
	for (unsigned int i = 0; i < WORDS; i++) {
		bytes_put_le32(out + 4 * i, s[i] + start[i]);
	}
}
