/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns finding a command, checking its words against the usage, suggestions and completion. */
/* Prints nothing but errors: commands print the rest. */
#include "hv/mgmt/shell.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/near.h"
#include "hv/mgmt/shell_words.h"

/* ---- the tables ---- */

const struct shell_cmd *shell_next_cmd(const struct shell *sh, const struct shell_cmd *prev)
{
	for (unsigned int t = 0; t < sh->table_count; t++) {
		const struct shell_table *table = sh->tables[t];

		if (prev == NULL && table->count > 0) {
			return &table->cmds[0];
		}
		if (prev >= table->cmds && prev < table->cmds + table->count) {
			if (prev + 1 < table->cmds + table->count) {
				return prev + 1;
			}
			prev = NULL; /* the first of the next table */
		}
	}
	return NULL;
}

const struct shell_cmd *shell_find_cmd(const struct shell *sh, const char *noun, const char *verb)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL) {
		if (strcmp(cmd->noun, noun) == 0 && strcmp(cmd->verb, verb) == 0) {
			return cmd;
		}
	}
	return NULL;
}

/* Any row with that noun. */
static const struct shell_cmd *find_noun(const struct shell *sh, const char *noun)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL && strcmp(cmd->noun, noun) != 0) {
	}
	return cmd;
}

static const struct shell_kind *find_kind(const struct shell *sh, const char *name, size_t len)
{
	for (unsigned int t = 0; t < sh->table_count; t++) {
		for (unsigned int k = 0; k < sh->tables[t]->kind_count; k++) {
			const struct shell_kind *kind = &sh->tables[t]->kinds[k];

			if (strlen(kind->name) == len && memcmp(kind->name, name, len) == 0) {
				return kind;
			}
		}
	}
	return NULL;
}

void shell_usage(const struct shell_cmd *cmd, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "%s%s%s%s%s", cmd->noun, cmd->verb[0] != '\0' ? " " : "", cmd->verb,
		     cmd->args[0] != '\0' ? " " : "", cmd->args);
}

/* ---- the usage string ---- */

struct usage_word {
	const char *name; /* without brackets and dots */
	size_t len;
	bool option, optional, many;
	bool value; /* an option that takes the word behind it */
};

/* Reads the word at *args and moves on; false at the end. */
static bool next_usage(const char **args, struct usage_word *w)
{
	const char *p = *args;
	const char *end;

	while (*p == ' ') {
		p++;
	}
	if (*p == '\0') {
		return false;
	}
	w->optional = *p == '[';
	end = strchr(p, w->optional ? ']' : ' ');
	end = end != NULL ? end + w->optional : p + strlen(p);
	*args = end;
	p += w->optional;
	end -= w->optional;
	w->many = end - p > 3 && memcmp(end - 3, "...", 3) == 0;
	end -= w->many ? 3 : 0;
	w->option = p[0] == '-' && p[1] == '-';
	w->value = w->option && memchr(p, ' ', (size_t)(end - p)) != NULL;
	w->name = p;
	w->len = (size_t)((w->value ? strchr(p, ' ') : end) - p);
	return true;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] == '-';
}

/* Looks up an option of cmd's usage; false if it has none of that name. */
static bool find_option(const struct shell_cmd *cmd, const char *option, struct usage_word *w)
{
	const char *args = cmd->args;

	while (next_usage(&args, w)) {
		if (w->option && strlen(option) == w->len && memcmp(option, w->name, w->len) == 0) {
			return true;
		}
	}
	return false;
}

static bool count_fits(const struct shell_cmd *cmd, unsigned int argc)
{
	const char *args = cmd->args;
	unsigned int least = 0, most = 0;
	struct usage_word w;

	while (next_usage(&args, &w)) {
		if (!w.option) {
			least += !w.optional;
			most = w.many ? SHELL_WORDS_MAX : most + 1;
		}
	}
	return argc >= least && argc <= most;
}

/* ---- errors ---- */

static void put_error(struct shell_out *out, const char *fmt, va_list ap)
{
	char text[512];

	fmt_vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			*p = ' ';
		}
	}
	shell_out_printf(out, "error: %s\n", text);
}

