/* SPDX-License-Identifier: BSD-2-Clause */
/* The four functions that compilers call by themselves. */
/* Nothing that guests call by name besides these. */
#include "guests/lib/mem.h"

void *memset(void *dst, int byte, size_t count)
{
	void *at = dst;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
	return dst;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t count)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(count)::"memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t count)
{
	uint8_t *to = dst;
	const uint8_t *from = src;

	if (to <= from) {
		return memcpy(dst, src, count);
	}
	while (count--) {
		__asm__ volatile("movb %1, %0" : "=m"(to[count]) : "q"(from[count]));
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t count)
{
	const uint8_t *x = a, *y = b;

	for (; count; count--, x++, y++) {
		if (*x != *y) {
			return *x < *y ? -1 : 1;
		}
	}
	return 0;
}
