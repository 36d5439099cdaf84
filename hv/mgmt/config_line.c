/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the quotes that the command line took away from a setting: puts them back around its strings. */
/* What is wrong otherwise, the parser finds. */
#include "hv/mgmt/config_line.h"
#include "hv/lib/string.h"

struct line {
	char *buf;
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len + 1 < CONFIG_LINE_MAX) {
		l->buf[l->len++] = c;
	}
}

static void put_all(struct line *l, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put(l, s[i]);
	}
}

/* n bytes as a quoted string. */
static void quote(struct line *l, const char *s, size_t n)
{
	put(l, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\') {
			put(l, '\\');
		}
		put(l, s[i]);
	}
	put(l, '"');
}

static bool is_quoted(const char *s, size_t n)
{
	return n >= 2 && s[0] == '"' && s[n - 1] == '"';
}

/* A,B or [A,B] as an array; its items quoted if they are strings. */
static void put_array(struct line *l, const char *s, bool strings)
{
	size_t n = strlen(s);

	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	put(l, '[');
	for (size_t i = 0; i < n; i++) {
		size_t start, end;

		while (i < n && s[i] == ' ') {
			i++;
		}
		for (start = i; i < n && s[i] != ','; i++) {
		}
		for (end = i; end > start && s[end - 1] == ' '; end--) {
		}
		if (strings && !is_quoted(s + start, end - start)) {
			quote(l, s + start, end - start);
		} else {
			put_all(l, s + start, end - start);
		}
		put(l, ',');
	}
	put(l, ']');
}

/* How far a string with quotes reaches, or a word of a table: to its sign, or to the end. */
static size_t token(const char *s)
{
	const char *p = s;

	if (*s != '"') {
		while (*p != '\0' && strchr(" ,=[]{}\"", *p) == NULL) {
			p++;
		}
		return (size_t)(p - s);
	}
	for (p++; *p != '\0' && *p != '"'; p++) {
		p += *p == '\\' && p[1] != '\0';
	}
	return (size_t)(p - s) + (*p == '"');
}

/* Numbers and the two words of TOML's. */
static bool is_bare(const char *s, size_t n)
{
	size_t digits = 0;

	while (digits < n && s[digits] >= '0' && s[digits] <= '9') {
		digits++;
	}
	return digits == n || (n == 4 && memcmp(s, "true", n) == 0) ||
	       (n == 5 && memcmp(s, "false", n) == 0);
}

/* [{file=boot:a,format=raw,readonly=true}], with or without quotes and blanks. */
static void put_tables(struct line *l, const char *s)
{
	bool table = false, value = true; /* a key otherwise */

	while (*s != '\0') {
		size_t n = token(s);

		if (n == 0) {
			table = *s == '{' || (table && *s != '}');
			value = !table || *s == '=' || (value && *s == ' ');
			put(l, *s++);
		} else if (value && *s != '"' && !is_bare(s, n)) {
			quote(l, s, n);
			s += n;
		} else {
			put_all(l, s, n);
			s += n;
		}
	}
}

size_t config_line_make(char *line, const struct config_type *type, const char *text)
{
	struct line l = { line, 0 };

	put_all(&l, "v = ", 4);
	if (type->toml == TOML_STRING) {
		quote(&l, text, strlen(text));
	} else if (type->toml != TOML_ARRAY) {
		put_all(&l, text, strlen(text));
	} else if (strchr(text, '{') == NULL) {
		put_array(&l, text, type->items == TOML_STRING || type->items == TOML_TABLE);
	} else {
		put_tables(&l, text);
	}
	return l.len;
}