int shell_error(struct shell_call *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_error(c->out, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int usage_error(struct shell_call *c)
{
	char usage[160];

	shell_usage(c->cmd, usage, sizeof(usage));
	return shell_error(c, "usage: %s", usage);
}

static int unknown_verb(struct shell_call *c, const char *noun, const char *verb)
{
	const struct shell_cmd *cmd = NULL;
	struct near near;
	char verbs[160] = "";
	size_t len = 0;

	near_begin(&near, verb);
	while ((cmd = shell_next_cmd(c->sh, cmd)) != NULL) {
		if (strcmp(cmd->noun, noun) == 0 && len < sizeof(verbs)) {
			near_try(&near, cmd->verb);
			len += (size_t)fmt_snprintf(verbs + len, sizeof(verbs) - len, "%s%s",
						    len > 0 ? ", " : "", cmd->verb);
		}
	}
	if (verb[0] == '\0') {
		return shell_error(c, "\"%s\" needs one of: %s", noun, verbs);
	}
	if (near.best != NULL) {
		return shell_error(c, "unknown command \"%s %.40s\"; did you mean %s %s?", noun,
				   verb, noun, near.best);
	}
	return shell_error(c, "unknown command \"%s %.40s\"; there are: %s", noun, verb, verbs);
}

static int unknown_noun(struct shell_call *c, const char *noun)
{
	const struct shell_cmd *cmd = NULL;
	struct near near;

	near_begin(&near, noun);
	while ((cmd = shell_next_cmd(c->sh, cmd)) != NULL) {
		near_try(&near, cmd->noun);
	}
	if (near.best != NULL) {
		return shell_error(c, "unknown command \"%.40s\"; did you mean %s?", noun,
				   near.best);
	}
	return shell_error(c, "unknown command \"%.40s\"; type help for a list", noun);
}

/* ---- running ---- */

static int unknown_option(struct shell_call *c, const char *option)
{
	char usage[160];

	shell_usage(c->cmd, usage, sizeof(usage));
	return shell_error(c, "unknown option \"%.40s\"; usage: %s", option, usage);
}

/* Sorts words into arguments and options with their values. */
static int take_words(struct shell_call *c, const char *const *words, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct usage_word w;

		if (!is_option(words[i])) {
			c->argv[c->argc++] = words[i];
			continue;
		}
		if (!find_option(c->cmd, words[i], &w)) {
			return unknown_option(c, words[i]);
		}
		if (w.value && i + 1 == count) {
			return usage_error(c);
		}
		c->options[c->option_count] = words[i];
		c->values[c->option_count++] = w.value ? words[++i] : "";
	}
	return count_fits(c->cmd, c->argc) ? 0 : usage_error(c);
}

/* A JSON answer stays whole: log lines wait until it is out. */
static int call(struct shell_call *c)
{
	const struct shell_io *io = c->sh->io;
	bool whole = shell_json(c) && io != NULL;
	int err;

	if (whole) {
		io->terminal(io->arg, SHELL_SCREEN);
	}
	err = c->cmd->fn(c);
	if (whole) {
		io->terminal(io->arg, SHELL_LINES);
	}
	return err;
}

static int run_words(struct shell_call *c, const char *const *words, unsigned int count)
{
	unsigned int used = 1;
	int err;

	c->cmd = shell_find_cmd(c->sh, words[0], "");
	if (c->cmd == NULL && find_noun(c->sh, words[0]) == NULL) {
		return unknown_noun(c, words[0]);
	}
	if (c->cmd == NULL) {
		const char *verb = count > 1 ? words[1] : "";

		c->cmd = shell_find_cmd(c->sh, words[0], verb);
		if (c->cmd == NULL) {
			return unknown_verb(c, words[0], verb);
		}
		used = 2;
	}
	err = take_words(c, words + used, count - used);
	return err != 0 ? err : call(c);
}

int shell_run(struct shell *sh, const char *line)
{
	struct shell_call c = { .sh = sh, .out = &sh->out };
	const char *words[SHELL_WORDS_MAX];
	unsigned int count;
	int n;

	if (!string_copy(sh->line, line, sizeof(sh->line))) {
		return shell_error(&c, "line of more than %u bytes", SHELL_LINE_MAX);
	}
	n = shell_words_split(sh->line, words, SHELL_WORDS_MAX, &count);
	if (n < 0) {
		return n == -E2BIG ? shell_error(&c, "more than %u words", SHELL_WORDS_MAX)
				   : shell_error(&c, "a quote is not closed");
	}
	return n == 0 ? 0 : run_words(&c, words, count);
}

const char *shell_value(const struct shell_call *c, const char *name)
{
	for (unsigned int i = 0; i < c->option_count; i++) {
		if (strcmp(c->options[i], name) == 0) {
			return c->values[i];
		}
	}
	return NULL;
}

bool shell_option(const struct shell_call *c, const char *name)
{
	return shell_value(c, name) != NULL;
}

bool shell_json(const struct shell_call *c)
{
	return shell_option(c, "--json");
}

bool shell_interrupted(struct shell_call *c)
{
	return c->sh->io->typed(c->sh->io->arg, SHELL_CTRL_C);
}

void shell_wait(struct shell_call *c, uint64_t ns)
{
	c->sh->io->wait(c->sh->io->arg, ns);
}

/* ---- completion ---- */

static void offer_nouns(struct shell *sh, struct line_edit *le)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL) {
		line_edit_offer(le, cmd->noun);
	}
}

