/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of the TOML subset: values, structure, places, errors, and going on after them. */
/* What keys mean is test_config.c's. */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: hv/mgmt/toml.c hv/mgmt/toml_scan.c hv/mgmt/diag.c hv/mgmt/utf8.c hv/lib/fmt.c hv/lib/string.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fakes/fake_heap.h"
#include "hv/lib/string.h"
#include "hv/mgmt/toml.h"

static struct diag d;

/* Parses from an exact-size copy, so that the sanitizer sees a read past the end. */
static struct toml_node *parse_bytes(const char *text, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);
	struct toml_node *root;

	memcpy(copy, text, n);
	diag_init(&d);
	root = toml_parse(copy, n, &d);
	free(copy);
	return root;
}

static struct toml_node *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static int teardown(void **state)
{
	(void)state;
	return fake_heap_live == 0 ? 0 : -1;
}

static const struct {
	const char *text;
	const char *string;
} strings[] = {
	{ "\"\"", "" },
	{ "\"a b\"", "a b" },
	{ "'a \\ \"b\"'", "a \\ \"b\"" },
	{ "\"\\b\\t\\n\\f\\r\\\"\\\\\"", "\b\t\n\f\r\"\\" },
	{ "\"\\u00e9\\u4e2d\\U0001F600\"", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80" },
	{ "\"\xc3\xa9 # no comment\"  # comment", "\xc3\xa9 # no comment" },
	{ "\"tab\there\"", "tab\there" },
};

static void test_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		char text[128];
		struct toml_node *root;

		snprintf(text, sizeof(text), "k = %s\n", strings[i].text);
		root = parse(text);
		assert_int_equal(d.count, 0);
		assert_int_equal(root->children->type, TOML_STRING);
		assert_string_equal(root->children->string, strings[i].string);
		toml_free(root);
	}
}

static const struct {
	const char *text;
	int64_t value;
} integers[] = {
	{ "0", 0 },
	{ "+7", 7 },
	{ "-7", -7 },
	{ "1_000_000", 1000000 },
	{ "0xff", 255 },
	{ "0xDEAD_beef", 0xdeadbeef },
	{ "0o17", 15 },
	{ "0b101", 5 },
	{ "-0", 0 },
	{ "9223372036854775807", INT64_MAX },
	{ "-9223372036854775808", INT64_MIN },
};

static void test_integers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(integers); i++) {
		char text[64];
		struct toml_node *root;

		snprintf(text, sizeof(text), "k=%s", integers[i].text);
		root = parse(text);
		assert_int_equal(d.count, 0);
		assert_int_equal(root->children->type, TOML_INTEGER);
		assert_true(root->children->integer == integers[i].value);
		toml_free(root);
	}
}

