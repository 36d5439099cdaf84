/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of small numbers as bits, with a summary of its words: the next member is found in a few steps. */
/* Owns no memory and no lock. */
#ifndef HV_LIB_BITSET_H
#define HV_LIB_BITSET_H

#include "hv/lib/types.h"

struct bitset {
	uint64_t *words;
	uint64_t *summary; /* a bit per word that is not 0 */
	uint32_t size;	   /* members are below */
};

/* Words of 64 bits that a set of that size needs, the summary included. */
static inline uint64_t bitset_words(uint32_t size)
{
	uint64_t words = (size + 63ul) / 64;

	return words + (words + 63) / 64;
}

/* An empty set in memory that is bitset_words() long and zeroed. */
static inline void bitset_init(struct bitset *s, uint64_t *memory, uint32_t size)
{
	*s = (struct bitset){ memory, memory + (size + 63ul) / 64, size };
}

static inline void bitset_add(struct bitset *s, uint32_t n)
{
	s->words[n / 64] |= BIT(n % 64);
	s->summary[n / 4096] |= BIT(n / 64 % 64);
}

static inline void bitset_remove(struct bitset *s, uint32_t n)
{
	s->words[n / 64] &= ~BIT(n % 64);
	if (s->words[n / 64] == 0) {
		s->summary[n / 4096] &= ~BIT(n / 64 % 64);
	}
}

/* The bits of word w from bit on. */
static inline uint64_t bitset_from(const uint64_t *words, uint64_t n)
{
	return words[n / 64] & (UINT64_MAX << n % 64);
}

/* The least member that is not below n; size if there is none. */
static inline uint32_t bitset_next(const struct bitset *s, uint32_t n)
{
	uint64_t count = (s->size + 63ul) / 64, w = n / 64, sum, bits;

	if (n >= s->size) {
		return s->size;
	}
	bits = bitset_from(s->words, n);
	if (bits != 0) {
		return (uint32_t)(n / 64 * 64ul + (uint64_t)__builtin_ctzll(bits));
	}
	for (w++; w < count; w = (w / 64 + 1) * 64) {
		sum = bitset_from(s->summary, w);
		if (sum != 0) {
			w = w / 64 * 64 + (uint64_t)__builtin_ctzll(sum);
			return (uint32_t)(w * 64 + (uint64_t)__builtin_ctzll(s->words[w]));
		}
	}
	return s->size;
}

/* How many of n, n + 1, ... are members, at most max. */
static inline uint32_t bitset_run(const struct bitset *s, uint32_t n, uint32_t max)
{
	uint64_t end = u64_min(s->size, (uint64_t)n + max), at = n;

	while (at < end) {
		uint64_t gaps = ~s->words[at / 64] & (UINT64_MAX << at % 64);

		if (gaps != 0) {
			at = at / 64 * 64 + (uint64_t)__builtin_ctzll(gaps);
			break;
		}
		at = (at / 64 + 1) * 64;
	}
	return (uint32_t)(u64_min(at, end) - u64_min(n, end));
}

#endif
