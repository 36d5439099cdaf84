/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the grammar (TOML 1.0.0, a subset) and the tree made of it. */
/* After an error it goes on at the next line that looks like one, to report all errors at once. */
#include "hv/mgmt/toml.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/toml_scan.h"
#include "hv/thread.h"

struct parser {
	struct toml_scan in;
	unsigned int depth; /* open arrays and inline tables */
	unsigned int nodes;
	bool no_memory;
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

static struct toml_node *node_new(struct parser *s, struct diag_place at, const char *key)
{
	struct toml_node *n;

	if (s->nodes == TOML_NODES_MAX) {
		toml_scan_complain(&s->in, at, "more than %u values", TOML_NODES_MAX);
		s->no_memory = true;
		return NULL;
	}
	n = heap_alloc(sizeof(*n));
	if (n != NULL && key != NULL) {
		n->key = heap_strdup(key);
	}
	if (n == NULL || (key != NULL && n->key == NULL)) {
		toml_scan_complain(&s->in, at, "out of memory");
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

/* ---- values ---- */

static int parse_word(struct parser *s, struct toml_node *n)
{
	size_t len = toml_scan_word_length(&s->in);
	bool is_true = len == 4 && memcmp(s->in.p, "true", 4) == 0;
	int err;

	if (len == 0) {
		return toml_scan_expected(
			&s->in, "a value: \"string\", integer, true, false, [array] or { table }");
	}
	if (is_true || (len == 5 && memcmp(s->in.p, "false", 5) == 0)) {
		n->type = TOML_BOOLEAN;
		n->boolean = is_true;
		s->in.p += len;
		return 0;
	}
	n->type = TOML_INTEGER;
	err = toml_scan_integer(s->in.p, len, &n->integer);
	if (err == -ERANGE) {
		toml_scan_complain(&s->in, toml_scan_here(&s->in), "%.*s does not fit into 64 bits",
				   (int)u64_min(len, 80), s->in.p);
	} else if (err != 0) {
		toml_scan_complain(
			&s->in, toml_scan_here(&s->in),
			"found %.*s, expected a value: \"string\" (in quotes), integer, true, "
			"false, [array] or { table }",
			(int)u64_min(len, 40), s->in.p);
	}
	s->in.p += len;
	return err;
}

static int parse_array(struct parser *s, struct toml_node *array)
{
	int err;

	array->type = TOML_ARRAY;
	s->in.p++;
	for (;;) {
		struct toml_node *n;

		err = toml_scan_skip_space(&s->in);
		if (err != 0 || toml_scan_peek(&s->in) == ']') {
			break;
		}
		n = node_new(s, toml_scan_here(&s->in), NULL);
		if (n == NULL) {
			return -ENOMEM;
		}
		node_append(array, n);
		err = parse_value(s, n);
		if (err == 0) {
			err = toml_scan_skip_space(&s->in);
		}
		if (err != 0 || toml_scan_peek(&s->in) != ',') {
			break;
		}
		s->in.p++;
	}
	return err != 0 ? err : toml_scan_take(&s->in, ']', "',' or ']'");
}

static int parse_key(struct parser *s)
{
	if (toml_scan_peek(&s->in) == '"' || toml_scan_peek(&s->in) == '\'') {
		return toml_scan_string(&s->in);
	}
	s->in.len = 0;
	while (s->in.p < s->in.end && toml_scan_is_bare(*s->in.p)) {
		int err = toml_scan_add(&s->in, toml_scan_here(&s->in), s->in.p, 1);

		if (err != 0) {
			return err;
		}
		s->in.p++;
	}
	s->in.buf[s->in.len] = '\0';
	return s->in.len > 0 ? 0 : toml_scan_expected(&s->in, "a key");
}

/* key = value, into table. */
static int parse_pair(struct parser *s, struct toml_node *table)
{
	struct diag_place at = toml_scan_here(&s->in);
	const char *outer = s->in.key;
	const struct toml_node *old;
	struct toml_node *n;
	int err = parse_key(s);

	if (err != 0) {
		return err;
	}
	toml_scan_skip_blanks(&s->in);
	if (toml_scan_peek(&s->in) == '.') {
		toml_scan_complain(&s->in, at,
				   "dotted keys are not supported: put the key under a [table]");
		return -EINVAL;
	}
	n = node_new(s, at, s->in.buf);
	if (n == NULL) {
		return -ENOMEM;
	}
	old = toml_find(table, n->key);
	node_append(table, n);
	if (old != NULL) {
		toml_scan_complain(&s->in, at, "%s is given twice, first in line %u", n->key,
				   old->at.line);
		table->bad = true;
	}
	s->in.key = n->key;
	err = toml_scan_take(&s->in, '=', "'='");
	toml_scan_skip_blanks(&s->in);
	if (err == 0) {
		err = parse_value(s, n);
	}
	n->bad = err != 0;
	s->in.key = outer;
	return err;
}

static int parse_inline_table(struct parser *s, struct toml_node *table)
{
	int err = 0;

	table->type = TOML_TABLE;
	table->closed = true;
	s->in.p++;
	toml_scan_skip_blanks(&s->in);
	if (toml_scan_peek(&s->in) == '}') {
		s->in.p++;
		return 0;
	}
	for (;;) {
		toml_scan_skip_blanks(&s->in);
		err = parse_pair(s, table);
		toml_scan_skip_blanks(&s->in);
		if (err != 0 || toml_scan_peek(&s->in) != ',') {
			break;
		}
		s->in.p++;
	}
	return err != 0 ? err : toml_scan_take(&s->in, '}', "',' or '}'");
}

static int parse_nested(struct parser *s, struct toml_node *n)
{
	int err;

	if (s->depth == TOML_DEPTH_MAX) {
		toml_scan_complain(&s->in, toml_scan_here(&s->in), "more than %u levels of [ and {",
				   TOML_DEPTH_MAX);
		return -EINVAL;
	}
	s->depth++;
	err = *s->in.p == '[' ? parse_array(s, n) : parse_inline_table(s, n);
	if (err == 0) { /* else the error's recovery looks at it */
		s->depth--;
	}
	return err;
}

static int parse_value(struct parser *s, struct toml_node *n)
{
	int err;

	switch (toml_scan_peek(&s->in)) {
	case '"':
	case '\'':
		n->type = TOML_STRING;
		err = toml_scan_string(&s->in);
		n->string = heap_strdup(err == 0 ? s->in.buf : "");
		if (n->string == NULL) {
			s->no_memory = true;
			toml_scan_complain(&s->in, toml_scan_here(&s->in), "out of memory");
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
	struct toml_node *n = (struct toml_node *)toml_find(parent, s->in.buf);

	if (n == NULL) {
		n = node_new(s, at, s->in.buf);
		if (n != NULL) {
			n->type = TOML_TABLE;
			node_append(parent, n);
		}
		return n;
	}
	if (n->type != TOML_TABLE || n->closed) {
		toml_scan_complain(&s->in, at, "%s already has a value, in line %u", n->key,
				   n->at.line);
		return NULL;
	}
	return n;
}

/* [a.b]: the table it names, NULL after an error. */
static struct toml_node *parse_header(struct parser *s, struct toml_node *root)
{
	struct diag_place at = toml_scan_here(&s->in);
	struct toml_node *table = root;
	unsigned int levels = 0;

	s->in.p++;
	if (toml_scan_peek(&s->in) == '[') {
		toml_scan_complain(&s->in, at, "[[arrays of tables]] are not supported");
		return NULL;
	}
	for (;; s->in.p++) {
		struct diag_place key_at;

		toml_scan_skip_blanks(&s->in);
		key_at = toml_scan_here(&s->in);
		if (parse_key(s) != 0) {
			return NULL;
		}
		if (++levels > TOML_DEPTH_MAX) {
			toml_scan_complain(&s->in, key_at, "more than %u levels of tables",
					   TOML_DEPTH_MAX);
			return NULL;
		}
		table = subtable(s, table, key_at);
		toml_scan_skip_blanks(&s->in);
		if (table == NULL || toml_scan_peek(&s->in) != '.') {
			break;
		}
	}
	if (table == NULL || toml_scan_take(&s->in, ']', "'.' or ']'") != 0 ||
	    toml_scan_end_of_line(&s->in, "the end of the line") != 0) {
		if (table != NULL && !table->defined) {
			table->bad = true; /* said once: nobody looks for keys in it */
		}
		return NULL;
	}
	if (table->defined) {
		toml_scan_complain(&s->in, at, "[%s] is given twice, first in line %u", table->key,
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
	const char *p = s->in.p;
	const char *word;

	while (p < s->in.end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	word = p;
	if (p < s->in.end && *p == '[') {
		return p + 1 < s->in.end && toml_scan_is_bare(p[1]) &&
		       !(p[1] >= '0' && p[1] <= '9');
	}
	while (p < s->in.end && toml_scan_is_bare(*p)) {
		p++;
	}
	if (p == word) {
		return false;
	}
	while (p < s->in.end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	return p < s->in.end && *p == '=';
}

/* Out of a broken line, and out of the array that it may have opened. */
static void recover(struct parser *s)
{
	bool nested = s->depth > 0;

	s->depth = 0;
	toml_scan_skip_line(&s->in);
	while (nested && s->in.p < s->in.end && !looks_like_line(s)) {
		toml_scan_skip_line(&s->in);
	}
}

static void parse_line(struct parser *s, struct toml_node *root, struct toml_node *lost,
		       struct toml_node **table)
{
	int err = 0;

	toml_scan_skip_blanks(&s->in);
	if (toml_scan_peek(&s->in) == '[') {
		*table = parse_header(s, root);
		if (*table == NULL) { /* its keys are still read, into a table nobody looks at */
			toml_free(lost->children);
			lost->children = NULL;
			lost->last = NULL;
			*table = lost;
		}
	} else if (toml_scan_peek(&s->in) == '#' || toml_scan_at_line_end(&s->in)) {
		err = toml_scan_end_of_line(&s->in, "the end of the line");
	} else {
		err = parse_pair(s, *table);
		if (err == 0) {
			err = toml_scan_end_of_line(&s->in, "the end of the line");
		}
		(*table)->bad |= err != 0;
	}
	if (err != 0) {
		recover(s);
	} else {
		toml_scan_skip_line(&s->in);
	}
}

static void parse_lines(struct parser *s, struct toml_node *root, struct toml_node *lost)
{
	struct toml_node *table = root;

	while (s->in.p < s->in.end && !s->no_memory) {
		parse_line(s, root, lost, &table);
		thread_checkpoint();
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
	s->in.p = s->in.line_start = text;
	s->in.end = text + size;
	s->in.line = 1;
	s->in.d = d;
	if (size > TOML_SIZE_MAX) {
		diag_add(d, toml_scan_here(&s->in), "file of %lu bytes, at most %u are read", size,
			 TOML_SIZE_MAX);
	} else {
		parse_lines(s, root, &lost);
	}
	toml_free(lost.children);
	heap_free(s);
	return root;
}