static void offer_verbs(struct shell *sh, struct line_edit *le, const char *noun)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL) {
		if (strcmp(cmd->noun, noun) == 0) {
			line_edit_offer(le, cmd->verb);
		}
	}
}

static void offer_options(const struct shell_cmd *cmd, struct line_edit *le)
{
	const char *args = cmd->args;
	struct usage_word w;

	while (next_usage(&args, &w)) {
		char option[32];

		if (w.option) {
			fmt_snprintf(option, sizeof(option), "%.*s", (int)w.len, w.name);
			line_edit_offer(le, option);
		}
	}
}

/* The nth argument (from 0) of cmd. */
static void offer_argument(struct shell *sh, struct line_edit *le, const struct shell_cmd *cmd,
			   unsigned int n, const char *word)
{
	const char *args = cmd->args;
	struct usage_word w;

	while (next_usage(&args, &w)) {
		const struct shell_kind *kind;

		if (w.option || (n-- > 0 && !w.many)) {
			continue;
		}
		kind = find_kind(sh, w.name, w.len);
		if (kind != NULL) {
			kind->offer(sh, le, word);
		}
		return;
	}
}

/* Arguments among the words, without options; -1 if an option's value comes next. */
static int count_arguments(const struct shell_cmd *cmd, const char *const *words,
			   unsigned int count)
{
	struct usage_word w;
	int n = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (!is_option(words[i])) {
			n++;
		} else if (find_option(cmd, words[i], &w) && w.value && ++i == count) {
			return -1;
		}
	}
	return n;
}

static void offer_words(struct shell *sh, struct line_edit *le, const char *const *words,
			unsigned int count, const char *word)
{
	const struct shell_cmd *cmd = count > 0 ? shell_find_cmd(sh, words[0], "") : NULL;
	unsigned int used = 1;

	if (cmd == NULL && count > 1) {
		cmd = shell_find_cmd(sh, words[0], words[1]);
		used = 2;
	}
	if (count == 0) {
		offer_nouns(sh, le);
	} else if (cmd == NULL && count == 1) {
		offer_verbs(sh, le, words[0]);
	} else if (cmd != NULL && word[0] == '-') {
		offer_options(cmd, le);
	} else if (cmd != NULL) {
		int n = count_arguments(cmd, words + used, count - used);

		if (n >= 0) {
			offer_argument(sh, le, cmd, (unsigned int)n, word);
		}
	}
}

void shell_complete(struct shell *sh, struct line_edit *le, const char *line)
{
	const char *words[SHELL_WORDS_MAX];
	const char *word = strrchr(line, ' ');
	unsigned int count;

	word = word != NULL ? word + 1 : line;
	if (!string_copy(sh->line, line, sizeof(sh->line))) {
		return;
	}
	sh->line[word - line] = '\0'; /* the words before the one to complete */
	if (shell_words_split(sh->line, words, SHELL_WORDS_MAX, &count) >= 0) {
		offer_words(sh, le, words, count, word);
	}
}
