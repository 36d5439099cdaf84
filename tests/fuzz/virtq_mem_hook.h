/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for drivers/virtio/virtq_mem.h (same guard, included before all else): after each load */
/* the fuzzer may change what was read, as a second vCPU of the guest can. */
#ifndef DRIVERS_VIRTIO_VIRTQ_MEM_H
#define DRIVERS_VIRTIO_VIRTQ_MEM_H

#include "hv/lib/types.h"

/* The fuzz target's: len bytes at p were just read. */
void fuzz_loaded(const void *p, size_t len);

static inline void virtq_mem_copy16(uint64_t dst[2], const void *src)
{
	__builtin_memcpy(dst, src, 16);
	fuzz_loaded(src, 16);
}

static inline uint16_t virtq_mem_load16(const void *p)
{
	uint16_t val = *(const volatile uint16_t *)p;

	fuzz_loaded(p, 2);
	return val;
}

static inline void virtq_mem_store16(void *p, uint16_t val)
{
	*(volatile uint16_t *)p = val;
}

static inline void virtq_mem_store32(void *p, uint32_t val)
{
	*(volatile uint32_t *)p = val;
}

static inline void virtq_mem_fence(void)
{
	fuzz_loaded(NULL, 0);
}

#endif
