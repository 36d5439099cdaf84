/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns positions, messages, blanks and comments, strings and integers of the TOML subset. */
/* Builds no tree. */
#include "hv/mgmt/toml_scan.h"

#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/utf8.h"
#include <stdarg.h>

struct diag_place toml_scan_here(const struct toml_scan *s)
{
	return (struct diag_place){ s->line, (unsigned int)(s->p - s->line_start) + 1 };
}

void toml_scan_complain(struct toml_scan *s, struct diag_place at, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(s->d, at, "%.40s%s%s", s->key != NULL ? s->key : "", s->key != NULL ? ": " : "",
		 text);
}

/* ---- characters ---- */

char toml_scan_peek(const struct toml_scan *s)
{
	return s->p < s->end ? *s->p : '\0';
}

bool toml_scan_at_line_end(const struct toml_scan *s)
{
	return s->p == s->end || *s->p == '\n' ||
	       (*s->p == '\r' && s->end - s->p > 1 && s->p[1] == '\n');
}

void toml_scan_skip_blanks(struct toml_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t')) {
		s->p++;
	}
}

void toml_scan_skip_line(struct toml_scan *s)
{
	while (s->p < s->end && *s->p != '\n') {
		s->p++;
	}
	if (s->p < s->end) {
		s->p++;
		s->line++;
		s->line_start = s->p;
	}
}

#define FOUND_MAX 16u

/* What stands here, for a message: printable whatever the file holds. */
static const char *found(const struct toml_scan *s, char buf[FOUND_MAX])
{
	size_t left = (size_t)(s->end - s->p);
	unsigned int n;

	if (toml_scan_at_line_end(s)) {
		return s->p == s->end ? "end of file" : "end of line";
	}
	n = utf8_next(s->p, left);
	if (n == 1 && ((unsigned char)*s->p < 0x20 || (unsigned char)*s->p >= 0x7f)) {
		fmt_snprintf(buf, FOUND_MAX, "byte %02xh", (unsigned char)*s->p);
		return buf;
	}
	buf[0] = '\'';
	memcpy(buf + 1, s->p, n);
	buf[n + 1] = '\'';
	buf[n + 2] = '\0';
	return buf;
}

int toml_scan_expected(struct toml_scan *s, const char *what)
{
	char buf[FOUND_MAX];

	toml_scan_complain(s, toml_scan_here(s), "found %s, expected %s", found(s, buf), what);
	return -EINVAL;
}

int toml_scan_take(struct toml_scan *s, char c, const char *what)
{
	if (toml_scan_peek(s) != c || s->p == s->end) {
		return toml_scan_expected(s, what);
	}
	s->p++;
	return 0;
}

static int comment(struct toml_scan *s)
{
	while (!toml_scan_at_line_end(s)) {
		uint32_t c;
		unsigned int n = utf8_decode(s->p, (size_t)(s->end - s->p), &c);

		if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f) {
			toml_scan_complain(s, toml_scan_here(s), "%s in a comment",
					   n == 0 ? "bytes that are not UTF-8"
						  : "a control character");
			return -EINVAL;
		}
		s->p += n;
	}
	return 0;
}

/* Blanks, then a comment or nothing, to the end of the line. */
int toml_scan_end_of_line(struct toml_scan *s, const char *what)
{
	toml_scan_skip_blanks(s);
	if (toml_scan_peek(s) == '#') {
		return comment(s);
	}
	return toml_scan_at_line_end(s) ? 0 : toml_scan_expected(s, what);
}

/* Within an array: over blanks, comments and line ends. */
int toml_scan_skip_space(struct toml_scan *s)
{
	for (;;) {
		int err = 0;

		toml_scan_skip_blanks(s);
		if (s->p < s->end && *s->p == '#') {
			err = comment(s);
		}
		if (err != 0 || s->p == s->end || !toml_scan_at_line_end(s)) {
			return err;
		}
		toml_scan_skip_line(s);
	}
}

/* ---- strings ---- */

int toml_scan_add(struct toml_scan *s, struct diag_place at, const char *bytes, unsigned int n)
{
	if (s->len + n >= sizeof(s->buf)) {
		toml_scan_complain(s, at, "string of more than %u bytes", TOML_STRING_MAX - 1);
		return -EINVAL;
	}
	memcpy(s->buf + s->len, bytes, n);
	s->len += n;
	return 0;
}

