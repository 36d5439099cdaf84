/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the grammar (TOML 1.0.0, a subset) and the tree made of it. */
/* After an error it goes on at the next line that looks like one, to report all errors at once. */
#include "hv/mgmt/toml.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/utf8.h"
#include <stdarg.h>

#define STRING_MAX 1024u

struct parser {
	const char *p, *end;
	const char *line_start;
	unsigned int line;
	unsigned int depth; /* open arrays and inline tables */
	unsigned int nodes;
	bool no_memory;
	const char *key; /* whose value is being read, for messages; NULL: none's */
	struct diag *d;
	char buf[STRING_MAX]; /* the string being read */
	size_t len;
};

static int parse_value(struct parser *s, struct toml_node *n);

const char *toml_type_name(enum toml_type type)
{
	static const char *const names[TOML_TYPES] = {
		[TOML_STRING] = "a string",   [TOML_INTEGER] = "an integer",
		[TOML_BOOLEAN] = "a boolean", [TOML_ARRAY] = "an array",
		[TOML_TABLE] = "a table",
	};

	return names[type];
}

/* ---- the tree ---- */

void toml_free(struct toml_node *n)
{
	while (n != NULL) {
		struct toml_node *next = n->next;

		toml_free(n->children); /* TOML_DEPTH_MAX bounds this */
		heap_free(n->key);
		heap_free(n->string);
		heap_free(n);
		n = next;
	}
}

const struct toml_node *toml_find(const struct toml_node *table, const char *key)
{
	for (const struct toml_node *n = table->children; n != NULL; n = n->next) {
		if (n->key != NULL && strcmp(n->key, key) == 0) {
			return n;
		}
	}
	return NULL;
}

static struct diag_place here(const struct parser *s)
{
	return (struct diag_place){ s->line, (unsigned int)(s->p - s->line_start) + 1 };
}

static void complain(struct parser *s, struct diag_place at, const char *fmt, ...) PRINTF(3, 4);
static void complain(struct parser *s, struct diag_place at, const char *fmt, ...)
{
	char text[DIAG_TEXT];
	va_list ap;

	va_start(ap, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(s->d, at, "%.40s%s%s", s->key != NULL ? s->key : "", s->key != NULL ? ": " : "",
		 text);
}

static struct toml_node *node_new(struct parser *s, struct diag_place at, const char *key)
{
	struct toml_node *n;

	if (s->nodes == TOML_NODES_MAX) {
		complain(s, at, "more than %u values", TOML_NODES_MAX);
		s->no_memory = true;
		return NULL;
	}
	n = heap_alloc(sizeof(*n));
	if (n != NULL && key != NULL) {
		n->key = heap_strdup(key);
	}
	if (n == NULL || (key != NULL && n->key == NULL)) {
		complain(s, at, "out of memory");
		s->no_memory = true;
		heap_free(n);
		return NULL;
	}
	n->at = at;
	s->nodes++;
	return n;
}

static void node_append(struct toml_node *parent, struct toml_node *n)
{
	if (parent->last != NULL) {
		parent->last->next = n;
	} else {
		parent->children = n;
	}
	parent->last = n;
}

/* ---- characters ---- */

static char peek(const struct parser *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static bool at_line_end(const struct parser *s)
{
	return s->p == s->end || *s->p == '\n' ||
	       (*s->p == '\r' && s->end - s->p > 1 && s->p[1] == '\n');
}

static void skip_blanks(struct parser *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t')) {
		s->p++;
	}
}

static void skip_line(struct parser *s)
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

/* What stands here, for a message. */
static const char *found(const struct parser *s, char buf[16])
{
	size_t left = (size_t)(s->end - s->p);
	unsigned int n;

	if (at_line_end(s)) {
		return s->p == s->end ? "end of file" : "end of line";
	}
	n = utf8_next(s->p, left);
	buf[0] = '\'';
	memcpy(buf + 1, s->p, n);
	buf[n + 1] = '\'';
	buf[n + 2] = '\0';
	return buf;
}

static int expected(struct parser *s, const char *what)
{
	char buf[16];

	complain(s, here(s), "found %s, expected %s", found(s, buf), what);
	return -EINVAL;
}

static int take(struct parser *s, char c, const char *what)
{
	if (peek(s) != c || s->p == s->end) {
		return expected(s, what);
	}
	s->p++;
	return 0;
}

static int comment(struct parser *s)
{
	while (!at_line_end(s)) {
		uint32_t c;
		unsigned int n = utf8_decode(s->p, (size_t)(s->end - s->p), &c);

		if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f) {
			complain(s, here(s), "%s in a comment",
				 n == 0 ? "bytes that are not UTF-8" : "a control character");
			return -EINVAL;
		}
		s->p += n;
	}
	return 0;
}

