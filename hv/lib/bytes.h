/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes integers of explicit width and byte order in unaligned memory: the only way in */
/* which a device register, disk structure or packet header is taken apart. */
#ifndef HV_LIB_BYTES_H
#define HV_LIB_BYTES_H

#include "hv/lib/types.h"

static inline uint64_t bytes_get_le(const void *p, unsigned int size)
{
	const uint8_t *b = p;
	uint64_t v = 0;

	for (unsigned int i = 0; i < size; i++) {
		v |= (uint64_t)b[i] << (8 * i);
	}
	return v;
}

static inline void bytes_put_le(void *p, unsigned int size, uint64_t v)
{
	uint8_t *b = p;

	for (unsigned int i = 0; i < size; i++) {
		b[i] = (uint8_t)(v >> (8 * i));
	}
}

/* Spelled out: compilers make one load of this, but not of the loop above. */
static inline uint16_t bytes_get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | (uint32_t)b[1] << 8);
}

static inline uint32_t bytes_get_le32(const void *p)
{
	const uint8_t *b = p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t bytes_get_le64(const void *p)
{
	const uint8_t *b = p;

	return b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
	       (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
	       (uint64_t)b[7] << 56;
}

static inline void bytes_put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void bytes_put_le32(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)(v >> 16);
	b[3] = (uint8_t)(v >> 24);
}

static inline void bytes_put_le64(void *p, uint64_t v)
{
	bytes_put_le32(p, (uint32_t)v);
	bytes_put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

/* All of them added up: 0 where a firmware table is sound, and its checksum byte makes it so. */
static inline uint8_t bytes_sum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + b[i]);
	}
	return sum;
}

#endif
