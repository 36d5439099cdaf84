/* SPDX-License-Identifier: BSD-2-Clause */
/* memset, memcpy, memmove, memcmp as in the C standard. */
/* Nothing else. */
#ifndef GUESTS_LIB_MEM_H
#define GUESTS_LIB_MEM_H

#include <stddef.h>
#include <stdint.h>

void *memset(void *dst, int byte, size_t count);
void *memcpy(void *restrict dst, const void *restrict src, size_t count);
void *memmove(void *dst, const void *src, size_t count);
int memcmp(const void *a, const void *b, size_t count);

#endif
