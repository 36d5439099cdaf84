/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell with commands of its own: words, usage checks, suggestions, completion. */
/* The real commands are tested in test_cmd_*.c. */
/* TEST_SOURCES: hv/mgmt/shell.c hv/mgmt/shell_words.c hv/mgmt/shell_out.c hv/mgmt/near.c */
/* TEST_SOURCES: hv/mgmt/line_edit.c hv/mgmt/line_history.c hv/mgmt/line_complete.c hv/mgmt/line_key.c hv/mgmt/utf8.c hv/lib/fmt.c hv/lib/string.c */
/* TEST_SOURCES: tests/unit/hv/mgmt/capture.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/capture.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/shell.h"
#include "hv/mgmt/shell_words.h"

static const struct {
	const char *line;
	int result;
	const char *words[6];
} splits[] = {
	{ "", 0, { NULL } },
	{ "   \t ", 0, { NULL } },
	{ "# a comment", 0, { NULL } },
	{ "a # b", 3, { "a", "#", "b" } },
	{ " vm  list\t-x ", 3, { "vm", "list", "-x" } },
	{ "k=\"a b\" 'c d'", 2, { "k=a b", "c d" } },
	{ "\"\" ''", 2, { "", "" } },
	{ "a\\ b \\\"c\\\\", 2, { "a b", "\"c\\" } },
	{ "\"a\\\"b\\\\c\\d\"", 1, { "a\"b\\c\\d" } },
	{ "'a\\b\"c'", 1, { "a\\b\"c" } },
	{ "a\"b\"c'd'e", 1, { "abcde" } },
	{ "a\\", 1, { "a\\" } },
	{ "\"open", -EINVAL, { "open" } },
	{ "it's", -EINVAL, { "its" } },
	{ "1 2 3 4 5 6 7", -E2BIG, { "1", "2", "3", "4", "5", "6" } },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		const char *words[6] = { NULL };
		size_t size = strlen(splits[i].line) + 1;
		char *buf = malloc(size);
		unsigned int count;

		memcpy(buf, splits[i].line, size);
		assert_int_equal(shell_words_split(buf, words, 6, &count), splits[i].result);
		for (unsigned int k = 0; k < 6; k++) {
			assert_int_equal(k < count, splits[i].words[k] != NULL);
			if (k < count) {
				assert_string_equal(words[k], splits[i].words[k]);
			}
		}
		free(buf);
	}
}

static struct capture out;

static int print_call(struct shell_call *c)
{
	shell_out_printf(c->out, "%s %s:", c->cmd->noun, c->cmd->verb);
	for (unsigned int i = 0; i < c->argc; i++) {
		shell_out_printf(c->out, " <%s>", c->argv[i]);
	}
	for (unsigned int i = 0; i < c->option_count; i++) {
		shell_out_printf(c->out, " {%s%s%s}", c->options[i],
				 c->values[i][0] != '\0' ? "=" : "", c->values[i]);
	}
	shell_out_printf(c->out, "%s\n", shell_json(c) ? " json" : "");
	return 0;
}

static int fail_call(struct shell_call *c)
{
	return shell_error(c, "it\nfailed\x1b because of %d", 7);
}

static const struct shell_cmd first[] = {
	{ "vm", "list", "[--json]", "h", print_call },
	{ "vm", "stop", "VM [--force]", "h", print_call },
	{ "vm", "start", "VM", "h", print_call },
	{ "vm", "create", "NAME KEY=VALUE...", "h", print_call },
	{ "vm", "join", "VM [--port PORT] [--raw] [--size SIZE]", "h", print_call },
};
static const struct shell_cmd second[] = {
	{ "help", "", "[COMMAND...]", "h", print_call },
	{ "log", "", "[LEVEL]", "h", print_call },
	{ "fail", "", "", "h", fail_call },
};

static void offer_vm(struct shell *sh, struct line_edit *le, const char *word)
{
	(void)sh;
	(void)word;
	line_edit_offer(le, "web1");
	line_edit_offer(le, "web2");
	line_edit_offer(le, "db");
}

static void offer_key(struct shell *sh, struct line_edit *le, const char *word)
{
	(void)sh;
	line_edit_offer(le, "memory=");
	if (string_starts_with(word, "kernel=")) {
		line_edit_offer(le, "kernel=boot:vmlinuz");
	} else {
		line_edit_offer(le, "kernel=");
	}
}

static const struct shell_kind kinds[] = { { "VM", offer_vm }, { "KEY=VALUE", offer_key } };
static const struct shell_table empty_table;
static const struct shell_table first_table = { first, 5, kinds, 2 };
static const struct shell_table second_table = { second, 3, NULL, 0 };
static const struct shell_table *const tables[] = { &empty_table, &first_table, &second_table };
static struct shell sh = { .tables = tables, .table_count = 3 };

static const struct {
	const char *line;
	int result;
	const char *printed;
} runs[] = {
	{ "", 0, "" },
	{ "# comment", 0, "" },
	{ "vm list", 0, "vm list:\n" },
	{ "vm list --json", 0, "vm list: {--json} json\n" },
	{ "vm stop web1", 0, "vm stop: <web1>\n" },
	{ "vm stop --force web1", 0, "vm stop: <web1> {--force}\n" },
	{ "vm join web1", 0, "vm join: <web1>\n" },
	{ "vm join --size 1x2 web1 --raw --port 1", 0,
	  "vm join: <web1> {--size=1x2} {--raw} {--port=1}\n" },
	{ "vm join web1 --port --raw", 0, "vm join: <web1> {--port=--raw}\n" },
	{ "vm join web1 --port", -EINVAL,
	  "error: usage: vm join VM [--port PORT] [--raw] [--size SIZE]\n" },
	{ "vm join web1 1", -EINVAL,
	  "error: usage: vm join VM [--port PORT] [--raw] [--size SIZE]\n" },
	{ "vm create a x=1 \"y=2 3\"", 0, "vm create: <a> <x=1> <y=2 3>\n" },
	{ "help", 0, "help :\n" },
	{ "help vm stop", 0, "help : <vm> <stop>\n" },
	{ "log debug", 0, "log : <debug>\n" },
	{ "fail", -EINVAL, "error: it failed  because of 7\n" },
	{ "fail x", -EINVAL, "error: usage: fail\n" },
	{ "log a b", -EINVAL, "error: usage: log [LEVEL]\n" },
	{ "vm stop", -EINVAL, "error: usage: vm stop VM [--force]\n" },
	{ "vm stop a b", -EINVAL, "error: usage: vm stop VM [--force]\n" },
	{ "vm create a", -EINVAL, "error: usage: vm create NAME KEY=VALUE...\n" },
	{ "vm list --jsno", -EINVAL,
	  "error: unknown option \"--jsno\"; usage: vm list [--json]\n" },
	{ "vm start a --force", -EINVAL,
	  "error: unknown option \"--force\"; usage: vm start VM\n" },
	{ "vm", -EINVAL, "error: \"vm\" needs one of: list, stop, start, create, join\n" },
	{ "vm lsit", -EINVAL, "error: unknown command \"vm lsit\"; did you mean vm list?\n" },
	{ "vm explode", -EINVAL,
	  "error: unknown command \"vm explode\"; there are: list, stop, start, create, join\n" },
	{ "vn list", -EINVAL, "error: unknown command \"vn\"; did you mean vm?\n" },
	{ "hlep", -EINVAL, "error: unknown command \"hlep\"; did you mean help?\n" },
	{ "frobnicate", -EINVAL, "error: unknown command \"frobnicate\"; type help for a list\n" },
	{ "\"\"", -EINVAL, "error: unknown command \"\"; type help for a list\n" },
	{ "vm list \"", -EINVAL, "error: a quote is not closed\n" },
	{ "help 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 "
	  "3 4 5 6 7 8 9 0",
	  -EINVAL, "error: more than 48 words\n" },
};

static void test_run(void **state)
{
	(void)state;
	sh.out = capture_out(&out);
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		capture_clear(&out);
		assert_int_equal(shell_run(&sh, runs[i].line), runs[i].result);
		assert_string_equal(out.text, runs[i].printed);
	}
}

static void test_long_line(void **state)
{
	static char line[SHELL_LINE_MAX + 2];

	(void)state;
	sh.out = capture_out(&out);
	memset(line, 'x', sizeof(line) - 1);
	capture_clear(&out);
	assert_int_equal(shell_run(&sh, line), -EINVAL);
	assert_string_equal(out.text, "error: line of more than 1023 bytes\n");
	line[SHELL_LINE_MAX] = '\0';
	capture_clear(&out);
	assert_int_equal(shell_run(&sh, line), -EINVAL);
	assert_non_null(strstr(out.text, "error: unknown command \"xxxx"));
}

static void complete(void *arg, struct line_edit *le, const char *line)
{
	shell_complete(arg, le, line);
}

static void drop(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
}

static const struct {
	const char *typed, *line;
} completions[] = {
	{ "v\t", "vm " },
	{ "vm li\t", "vm list " },
	{ "vm s\t", "vm st" }, /* start, stop */
	{ "vm list --\t", "vm list --json " },
	{ "vm stop w\t", "vm stop web" },
	{ "vm stop d\t", "vm stop db " },
	{ "vm stop d\t-\t", "vm stop db --force " },
	{ "vm stop --force d\t", "vm stop --force db " },
	{ "vm stop db d\t", "vm stop db d" }, /* takes one only */
	{ "vm create n m\t", "vm create n memory=" },
	{ "vm create n memory=1 k\tb\t", "vm create n memory=1 kernel=boot:vmlinuz " },
	{ "vm create w\t", "vm create w" }, /* a new name */
	{ "vm join --port d\t", "vm join --port d" },
	{ "vm join --port 1 d\t--p\t", "vm join --port 1 db --port " },
	{ "he\t", "help " },
	{ "x\t", "x" },
	{ "vm \"list\" \t", "vm \"list\" " },
	{ "vm \"li\t", "vm \"li" },
};

static void test_complete(void **state)
{
	static struct line_edit le;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(completions); i++) {
		line_edit_init(&le, drop, complete, &sh);
		line_edit_begin(&le, "> ");
		for (const char *p = completions[i].typed; *p != '\0'; p++) {
			assert_int_equal(line_edit_feed(&le, *p), LINE_MORE);
		}
		assert_string_equal(line_edit_text(&le), completions[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