static void test_structure(void **state)
{
	struct toml_node *root = parse("top = true\r\n"
				       "[a.b]  # comment\r\n"
				       "x = [1, [2, 3],\n\t# inside\n\t4,\n]\n"
				       "\"quoted key\" = { p = 'q', r = { s = false } }\n"
				       "empty = {}\nnone = []\n"
				       "[a]\ny = 1\n"
				       "[ c . 'd.e' ]\n");
	const struct toml_node *a, *b, *x;

	(void)state;
	assert_int_equal(d.count, 0);
	assert_true(toml_find(root, "top")->boolean);
	a = toml_find(root, "a");
	b = toml_find(a, "b");
	assert_int_equal(toml_find(a, "y")->integer, 1);
	x = toml_find(b, "x");
	assert_int_equal(x->type, TOML_ARRAY);
	assert_int_equal(x->children->next->children->next->integer, 3);
	assert_int_equal(x->children->next->next->integer, 4);
	assert_int_equal(x->children->next->next->at.line, 5);
	assert_int_equal(x->children->next->next->at.column, 2);
	assert_false(toml_find(toml_find(toml_find(b, "quoted key"), "r"), "s")->boolean);
	assert_null(toml_find(b, "empty")->children);
	assert_int_equal(toml_find(b, "none")->type, TOML_ARRAY);
	assert_non_null(toml_find(toml_find(root, "c"), "d.e"));
	toml_free(root);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *message;
} errors[] = {
	{ "k", 1, 2, "k: found end of file, expected '='" },
	{ "k =", 1, 4,
	  "k: found end of file, expected a value: \"string\", integer, true, false, "
	  "[array] or { table }" },
	{ "k = \n", 1, 5,
	  "k: found end of line, expected a value: \"string\", integer, true, false, "
	  "[array] or { table }" },
	{ "= 1", 1, 1, "found '=', expected a key" },
	{ "k = 1 2", 1, 7, "found '2', expected the end of the line" },
	{ "k = 1 ; x", 1, 7, "found ';', expected the end of the line" },
	{ "k = 1 \x1b", 1, 7, "found byte 1bh, expected the end of the line" },
	{ "k = 1 \xff", 1, 7, "found byte ffh, expected the end of the line" },
	{ "a.b = 1", 1, 1, "dotted keys are not supported: put the key under a [table]" },
	{ "k = \"abc", 1, 9, "k: found end of file, expected the closing \"" },
	{ "k = 'abc\n", 1, 9, "k: found end of line, expected the closing '" },
	{ "k = \"\"\"a\"\"\"", 1, 5, "k: multi-line strings are not supported" },
	{ "k = '''a'''", 1, 5, "k: multi-line strings are not supported" },
	{ "k = \"\\q\"", 1, 7,
	  "k: found 'q', expected an escape: \\b \\t \\n \\f \\r \\\" \\\\ "
	  "\\uXXXX \\UXXXXXXXX" },
	{ "k = \"\\u12g4\"", 1, 10, "k: found 'g', expected a hexadecimal digit" },
	{ "k = \"\\u0000\"", 1, 6, "k: no character has the number 0h" },
	{ "k = \"\\ud800\"", 1, 6, "k: no character has the number d800h" },
	{ "k = \"\\UFFFFFFFF\"", 1, 6, "k: no character has the number ffffffffh" },
	{ "k = \"a\x01\"", 1, 7, "k: a control character in a string" },
	{ "k = \"a\xff\"", 1, 7, "k: bytes that are not UTF-8 in a string" },
	{ "# \x07", 1, 3, "a control character in a comment" },
	{ "# \xc3", 1, 3, "bytes that are not UTF-8 in a comment" },
	{ "k = 1.5", 1, 5,
	  "k: found 1.5, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = 012", 1, 5,
	  "k: found 012, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = 1__0", 1, 5,
	  "k: found 1__0, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = 1_", 1, 5,
	  "k: found 1_, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = 0x", 1, 5,
	  "k: found 0x, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = -0x5", 1, 5,
	  "k: found -0x5, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = True", 1, 5,
	  "k: found True, expected a value: \"string\" (in quotes), integer, true, "
	  "false, [array] or { table }" },
	{ "k = 9223372036854775808", 1, 5, "k: 9223372036854775808 does not fit into 64 bits" },
	{ "k = 0xfffffffffffffffff", 1, 5, "k: 0xfffffffffffffffff does not fit into 64 bits" },
	{ "k = [1 2]", 1, 8, "k: found '2', expected ',' or ']'" },
	{ "k = [1,\n", 2, 1,
	  "k: found end of file, expected a value: \"string\", integer, true, "
	  "false, [array] or { table }" },
	{ "k = [,]", 1, 6,
	  "k: found ',', expected a value: \"string\", integer, true, false, "
	  "[array] or { table }" },
	{ "k = { a = 1, }", 1, 14, "k: found '}', expected a key" },
	{ "k = { a = 1\n}", 1, 12, "k: found end of line, expected ',' or '}'" },
	{ "k = { a = 1, a = 2 }", 1, 14, "k: a is given twice, first in line 1" },
	{ "k = 1\nk = 2", 2, 1, "k is given twice, first in line 1" },
	{ "[a]\n[b]\n[a]", 3, 1, "[a] is given twice, first in line 1" },
	{ "a = 1\n[a]", 2, 2, "a already has a value, in line 1" },
	{ "a = {}\n[a]", 2, 2, "a already has a value, in line 1" },
	{ "a = {}\n[a.b]", 2, 2, "a already has a value, in line 1" },
	{ "[a", 1, 3, "found end of file, expected '.' or ']'" },
	{ "[]", 1, 2, "found ']', expected a key" },
	{ "[a.]", 1, 4, "found ']', expected a key" },
	{ "[a] x", 1, 5, "found 'x', expected the end of the line" },
	{ "[[a]]", 1, 1, "[[arrays of tables]] are not supported" },
	{ "[a.b.c.d.e.f.g.h.i]", 1, 18, "more than 8 levels of tables" },
	{ "k = [[[[[[[[[1]]]]]]]]]", 1, 13, "k: more than 8 levels of [ and {" },
	{ "k = 1\r", 1, 6, "found byte 0dh, expected the end of the line" },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct toml_node *root = parse(errors[i].text);
		const struct diag_entry *e = &d.entries[0];

		if (d.count != 1 || strcmp(e->text, errors[i].message) != 0 ||
		    e->at.line != errors[i].line || e->at.column != errors[i].column) {
			fail_msg("case %zu: %u errors, first %u:%u: '%s', not %u:%u: '%s'", i,
				 d.count, e->at.line, e->at.column, e->text, errors[i].line,
				 errors[i].column, errors[i].message);
		}
		toml_free(root);
	}
}

