/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the bounded string helpers and number parsing of string.h. */
/* The functions with standard names are in libc.c. */
#include "hv/lib/string.h"
#include "hv/lib/errno.h"

bool string_copy(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(src, size);

	if (size == 0) {
		return false;
	}
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return false;
	}
	memcpy(dst, src, n + 1);
	return true;
}

bool string_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Value of a digit in bases up to 16, or 16 and more for what is none. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9') {
		return (unsigned int)(c - '0');
	}
	if (c >= 'a' && c <= 'f') {
		return (unsigned int)(c - 'a') + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return (unsigned int)(c - 'A') + 10;
	}
	return UINT32_MAX;
}

/*
 * Reads the digits that s starts with and sets *end behind them. -ERANGE still consumes all digits, so
 * that the caller can tell a large number from rubbish.
 */
static int parse_digits(const char *s, unsigned int base, const char **end, uint64_t *out)
{
	const char *p = s;
	uint64_t v = 0;
	bool over = false;

	for (; digit_value(*p) < base; p++) {
		over |= __builtin_mul_overflow(v, base, &v);
		over |= __builtin_add_overflow(v, digit_value(*p), &v);
	}
	*end = p;
	*out = v;
	if (p == s) {
		return -EINVAL;
	}
	return over ? -ERANGE : 0;
}

static int parse_number(const char *s, const char **end, uint64_t *out)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		return parse_digits(s + 2, 16, end, out);
	}
	return parse_digits(s, 10, end, out);
}

int string_to_u64(const char *s, uint64_t *out)
{
	const char *end;
	uint64_t v;
	int err = parse_number(s, &end, &v);

	if (*end != '\0') {
		return -EINVAL;
	}
	if (err == 0) {
		*out = v;
	}
	return err;
}

int string_to_size(const char *s, uint64_t *out)
{
	static const char suffixes[] = "KMGT";
	const char *end;
	unsigned int shift = 0;
	uint64_t v;
	int err = parse_number(s, &end, &v);

	if (err != -EINVAL && *end != '\0') {
		const char *suffix = strchr(suffixes, *end);

		shift = suffix != NULL ? 10 * ((unsigned int)(suffix - suffixes) + 1) : 0;
		end += suffix != NULL;
	}
	if (*end != '\0') {
		return -EINVAL;
	}
	if (err == 0 && v > UINT64_MAX >> shift) {
		err = -ERANGE;
	}
	if (err == 0) {
		*out = v << shift;
	}
	return err;
}
