/* SPDX-License-Identifier: BSD-2-Clause */
/* The words every layer speaks: address types, bit and array helpers, attributes. */
/* Holds no state and knows no hardware; compiles on a host for the unit tests. */
#ifndef HV_LIB_TYPES_H
#define HV_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE  4096ul
#define KIB	   1024ul
#define MIB	   (1024ul * KIB)
#define GIB	   (1024ul * MIB)

#define BIT(n)		 (1ul << (n))
#define ARRAY_SIZE(a)	 (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a) ((x) & ~((a)-1))
#define ALIGN_UP(x, a)	 (((x) + ((a)-1)) & ~((a)-1))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define PACKED	     __attribute__((packed))
#define ALIGNED(n)   __attribute__((aligned(n)))
#define NORETURN     __attribute__((noreturn))
#define UNUSED	     __attribute__((unused))
#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)

/* Addresses are types, so that a guest-physical one cannot be passed for a host-physical one. */
typedef struct {
	uint64_t v;
} gpa_t; /* guest-physical */
typedef struct {
	uint64_t v;
} hpa_t; /* host-physical */
typedef struct {
	uint64_t v;
} gva_t; /* guest-virtual (linear) */

static inline gpa_t gpa_add(gpa_t a, uint64_t n)
{
	return (gpa_t){ a.v + n };
}

static inline hpa_t hpa_add(hpa_t a, uint64_t n)
{
	return (hpa_t){ a.v + n };
}

/* How many bits are set. */
static inline unsigned int u64_bits(uint64_t v)
{
	unsigned int count = 0;

	for (; v != 0; v &= v - 1) {
		count++;
	}
	return count;
}

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* True if [off, off + len) lies within [0, size); never overflows. */
static inline bool range_within(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

#endif
