/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor by transcripts: keys in, and what a small terminal then shows. */
/* The terminal knows only the sequences that the editor sends; any other fails the test. */
/* TEST_SOURCES: hv/mgmt/line_edit.c hv/mgmt/line_history.c hv/mgmt/line_complete.c hv/mgmt/line_key.c hv/mgmt/utf8.c hv/lib/fmt.c hv/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hv/lib/string.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/utf8.h"

/* One row of a terminal, with what was sent since the row began. */
static struct {
	char row[512];
	unsigned int column;
	char sent[65536];
	size_t sent_len;
	bool wrapped; /* something was written past column 80 */
} term;

static struct line_edit le;

static void term_clear(void)
{
	memset(term.row, ' ', sizeof(term.row));
	term.column = 0;
}

static size_t term_escape(const char *s, size_t n)
{
	size_t i = 2;
	unsigned int v = 0;

	assert_true(n >= 3 && s[1] == '[');
	for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
		v = v * 10 + (unsigned int)(s[i] - '0');
	}
	assert_true(i < n);
	if (s[i] == 'K') {
		memset(term.row + term.column, ' ', sizeof(term.row) - term.column);
	} else if (s[i] == 'C') {
		term.column += v;
	} else if (s[i] == 'H' || s[i] == 'J') {
		term_clear();
	} else {
		fail_msg("unknown sequence ESC[%u%c", v, s[i]);
	}
	return i + 1;
}

static void term_write(void *arg, const char *s, size_t n)
{
	(void)arg;
	assert_true(term.sent_len + n < sizeof(term.sent));
	memcpy(term.sent + term.sent_len, s, n);
	term.sent_len += n;
	term.sent[term.sent_len] = '\0';
	for (size_t i = 0; i < n;) {
		if (s[i] == 0x1b) {
			i += term_escape(s + i, n - i);
			continue;
		}
		if (s[i] == '\r') {
			term.column = 0;
		} else if (s[i] == '\n') {
			term_clear();
		} else if (s[i] == '\b') {
			term.column -= term.column > 0;
		} else if (s[i] != '\a' && (s[i] & 0xc0) != 0x80) {
			unsigned int width = utf8_width(s + i, utf8_next(s + i, n - i));

			term.wrapped |= term.column + width > 80;
			term.row[term.column] = s[i];
			term.column += width;
		}
		i++;
	}
}

static const char *const words[] = { "list",	"linux",     "info",	 "stop",
				     "kernel=", "x\xc3\xa9", "x\xc3\xa8" };

static void complete(void *arg, struct line_edit *e, const char *line)
{
	(void)arg;
	(void)line;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		line_edit_offer(e, words[i]);
	}
}

static enum line_result feed(const char *keys)
{
	enum line_result r = LINE_MORE;

	for (; *keys != '\0' && r == LINE_MORE; keys++) {
		r = line_edit_feed(&le, *keys);
	}
	return r;
}

/* The row and cursor as "text|rest", blanks at the end cut. */
static const char *screen(void)
{
	static char shown[600];
	size_t end = sizeof(term.row);

	while (end > term.column && term.row[end - 1] == ' ') {
		end--;
	}
	snprintf(shown, sizeof(shown), "%.*s|%.*s", (int)term.column, term.row,
		 (int)(end - term.column), term.row + term.column);
	return shown;
}

static int setup(void **state)
{
	(void)state;
	memset(&term, 0, sizeof(term));
	term_clear();
	line_edit_init(&le, term_write, complete, NULL);
	line_edit_begin(&le, "> ");
	return 0;
}

#define LEFT  "\x1b[D"
#define RIGHT "\x1b[C"
#define UP    "\x1b[A"
#define DOWN  "\x1b[B"