static unsigned int utf8_encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static unsigned int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return (unsigned int)(c - '0');
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/* \uXXXX and \UXXXXXXXX, the letter already taken. */
static int unicode_escape(struct toml_scan *s, struct diag_place at, unsigned int digits)
{
	uint32_t c = 0;
	char out[4];

	for (unsigned int i = 0; i < digits; i++, s->p++) {
		if (hex_value(toml_scan_peek(s)) > 15) {
			return toml_scan_expected(s, "a hexadecimal digit");
		}
		c = c << 4 | hex_value(toml_scan_peek(s));
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		toml_scan_complain(s, at, "no character has the number %xh", c);
		return -EINVAL;
	}
	return toml_scan_add(s, at, out, utf8_encode(c, out));
}

static int escape(struct toml_scan *s)
{
	static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	struct diag_place at = toml_scan_here(s);
	const char *letter;
	char c;

	s->p++;
	c = toml_scan_peek(s);
	if (c == 'u' || c == 'U') {
		s->p++;
		return unicode_escape(s, at, c == 'u' ? 4 : 8);
	}
	letter = c != '\0' ? strchr(letters, c) : NULL;
	if (letter == NULL) {
		return toml_scan_expected(
			s, "an escape: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
	}
	s->p++;
	return toml_scan_add(s, at, &values[letter - letters], 1);
}

/* "basic" and 'literal' strings, into s->buf. */
int toml_scan_string(struct toml_scan *s)
{
	char quote = *s->p;
	int err = 0;

	if (s->end - s->p >= 3 && s->p[1] == quote && s->p[2] == quote) {
		toml_scan_complain(s, toml_scan_here(s), "multi-line strings are not supported");
		return -EINVAL;
	}
	s->p++;
	s->len = 0;
	while (err == 0 && !toml_scan_at_line_end(s) && *s->p != quote) {
		struct diag_place at = toml_scan_here(s);
		uint32_t c;
		unsigned int n = utf8_decode(s->p, (size_t)(s->end - s->p), &c);

		if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f) {
			toml_scan_complain(s, at, "%s in a string",
					   n == 0 ? "bytes that are not UTF-8"
						  : "a control character");
			return -EINVAL;
		}
		if (c == '\\' && quote == '"') {
			err = escape(s);
		} else {
			err = toml_scan_add(s, at, s->p, n);
			s->p += n;
		}
	}
	if (err != 0) {
		return err;
	}
	s->buf[s->len] = '\0';
	return toml_scan_take(s, quote, quote == '"' ? "the closing \"" : "the closing '");
}

bool toml_scan_is_bare(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '-';
}

/* Length of the word here: what a number or boolean could be made of. */
size_t toml_scan_word_length(const struct toml_scan *s)
{
	const char *p = s->p;

	while (p < s->end && (toml_scan_is_bare(*p) || *p == '+' || *p == '.' || *p == ':')) {
		p++;
	}
	return (size_t)(p - s->p);
}

/* Copies the digits of an integer without its underscores; false where one stands wrong. */
static bool strip_underscores(const char *word, size_t n, char out[72])
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (word[i] == '_') {
			if (i == 0 || i + 1 == n || hex_value(word[i - 1]) > 15 ||
			    hex_value(word[i + 1]) > 15) {
				return false;
			}
		} else if (len == 71) {
			return false;
		} else {
			out[len++] = word[i];
		}
	}
	out[len] = '\0';
	return len > 0;
}

static const struct {
	const char *prefix;
	unsigned int base;
} bases[] = { { "0x", 16 }, { "0o", 8 }, { "0b", 2 } };

/* Digits to a number: 0, -EINVAL, -ERANGE. */
static int digits_to_u64(const char *s, uint64_t *out)
{
	unsigned int base = 10;
	uint64_t v = 0;
	bool over = false;

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		if (string_starts_with(s, bases[i].prefix)) {
			base = bases[i].base;
			s += 2;
			break;
		}
	}
	if (*s == '\0' || (base == 10 && s[0] == '0' && s[1] != '\0')) {
		return -EINVAL;
	}
	for (; *s != '\0'; s++) {
		if (hex_value(*s) >= base) {
			return -EINVAL;
		}
		over |= __builtin_mul_overflow(v, base, &v);
		over |= __builtin_add_overflow(v, hex_value(*s), &v);
	}
	*out = v;
	return over ? -ERANGE : 0;
}

int toml_scan_integer(const char *word, size_t n, int64_t *out)
{
	char digits[72];
	bool negative = word[0] == '-', sign = negative || word[0] == '+';
	uint64_t v;
	int err;

	if (!strip_underscores(word + sign, n - sign, digits)) {
		return -EINVAL;
	}
	if (sign && digits[0] == '0' && digits[1] != '\0') {
		return -EINVAL; /* TOML: only decimal integers have a sign */
	}
	err = digits_to_u64(digits, &v);
	if (err == 0 && v > (uint64_t)INT64_MAX + negative) {
		err = -ERANGE;
	}
	*out = err == 0 ? (int64_t)(negative ? 0 - v : v) : 0;
	return err;
}
