/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns decoding of UTF-8 (RFC 3629) and the width of characters on a terminal. */
/* Does not change text. */
#include "hv/mgmt/utf8.h"

/* Ranges that do not fill one column; all others do. The first is the lowest. */
static const struct {
	uint32_t first, last;
	unsigned int columns;
} widths[] = {
	{ 0x300, 0x36f, 0 },	 /* combining marks */
	{ 0x200b, 0x200f, 0 },	 /* zero-width space, joiners, direction marks */
	{ 0x1100, 0x115f, 2 },	 /* Hangul initials */
	{ 0x2e80, 0xa4cf, 2 },	 /* CJK, kana, Yi */
	{ 0xac00, 0xd7a3, 2 },	 /* Hangul syllables */
	{ 0xf900, 0xfaff, 2 },	 /* CJK compatibility */
	{ 0xfe00, 0xfe0f, 0 },	 /* variation selectors */
	{ 0xfe30, 0xfe6f, 2 },	 /* CJK punctuation forms */
	{ 0xff00, 0xff60, 2 },	 /* full-width forms */
	{ 0xffe0, 0xffe6, 2 },	 /* full-width signs */
	{ 0x1f300, 0x1faff, 2 }, /* pictographs */
	{ 0x20000, 0x3fffd, 2 }, /* CJK extensions */
};

unsigned int utf8_length(unsigned char first)
{
	if (first < 0x80) {
		return 1;
	}
	if (first < 0xc2 || first > 0xf4) { /* continuation, overlong, past U+10FFFF */
		return 0;
	}
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

unsigned int utf8_decode(const char *s, size_t n, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = n > 0 ? utf8_length((unsigned char)s[0]) : 0;
	uint32_t c;

	if (len == 0 || len > n) {
		return 0;
	}
	c = (unsigned char)s[0] & (len == 1 ? 0x7fu : 0x7fu >> len);
	for (unsigned int i = 1; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80) {
			return 0;
		}
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return 0;
	}
	*out = c;
	return len;
}

unsigned int utf8_next(const char *s, size_t n)
{
	uint32_t c;
	unsigned int len = utf8_decode(s, n, &c);

	return len > 0 ? len : n > 0;
}

unsigned int utf8_prev(const char *s, size_t n)
{
	for (unsigned int len = 1; len <= 4 && len <= n; len++) {
		if (((unsigned char)s[n - len] & 0xc0) != 0x80) {
			return utf8_next(s + n - len, len) == len ? len : 1;
		}
	}
	return n > 0;
}

static unsigned int char_width(uint32_t c)
{
	if (c < widths[0].first) {
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		if (c >= widths[i].first && c <= widths[i].last) {
			return widths[i].columns;
		}
	}
	return 1;
}

unsigned int utf8_width(const char *s, size_t n)
{
	unsigned int columns = 0, len;

	for (size_t i = 0; i < n; i += len) {
		uint32_t c;

		len = utf8_decode(s + i, n - i, &c);
		columns += len > 0 ? char_width(c) : 1;
		len = len > 0 ? len : 1;
	}
	return columns;
}