static const struct {
	const char *keys, *shown;
} editing[] = {
	{ "abc", "> abc|" },
	{ "abc\x7f", "> ab|" },
	{ "abc\b\b", "> a|" },
	{ "\x7f\x7f", "> |" },
	{ "abc" LEFT, "> ab|c" },
	{ "abc" LEFT LEFT "X", "> aX|bc" },
	{ "abc" LEFT LEFT RIGHT, "> ab|c" },
	{ "abc" LEFT LEFT LEFT LEFT LEFT "X", "> X|abc" },
	{ "abc" RIGHT, "> abc|" },
	{ "abc\x01", "> |abc" },
	{ "abc\x01\x05", "> abc|" },
	{ "abc\x1b[H", "> |abc" },
	{ "abc\x1bOH", "> |abc" },
	{ "abc\x1b[1~", "> |abc" },
	{ "abc\x1b[7~", "> |abc" },
	{ "abc\x1b[H\x1b[F", "> abc|" },
	{ "abc\x1b[H\x1bOF", "> abc|" },
	{ "abc\x1b[H\x1b[4~", "> abc|" },
	{ "abc\x01\x04", "> |bc" },
	{ "abc\x01\x1b[3~", "> |bc" },
	{ "abc\x04", "> abc|" },
	{ "\x04", "> |" },
	{ "abc\x01\x06\x06\x02", "> a|bc" },
	{ "one two\x17", "> one |" },
	{ "one two  \x17", "> one |" },
	{ "one a:b/c\x17", "> one |" },
	{ "one a:b/c\x1b\x7f", "> one a:b/|" },
	{ "one two\x15", "> |" },
	{ "one two" LEFT LEFT "\x15", "> |wo" },
	{ "one two\x01\x0b", "> |" },
	{ "one two\x1b"
	  "b\x0b",
	  "> one |" },
	{ "one two\x1b"
	  "b\x1b"
	  "b\x1b"
	  "f",
	  "> one| two" },
	{ "one two\x1b[1;5D\x1b[1;5D\x1b[1;3C", "> one| two" },
	{ "one two\x01\x1b"
	  "d",
	  "> | two" },
	{ "one two\x17\x19\x19", "> one twotwo|" },
	{ "abc\x0c", "> abc|" },
	{ "a\x1b[200~b\x1b[201~c", "> abc|" },	  /* bracketed paste */
	{ "a\x1b[99999999999;3;4;5Qb", "> ab|" }, /* unknown sequences are eaten whole */
	{ "a\x1b[1;2\x01X", "> X|a" },		  /* a control key breaks a sequence off */
	{ "a\x1b\x1b\x1b[Db", "> b|a" },
	{ "a\x1bZb", "> ab|" },
	{ "a\x80\xff\xc0\xaf"
	  "b",
	  "> ab|" }, /* no UTF-8 */
	{ "a\xe2\x82"
	  "b",
	  "> ab|" }, /* a cut character */
	{ "a\xed\xa0\x80"
	  "b",
	  "> ab|" }, /* a surrogate */
	{ "a\xc2\x9b"
	  "b",
	  "> ab|" }, /* C1 control sequence introducer */
	{ "a\x02\x10\x1c\x1d\x1e\x1f", "> |a" },
};

static void test_editing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(editing); i++) {
		setup(state);
		assert_int_equal(feed(editing[i].keys), LINE_MORE);
		if (strcmp(screen(), editing[i].shown) != 0) {
			fail_msg("row %zu shows '%s', not '%s'", i, screen(), editing[i].shown);
		}
	}
}

static void test_plain_typing_sends_no_escapes(void **state)
{
	(void)state;
	feed("vm lisx\x7ft");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	assert_string_equal(term.sent, "> vm lisx\b \bt\r\n");
	assert_string_equal(line_edit_text(&le), "vm list");
}

static void test_line_ends(void **state)
{
	(void)state;
	assert_int_equal(feed("a\r"), LINE_ENTER);
	line_edit_begin(&le, "> ");
	assert_int_equal(line_edit_feed(&le, '\n'), LINE_MORE); /* the LF of a CR LF */
	assert_int_equal(line_edit_feed(&le, '\n'), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "");
	line_edit_begin(&le, "> ");
	assert_int_equal(feed("b\n"), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "b");
	line_edit_begin(&le, "> ");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
}

