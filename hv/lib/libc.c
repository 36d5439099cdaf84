/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the functions of string.h that carry the standard's names; the compiler emits calls to them. */
/* Host unit tests leave this file out and use their libc; string_* live in string.c. */
#include "hv/lib/string.h"

/* Loads and stores of any alignment and any aliasing. */
typedef uint64_t word64_t __attribute__((aligned(1), may_alias));
typedef uint32_t word32_t __attribute__((aligned(1), may_alias));
typedef uint16_t word16_t __attribute__((aligned(1), may_alias));

#define SHORT_MAX 32u /* below this a REP instruction costs more than it saves */

/* In a loop: keeps the compiler from turning the loop into a call of the function it implements. */
static inline void no_idiom(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline void rep_movsq(void *dst, const void *src, size_t words)
{
	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
}

static inline void rep_stosq(void *dst, uint64_t val, size_t words)
{
	__asm__ volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(val) : "memory");
}

/*
 * Fewer than SHORT_MAX bytes by two or four overlapping words. All loads come before all stores, so
 * this serves memmove too.
 */
static inline void copy_short(void *dst, const void *src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if (n >= 16) {
		uint64_t w0 = *(const word64_t *)s, w1 = *(const word64_t *)(s + 8);
		uint64_t w2 = *(const word64_t *)(s + n - 16), w3 = *(const word64_t *)(s + n - 8);

		*(word64_t *)d = w0;
		*(word64_t *)(d + 8) = w1;
		*(word64_t *)(d + n - 16) = w2;
		*(word64_t *)(d + n - 8) = w3;
	} else if (n >= 8) {
		uint64_t w0 = *(const word64_t *)s, w1 = *(const word64_t *)(s + n - 8);

		*(word64_t *)d = w0;
		*(word64_t *)(d + n - 8) = w1;
	} else if (n >= 4) {
		uint32_t w0 = *(const word32_t *)s, w1 = *(const word32_t *)(s + n - 4);

		*(word32_t *)d = w0;
		*(word32_t *)(d + n - 4) = w1;
	} else if (n >= 2) {
		uint16_t w0 = *(const word16_t *)s, w1 = *(const word16_t *)(s + n - 2);

		*(word16_t *)d = w0;
		*(word16_t *)(d + n - 2) = w1;
	} else if (n == 1) {
		*d = *s;
	}
}

/* Also right for overlapping areas as long as dst is below src. */
static inline void copy_up(void *dst, const void *src, size_t n)
{
	uint64_t tail = *(const word64_t *)((const uint8_t *)src + n - 8);

	rep_movsq(dst, src, n / 8);
	*(word64_t *)((uint8_t *)dst + n - 8) = tail;
}

static inline void copy_down(void *dst, const void *src, size_t n)
{
	uint64_t head = *(const word64_t *)src;

	for (size_t left = n; left >= 8; left -= 8) {
		*(word64_t *)((uint8_t *)dst + left - 8) =
			*(const word64_t *)((const uint8_t *)src + left - 8);
		no_idiom();
	}
	*(word64_t *)dst = head;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	if (n < SHORT_MAX) {
		copy_short(dst, src, n);
	} else {
		copy_up(dst, src, n);
	}
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if (n < SHORT_MAX) {
		copy_short(dst, src, n);
	} else if ((uintptr_t)dst - (uintptr_t)src >= n) {
		copy_up(dst, src, n);
	} else {
		copy_down(dst, src, n);
	}
	return dst;
}

static inline void set_short(uint8_t *d, uint64_t v, size_t n)
{
	if (n >= 16) {
		*(word64_t *)d = v;
		*(word64_t *)(d + 8) = v;
		*(word64_t *)(d + n - 16) = v;
		*(word64_t *)(d + n - 8) = v;
	} else if (n >= 8) {
		*(word64_t *)d = v;
		*(word64_t *)(d + n - 8) = v;
	} else if (n >= 4) {
		*(word32_t *)d = (uint32_t)v;
		*(word32_t *)(d + n - 4) = (uint32_t)v;
	} else if (n >= 2) {
		*(word16_t *)d = (uint16_t)v;
		*(word16_t *)(d + n - 2) = (uint16_t)v;
	} else if (n == 1) {
		*d = (uint8_t)v;
	}
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t v = (uint8_t)c * 0x0101010101010101ul;

	if (n < SHORT_MAX) {
		set_short(dst, v, n);
	} else {
		rep_stosq(dst, v, n / 8);
		*(word64_t *)((uint8_t *)dst + n - 8) = v;
	}
	return dst;
}

/* Order of two differing words as byte strings: the lowest address counts most. */
static inline int word_order(uint64_t a, uint64_t b)
{
	return __builtin_bswap64(a) < __builtin_bswap64(b) ? -1 : 1;
}

static int compare_short(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i]) {
			return a[i] - b[i];
		}
		no_idiom();
	}
	return 0;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	if (n < 8) {
		return compare_short(x, y, n);
	}
	for (size_t i = 0;; i = i + 8 <= n - 8 ? i + 8 : n - 8) {
		uint64_t wx = *(const word64_t *)(x + i), wy = *(const word64_t *)(y + i);

		if (wx != wy) {
			return word_order(wx, wy);
		}
		if (i == n - 8) {
			return 0;
		}
	}
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == (uint8_t)c) {
			return (void *)(uintptr_t)(p + i);
		}
		no_idiom();
	}
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0') {
		n++;
		no_idiom();
	}
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0') {
		n++;
		no_idiom();
	}
	return n;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] || a[i] == '\0') {
			return (uint8_t)a[i] - (uint8_t)b[i];
		}
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c) {
			return (char *)(uintptr_t)s;
		}
		if (*s == '\0') {
			return NULL;
		}
		no_idiom();
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c) {
			last = s;
		}
	} while (*s++ != '\0');
	return (char *)(uintptr_t)last;
}

char *strstr(const char *haystack, const char *needle)
{
	size_t n = strlen(needle);

	for (; strncmp(haystack, needle, n) != 0; haystack++) {
		if (*haystack == '\0') {
			return NULL;
		}
	}
	return (char *)(uintptr_t)haystack;
}
