/* SPDX-License-Identifier: BSD-2-Clause */
/* How ring memory is touched, which the driver may change at any time: each value is loaded once. */
/* Checks nothing. The fuzzer has a header of its own with these names. */
#ifndef DRIVERS_VIRTIO_VIRTQ_MEM_H
#define DRIVERS_VIRTIO_VIRTQ_MEM_H

#include "hv/lib/types.h"

/* A copy that the compiler will not make again: the barrier ends what it knows of the source. */
static inline void virtq_mem_copy16(uint64_t dst[2], const void *src)
{
	__builtin_memcpy(dst, src, 16);
	__asm__ volatile("" ::: "memory");
}

static inline uint16_t virtq_mem_load16(const void *p)
{
	return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}

static inline void virtq_mem_store16(void *p, uint16_t val)
{
	__atomic_store_n((uint16_t *)p, val, __ATOMIC_RELEASE);
}

static inline void virtq_mem_store32(void *p, uint32_t val)
{
	__atomic_store_n((uint32_t *)p, val, __ATOMIC_RELAXED);
}

/* Stores before it are seen before loads behind it are made. */
static inline void virtq_mem_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
