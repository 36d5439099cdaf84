/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian numbers in tables on disk. */
/* Little-endian ones are in hv/lib/bytes.h. */
#ifndef DRIVERS_BLOCK_BYTES_BE_H
#define DRIVERS_BLOCK_BYTES_BE_H

#include "hv/lib/types.h"

static inline uint16_t bytes_get_be16(const void *p)
{
	uint16_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t bytes_get_be32(const void *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t bytes_get_be64(const void *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void bytes_put_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void bytes_put_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void bytes_put_be64(void *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

#endif