static void test_goes_on_after_errors(void **state)
{
	struct toml_node *root = parse("[a]\nx = ?\ny = 2\n"
				       "l = [ \"a\",\n  b,\n  \"c\",\n]\n"
				       "z = 3\n[a]\nx = 4\n[b]\nv = 5\n");
	const struct toml_node *a = toml_find(root, "a");

	(void)state;
	assert_int_equal(d.count, 3);
	assert_int_equal(d.entries[0].at.line, 2);
	assert_int_equal(d.entries[1].at.line, 5);
	assert_int_equal(d.entries[2].at.line, 9);
	assert_true(a->bad);
	assert_true(toml_find(a, "x")->bad && toml_find(a, "l")->bad);
	assert_int_equal(toml_find(a, "y")->integer, 2);
	assert_int_equal(toml_find(a, "z")->integer, 3);
	assert_int_equal(toml_find(toml_find(root, "b"), "v")->integer, 5);
	assert_false(toml_find(root, "b")->bad);
	toml_free(root);
}

static void test_limits(void **state)
{
	static char text[TOML_SIZE_MAX + 1];
	struct toml_node *root;
	size_t len = 0;

	(void)state;
	memset(text, '\n', sizeof(text));
	root = parse_bytes(text, TOML_SIZE_MAX);
	assert_int_equal(d.count, 0);
	toml_free(root);
	root = parse_bytes(text, sizeof(text));
	assert_int_equal(d.count, 1);
	toml_free(root);
	len = (size_t)snprintf(text, sizeof(text), "k = [");
	while (len < 3 * TOML_NODES_MAX) {
		text[len++] = '1';
		text[len++] = ',';
	}
	root = parse_bytes(text, len);
	assert_int_equal(d.count, 1);
	assert_string_equal(d.entries[0].text, "k: more than 2048 values");
	toml_free(root);
	len = (size_t)snprintf(text, sizeof(text), "k = \"");
	memset(text + len, 'x', 2000);
	text[len + 2000] = '"';
	root = parse_bytes(text, len + 2001);
	assert_string_equal(d.entries[0].text, "k: string of more than 1023 bytes");
	toml_free(root);
}

/* Every prefix of a good file, and every file with one byte changed, is parsed without harm. */
static void test_mutations(void **state)
{
	static const char good[] = "[a.b]\nk = \"s\\u00e9\"\nl = [1, -2, [true], { x = 'y' }] # c\n"
				   "[c]\n\"q\" = 0xff\n";
	char text[sizeof(good)];

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++) {
		toml_free(parse_bytes(good, n));
	}
	for (size_t at = 0; at < sizeof(good) - 1; at++) {
		for (unsigned int c = 0; c < 256; c++) {
			memcpy(text, good, sizeof(good));
			text[at] = (char)c;
			toml_free(parse_bytes(text, sizeof(good) - 1));
		}
	}
	assert_int_equal(fake_heap_live, 0);
}

static void test_out_of_memory(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 0; n < 100; n++) {
		struct toml_node *root;

		fake_heap_limit = n;
		root = parse("[a.b]\nk = \"s\"\nl = [1, 'x', { y = 'z' }]\n");
		fake_heap_limit = ~0ul;
		toml_free(root);
		assert_int_equal(fake_heap_live, 0);
		if (d.count == 0) {
			break;
		}
	}
	assert_in_range(n, 10, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_strings, teardown),
		cmocka_unit_test_teardown(test_integers, teardown),
		cmocka_unit_test_teardown(test_structure, teardown),
		cmocka_unit_test_teardown(test_errors, teardown),
		cmocka_unit_test_teardown(test_goes_on_after_errors, teardown),
		cmocka_unit_test_teardown(test_limits, teardown),
		cmocka_unit_test_teardown(test_mutations, teardown),
		cmocka_unit_test_teardown(test_out_of_memory, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