static void test_cancel(void **state)
{
	(void)state;
	assert_int_equal(feed("abc\x03"), LINE_CANCEL);
	assert_string_equal(term.sent, "> abc^C\r\n");
	line_edit_begin(&le, "> ");
	assert_int_equal(feed("def\x1b[D\x1b[D\x03"), LINE_CANCEL);
	assert_non_null(strstr(term.sent, "\r\x1b[K> def^C\r\n")); /* not over the text */
	line_edit_begin(&le, "> ");
	assert_int_equal(feed("found\r"), LINE_ENTER);
	line_edit_begin(&le, "> ");
	assert_int_equal(feed("\x12ou\x03"), LINE_CANCEL);
	assert_non_null(strstr(term.sent, "\r\x1b[K(search 'ou') found^C\r\n"));
	line_edit_begin(&le, "> ");
	assert_int_equal(feed("d\r"), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "d");
}

static void enter(const char *line)
{
	feed(line);
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	line_edit_begin(&le, "> ");
}

static void test_history(void **state)
{
	(void)state;
	enter("one");
	enter("two");
	enter("two"); /* kept once */
	enter("");    /* not kept */
	feed("new" UP);
	assert_string_equal(screen(), "> two|");
	feed(UP);
	assert_string_equal(screen(), "> one|");
	feed(UP);
	assert_string_equal(screen(), "> one|");
	feed(DOWN DOWN);
	assert_string_equal(screen(), "> new|");
	feed(DOWN);
	assert_string_equal(screen(), "> new|");
}

static void test_history_wraps(void **state)
{
	char line[16];

	(void)state;
	for (unsigned int i = 0; i < LINE_HISTORY + 5; i++) {
		snprintf(line, sizeof(line), "line%u", i);
		enter(line);
	}
	for (unsigned int i = 0; i < LINE_HISTORY + 5; i++) {
		feed(UP);
	}
	assert_string_equal(screen(), "> line5|");
}

static void test_search(void **state)
{
	(void)state;
	enter("vm list");
	enter("vm start web1");
	enter("host info");
	feed("x\x12"
	     "vm");
	assert_string_equal(screen(), "(search 'vm') |vm start web1");
	feed("\x12");
	assert_string_equal(screen(), "(search 'vm') |vm list");
	feed("\x07"); /* Ctrl-G: back to what was typed */
	assert_string_equal(screen(), "> x|");
	feed("\x15\x12st\x7ftart");
	assert_string_equal(screen(), "(search 'start') vm |start web1");
	feed("\x05"); /* any other key takes the line */
	assert_string_equal(screen(), "> vm start web1|");
	feed("\x12zz");
	assert_non_null(strstr(screen(), "(not found 'zz')"));
	feed("\x7f\x7flist");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "vm list");
}

static void test_completion(void **state)
{
	(void)state;
	feed("in\t");
	assert_string_equal(screen(), "> info |");
	feed("l\t");
	assert_string_equal(screen(), "> info li|");
	term.sent_len = 0;
	feed("\t");
	assert_non_null(strstr(term.sent, "\r\nlist   linux\r\n"));
	assert_string_equal(screen(), "> info li|");
	feed("s\t");
	assert_string_equal(screen(), "> info list |");
	feed("ker\t");
	assert_string_equal(screen(), "> info list kernel=|"); /* the value follows: no blank */
	term.sent_len = 0;
	feed("zzz\t");
	assert_string_equal(term.sent, "zzz\a");
}

static void test_completion_in_the_middle(void **state)
{
	(void)state;
	feed("st tail\x1b[H" RIGHT RIGHT "\t");
	assert_string_equal(screen(), "> stop | tail");
}

static void test_completion_keeps_characters_whole(void **state)
{
	(void)state;
	feed("x\t");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "x");
}

