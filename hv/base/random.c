/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator behind random_bytes: words of the CPU's, or a ChaCha20 stream whose key is replaced */
/* with each request, so that what was handed out cannot be computed from what is kept. */
#include "hv/base/random.h"

#include "arch/cpu.h"
#include "hv/base/lock.h"
#include "hv/lib/bytes.h"
#include "hv/lib/chacha20.h"
#include "hv/lib/string.h"

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANDOM);
static uint32_t key[CHACHA20_KEY]; /* [lock] */

/* Without a generator cpu_random() is the time stamp: its low bits are what little is not known. */
static void stir(void)
{
	for (unsigned int i = 0; i < CHACHA20_KEY; i++) {
		key[i] ^= (uint32_t)cpu_random();
	}
}

static void stream(uint8_t *buf, size_t len)
{
	static const uint32_t nonce[CHACHA20_NONCE]; /* the key is never used twice */
	uint8_t block[CHACHA20_BLOCK];
	uint32_t counter = 0;

	spin_lock(&lock);
	stir();
	while (len > 0) {
		size_t n = u64_min(len, CHACHA20_BLOCK);

		chacha20_block(key, ++counter, nonce, block);
		memcpy(buf, block, n);
		buf += n;
		len -= n;
	}
	chacha20_block(key, ++counter, nonce, block);
	for (unsigned int i = 0; i < CHACHA20_KEY; i++) {
		key[i] = bytes_get_le32(block + 4 * i);
	}
	memset(block, 0, sizeof(block));
	spin_unlock(&lock);
}

void random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;
	uint64_t word;

	while (len > 0) {
		size_t n = u64_min(len, sizeof(word));

		if (!cpu_random_hardware(&word)) {
			stream(p, len);
			return;
		}
		memcpy(p, &word, n);
		p += n;
		len -= n;
	}
}