/* Blanks, then a comment or nothing, to the end of the line. */
static int end_of_line(struct parser *s, const char *what)
{
	skip_blanks(s);
	if (peek(s) == '#') {
		return comment(s);
	}
	return at_line_end(s) ? 0 : expected(s, what);
}

/* Within an array: over blanks, comments and line ends. */
static int skip_space(struct parser *s)
{
	for (;;) {
		int err = 0;

		skip_blanks(s);
		if (s->p < s->end && *s->p == '#') {
			err = comment(s);
		}
		if (err != 0 || s->p == s->end || !at_line_end(s)) {
			return err;
		}
		skip_line(s);
	}
}

/* ---- strings ---- */

static int string_add(struct parser *s, struct diag_place at, const char *bytes, unsigned int n)
{
	if (s->len + n >= sizeof(s->buf)) {
		complain(s, at, "string of more than %u bytes", STRING_MAX - 1);
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
static int unicode_escape(struct parser *s, struct diag_place at, unsigned int digits)
{
	uint32_t c = 0;
	char out[4];

	for (unsigned int i = 0; i < digits; i++, s->p++) {
		if (hex_value(peek(s)) > 15) {
			return expected(s, "a hexadecimal digit");
		}
		c = c << 4 | hex_value(peek(s));
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		complain(s, at, "no character has the number %xh", c);
		return -EINVAL;
	}
	return string_add(s, at, out, utf8_encode(c, out));
}

static int escape(struct parser *s)
{
	static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	struct diag_place at = here(s);
	const char *letter;
	char c;

	s->p++;
	c = peek(s);
	if (c == 'u' || c == 'U') {
		s->p++;
		return unicode_escape(s, at, c == 'u' ? 4 : 8);
	}
	letter = c != '\0' ? strchr(letters, c) : NULL;
	if (letter == NULL) {
		return expected(s, "an escape: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
	}
	s->p++;
	return string_add(s, at, &values[letter - letters], 1);
}

/* "basic" and 'literal' strings, into s->buf. */
static int parse_string(struct parser *s)
{
	char quote = *s->p;
	int err = 0;

	if (s->end - s->p >= 3 && s->p[1] == quote && s->p[2] == quote) {
		complain(s, here(s), "multi-line strings are not supported");
		return -EINVAL;
	}
	s->p++;
	s->len = 0;
	while (err == 0 && !at_line_end(s) && *s->p != quote) {
		struct diag_place at = here(s);
		uint32_t c;
		unsigned int n = utf8_decode(s->p, (size_t)(s->end - s->p), &c);

		if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f) {
			complain(s, at, "%s in a string",
				 n == 0 ? "bytes that are not UTF-8" : "a control character");
			return -EINVAL;
		}
		if (c == '\\' && quote == '"') {
			err = escape(s);
		} else {
			err = string_add(s, at, s->p, n);
			s->p += n;
		}
	}
	if (err != 0) {
		return err;
	}
	s->buf[s->len] = '\0';
	return take(s, quote, quote == '"' ? "the closing \"" : "the closing '");
}

/* ---- values ---- */

static bool is_bare(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '-';
}

/* Length of the word here: what a number or boolean could be made of. */
static size_t word_length(const struct parser *s)
{
	const char *p = s->p;

	while (p < s->end && (is_bare(*p) || *p == '+' || *p == '.' || *p == ':')) {
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

static int word_to_integer(const char *word, size_t n, int64_t *out)
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

static int parse_word(struct parser *s, struct toml_node *n)
{
	size_t len = word_length(s);
	bool is_true = len == 4 && memcmp(s->p, "true", 4) == 0;
	int err;

	if (len == 0) {
		return expected(s,
				"a value: \"string\", integer, true, false, [array] or { table }");
	}
	if (is_true || (len == 5 && memcmp(s->p, "false", 5) == 0)) {
		n->type = TOML_BOOLEAN;
		n->boolean = is_true;
		s->p += len;
		return 0;
	}
	n->type = TOML_INTEGER;
	err = word_to_integer(s->p, len, &n->integer);
	if (err == -ERANGE) {
		complain(s, here(s), "%.*s does not fit into 64 bits", (int)u64_min(len, 80), s->p);
	} else if (err != 0) {
		complain(s, here(s),
			 "found %.*s, expected a value: \"string\" (in quotes), integer, true, "
			 "false, [array] or { table }",
			 (int)u64_min(len, 40), s->p);
	}
	s->p += len;
	return err;
}

static int parse_array(struct parser *s, struct toml_node *array)
{
	int err;

	array->type = TOML_ARRAY;
	s->p++;
	for (;;) {
		struct toml_node *n;

		err = skip_space(s);
		if (err != 0 || peek(s) == ']') {
			break;
		}
		n = node_new(s, here(s), NULL);
		if (n == NULL) {
			return -ENOMEM;
		}
		node_append(array, n);
		err = parse_value(s, n);
		if (err == 0) {
			err = skip_space(s);
		}
		if (err != 0 || peek(s) != ',') {
			break;
		}
		s->p++;
	}
	return err != 0 ? err : take(s, ']', "',' or ']'");
}

static int parse_key(struct parser *s)
{
	if (peek(s) == '"' || peek(s) == '\'') {
		return parse_string(s);
	}
	s->len = 0;
	while (s->p < s->end && is_bare(*s->p)) {
		int err = string_add(s, here(s), s->p, 1);

		if (err != 0) {
			return err;
		}
		s->p++;
	}
	s->buf[s->len] = '\0';
	return s->len > 0 ? 0 : expected(s, "a key");
}

/* key = value, into table. */
static int parse_pair(struct parser *s, struct toml_node *table)
{
	struct diag_place at = here(s);
	const char *outer = s->key;
	const struct toml_node *old;
	struct toml_node *n;
	int err = parse_key(s);

	if (err != 0) {
		return err;
	}
	skip_blanks(s);
	if (peek(s) == '.') {
		complain(s, at, "dotted keys are not supported: put the key under a [table]");
		return -EINVAL;
	}
	n = node_new(s, at, s->buf);
	if (n == NULL) {
		return -ENOMEM;
	}
	old = toml_find(table, n->key);
	node_append(table, n);
	if (old != NULL) {
		complain(s, at, "%s is given twice, first in line %u", n->key, old->at.line);
		table->bad = true;
	}
	s->key = n->key;
	err = take(s, '=', "'='");
	skip_blanks(s);
	if (err == 0) {
		err = parse_value(s, n);
	}
	n->bad = err != 0;
	s->key = outer;
	return err;
}

static int parse_inline_table(struct parser *s, struct toml_node *table)
{
	int err = 0;

	table->type = TOML_TABLE;
	table->closed = true;
	s->p++;
	skip_blanks(s);
	if (peek(s) == '}') {
		s->p++;
		return 0;
	}
	for (;;) {
		skip_blanks(s);
		err = parse_pair(s, table);
		skip_blanks(s);
		if (err != 0 || peek(s) != ',') {
			break;
		}
		s->p++;
	}
	return err != 0 ? err : take(s, '}', "',' or '}'");
}

static int parse_nested(struct parser *s, struct toml_node *n)
{
	int err;

	if (s->depth == TOML_DEPTH_MAX) {
		complain(s, here(s), "more than %u levels of [ and {", TOML_DEPTH_MAX);
		return -EINVAL;
	}
	s->depth++;
	err = *s->p == '[' ? parse_array(s, n) : parse_inline_table(s, n);
	if (err == 0) { /* else the error's recovery looks at it */
		s->depth--;
	}
	return err;
}

static int parse_value(struct parser *s, struct toml_node *n)
{
	int err;

	switch (peek(s)) {
	case '"':
	case '\'':
		n->type = TOML_STRING;
		err = parse_string(s);
		n->string = heap_strdup(err == 0 ? s->buf : "");
		if (n->string == NULL) {
			s->no_memory = true;
			complain(s, here(s), "out of memory");
			return -ENOMEM;
		}
		return err;
	case '[':
	case '{':
		return parse_nested(s, n);
	default:
		return parse_word(s, n);
	}
}

/* ---- lines ---- */

/* The table `key` of parent, made if it is not there; NULL if it is something else. */
static struct toml_node *subtable(struct parser *s, struct toml_node *parent, struct diag_place at)
{
	struct toml_node *n = (struct toml_node *)toml_find(parent, s->buf);

	if (n == NULL) {
		n = node_new(s, at, s->buf);
		if (n != NULL) {
			n->type = TOML_TABLE;
			node_append(parent, n);
		}
		return n;
	}
	if (n->type != TOML_TABLE || n->closed) {
		complain(s, at, "%s already has a value, in line %u", n->key, n->at.line);
		return NULL;
	}
	return n;
}

/* [a.b]: the table it names, NULL after an error. */
static struct toml_node *parse_header(struct parser *s, struct toml_node *root)
{
	struct diag_place at = here(s);
	struct toml_node *table = root;
	unsigned int levels = 0;

	s->p++;
	if (peek(s) == '[') {
		complain(s, at, "[[arrays of tables]] are not supported");
		return NULL;
	}
	for (;; s->p++) {
		struct diag_place key_at;

		skip_blanks(s);
		key_at = here(s);
		if (parse_key(s) != 0) {
			return NULL;
		}
		if (++levels > TOML_DEPTH_MAX) {
			complain(s, key_at, "more than %u levels of tables", TOML_DEPTH_MAX);
			return NULL;
		}
		table = subtable(s, table, key_at);
		skip_blanks(s);
		if (table == NULL || peek(s) != '.') {
			break;
		}
	}
	if (table == NULL || take(s, ']', "'.' or ']'") != 0 ||
	    end_of_line(s, "the end of the line") != 0) {
		return NULL;
	}
	if (table->defined) {
		complain(s, at, "[%s] is given twice, first in line %u", table->key,
			 table->at.line);
		table->bad = true;
		return NULL;
	}
	table->defined = true;
	table->at = at;
	return table;
}

/* Would a line that starts here be a header, a comment, or key = ...? */
static bool looks_like_line(const struct parser *s)
{
	const char *p = s->p;
	const char *word;

	while (p < s->end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	word = p;
	if (p < s->end && *p == '[') {
		return p + 1 < s->end && is_bare(p[1]) && !(p[1] >= '0' && p[1] <= '9');
	}
	while (p < s->end && is_bare(*p)) {
		p++;
	}
	if (p == word) {
		return false;
	}
	while (p < s->end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	return p < s->end && *p == '=';
}

/* Out of a broken line, and out of the array that it may have opened. */
static void recover(struct parser *s)
{
	bool nested = s->depth > 0;

	s->depth = 0;
	skip_line(s);
	while (nested && s->p < s->end && !looks_like_line(s)) {
		skip_line(s);
	}
}

static void parse_line(struct parser *s, struct toml_node *root, struct toml_node *lost,
		       struct toml_node **table)
{
	int err = 0;

	skip_blanks(s);
	if (peek(s) == '[') {
		*table = parse_header(s, root);
		if (*table == NULL) { /* its keys are still read, into a table nobody looks at */
			toml_free(lost->children);
			lost->children = NULL;
			lost->last = NULL;
			*table = lost;
		}
	} else if (peek(s) == '#' || at_line_end(s)) {
		err = end_of_line(s, "the end of the line");
	} else {
		err = parse_pair(s, *table);
		if (err == 0) {
			err = end_of_line(s, "the end of the line");
		}
		(*table)->bad |= err != 0;
	}
	if (err != 0) {
		recover(s);
	} else {
		skip_line(s);
	}
}

static void parse_lines(struct parser *s, struct toml_node *root, struct toml_node *lost)
{
	struct toml_node *table = root;

	while (s->p < s->end && !s->no_memory) {
		parse_line(s, root, lost, &table);
	}
}

struct toml_node *toml_parse(const char *text, size_t size, struct diag *d)
{
	struct parser *s = heap_alloc(sizeof(*s));
	struct toml_node *root = heap_alloc(sizeof(*root));
	struct toml_node lost = { .type = TOML_TABLE };

	if (s == NULL || root == NULL) {
		diag_add(d, (struct diag_place){ 0, 0 }, "out of memory");
		heap_free(s);
		heap_free(root);
		return NULL;
	}
	root->type = TOML_TABLE;
	root->at.line = 1;
	s->p = s->line_start = text;
	s->end = text + size;
	s->line = 1;
	s->d = d;
	if (size > TOML_SIZE_MAX) {
		diag_add(d, here(s), "file of %lu bytes, at most %u are read", size, TOML_SIZE_MAX);
	} else {
		parse_lines(s, root, &lost);
	}
	toml_free(lost.children);
	heap_free(s);
	return root;
}
