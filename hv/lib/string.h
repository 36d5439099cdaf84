/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of C's string library that a freestanding image needs, with the standard's names and */
/* meaning (the compiler emits calls to mem*), plus bounded string helpers. */
#ifndef HV_LIB_STRING_H
#define HV_LIB_STRING_H

#include "hv/lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);

/* Copies at most size - 1 bytes and always ends with NUL. Returns false if src was cut. */
bool string_copy(char *dst, const char *src, size_t size);
bool string_starts_with(const char *s, const char *prefix);

/*
 * Parses an unsigned number that fills the whole string: decimal, or hexadecimal after 0x.
 * Returns 0, -EINVAL (not a number) or -ERANGE.
 */
int string_to_u64(const char *s, uint64_t *out);

/* As string_to_u64, with an optional suffix K, M, G or T (powers of 1024). */
int string_to_size(const char *s, uint64_t *out);

#endif
