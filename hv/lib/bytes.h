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

static inline uint16_t bytes_get_le16(const void *p)
{
	return (uint16_t)bytes_get_le(p, 2);
}

static inline uint32_t bytes_get_le32(const void *p)
{
	return (uint32_t)bytes_get_le(p, 4);
}

static inline uint64_t bytes_get_le64(const void *p)
{
	return bytes_get_le(p, 8);
}

static inline void bytes_put_le16(void *p, uint16_t v)
{
	bytes_put_le(p, 2, v);
}

static inline void bytes_put_le32(void *p, uint32_t v)
{
	bytes_put_le(p, 4, v);
}

static inline void bytes_put_le64(void *p, uint64_t v)
{
	bytes_put_le(p, 8, v);
}

#endif