static void test_long_line(void **state)
{
	char text[LINE_MAX + 1], typed[LINE_MAX + 1];

	(void)state;
	for (unsigned int i = 0; i < LINE_MAX; i++) {
		text[i] = (char)('a' + i % 26);
		line_edit_feed(&le, text[i]);
		assert_true(term.column < 80);
		assert_int_equal(term.row[term.column - 1], text[i]);
	}
	text[LINE_MAX] = '\0';
	term.sent_len = 0;
	feed("X");
	assert_string_equal(term.sent, "\a"); /* full */
	for (unsigned int i = 0; i < LINE_MAX - 1; i++) {
		feed(LEFT);
		assert_true(term.column >= 2 && term.column < 80);
		term.sent_len = 0;
	}
	assert_string_equal(screen(), "> a|bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
				      "abcdefghijklmnopqrstuvwx");
	feed("\x05\x7f\x7f");
	assert_false(term.wrapped);
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	memcpy(typed, text, sizeof(typed));
	typed[LINE_MAX - 2] = '\0';
	assert_string_equal(line_edit_text(&le), typed);
}

/* What expect-like scripts rely on: the end of a long line stands in the output in one piece. */
static void test_long_line_echo(void **state)
{
	char line[301];

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		line[i] = (char)('!' + i * 7 % 90);
		line_edit_feed(&le, line[i]);
	}
	line[300] = '\0';
	assert_non_null(strstr(term.sent, line + 260));
}

static void test_utf8(void **state)
{
	(void)state;
	feed("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z"); /* é, a wide ideograph, a wide pictograph */
	feed(LEFT "\x7f");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "a\xc3\xa9\xe4\xb8\xadz");
	assert_int_equal(utf8_width("a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z", 11), 7);
	line_edit_begin(&le, "> ");
	feed("\xe4\xb8\xad\xe4\xb8\xad\x01");
	feed("\x04");
	assert_int_equal(line_edit_feed(&le, '\r'), LINE_ENTER);
	assert_string_equal(line_edit_text(&le), "\xe4\xb8\xad");
}

static void test_render_redraws_the_row(void **state)
{
	char drawn[LINE_RENDER_MAX];
	char before[600];

	(void)state;
	feed("vm list" LEFT LEFT);
	string_copy(before, screen(), sizeof(before));
	term_write(NULL, "\r\x1b[Ka log line\r\n", 17);
	term_write(NULL, drawn, line_edit_render(&le, drawn, sizeof(drawn)));
	assert_string_equal(screen(), before);
	assert_true(line_edit_render(&le, drawn, 10) < 10);
}

static void test_random_bytes(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < 400000; i++) {
		/* Half of them control bytes, escapes and pieces of sequences. */
		static const char often[] = "\x1b[O;~ABCDHF13\x12\t\x7f\r\x17\x19\x15\x0b";
		long pick = random();
		char c = pick & 1 ? often[(unsigned long)(pick >> 1) % (sizeof(often) - 1)]
				  : (char)(pick >> 8);

		term.sent_len = 0;
		if (line_edit_feed(&le, c) != LINE_MORE) {
			line_edit_begin(&le, "> ");
		}
		assert_true(le.len <= LINE_MAX && le.cur <= le.len && le.left <= le.cur);
		assert_int_equal(strlen(le.text), le.len);
	}
	assert_false(term.wrapped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_editing),
		cmocka_unit_test_setup(test_plain_typing_sends_no_escapes, setup),
		cmocka_unit_test_setup(test_line_ends, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_history, setup),
		cmocka_unit_test_setup(test_history_wraps, setup),
		cmocka_unit_test_setup(test_search, setup),
		cmocka_unit_test_setup(test_completion, setup),
		cmocka_unit_test_setup(test_completion_in_the_middle, setup),
		cmocka_unit_test_setup(test_completion_keeps_characters_whole, setup),
		cmocka_unit_test_setup(test_long_line, setup),
		cmocka_unit_test_setup(test_long_line_echo, setup),
		cmocka_unit_test_setup(test_utf8, setup),
		cmocka_unit_test_setup(test_render_redraws_the_row, setup),
		cmocka_unit_test_setup(test_random_bytes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
