/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands: a table of rows, found by noun and verb, checked against their usage, then called. */
/* Knows no command itself and no terminal: cmd_*.c and console.c. */
#ifndef HV_MGMT_SHELL_H
#define HV_MGMT_SHELL_H

#include "hv/lib/types.h"
#include "hv/mgmt/json.h"
#include "hv/mgmt/shell_out.h"

#define SHELL_LINE_MAX	1023u
#define SHELL_WORDS_MAX 48u
#define SHELL_CTRL_C	0x03

struct line_edit;
struct shell;
struct shell_call;

struct shell_cmd {
	const char *noun;
	const char *verb; /* "" if the noun stands alone */
	/*
	 * Usage, and what the words are checked against: NAME [NAME] NAME... [NAME...] [--option]
	 * [--option VALUE].
	 * Names are kinds (see below), which is what Tab offers. A row with [--json] must print
	 * exactly one JSON value if shell_json() says so.
	 */
	const char *args;
	const char *help;		 /* one line; sentences after \n for `help COMMAND` */
	int (*fn)(struct shell_call *c); /* 0, or what shell_error returned */
};

/* What an argument's name in the usage means to Tab: offers words that begin with `word`. */
struct shell_kind {
	const char *name;
	void (*offer)(struct shell *sh, struct line_edit *le, const char *word);
};

struct shell_table { /* one per cmd_*.c */
	const struct shell_cmd *cmds;
	unsigned int count;
	const struct shell_kind *kinds;
	unsigned int kind_count;
};

/* How a command uses the terminal. */
enum shell_terminal {
	SHELL_LINES,  /* lines, with log lines in between: how each command begins and ends */
	SHELL_SCREEN, /* the whole screen: log lines are held back */
	SHELL_RAW,    /* so, and what it prints is not changed: \n stays \n */
};

/* The terminal's other side, for commands that take time. */
struct shell_io {
	/* Keys typed since, up to size; 0 if there are none. */
	size_t (*read)(void *arg, char *buf, size_t size);
	/* Sleeps until a key comes, the thread is unparked, or ns passed. May return early. */
	void (*wait)(void *arg, uint64_t ns);
	/* Was that key typed? Takes it and what was typed before it; leaves other keys for later. */
	bool (*typed)(void *arg, char key);
	void (*terminal)(void *arg, enum shell_terminal use);
	void *arg;
};

struct shell {
	const struct shell_table *const *tables; /* (c) */
	unsigned int table_count;		 /* (c) */
	const struct shell_io *io;		 /* (c) */
	struct shell_out out;			 /* (c) */
	char line[SHELL_LINE_MAX + 1];		 /* the line being run or completed, in words */
};

struct shell_call {
	struct shell *sh;
	struct shell_out *out;
	const struct shell_cmd *cmd;
	unsigned int argc;
	const char *argv[SHELL_WORDS_MAX]; /* without noun, verb and options */
	unsigned int option_count;
	const char *options[SHELL_WORDS_MAX];
	const char *values[SHELL_WORDS_MAX]; /* "" of an option without */
};

/*
 * Runs one line (SHELL_LINE_MAX bytes at most). 0, or -Exxx after printing one line "error: ...". Blank
 * lines and comments (#) do nothing. Thread context; no lock held.
 */
int shell_run(struct shell *sh, const char *line);
/* Offers what may stand where line (up to the cursor) ends. */
void shell_complete(struct shell *sh, struct line_edit *le, const char *line);

/* ---- for commands ---- */

/* Prints "error: ..." on one line; returns -EINVAL. */
int shell_error(struct shell_call *c, const char *fmt, ...) PRINTF(2, 3);
bool shell_option(const struct shell_call *c, const char *name);
/* The value of an option, or NULL if that was not given. */
const char *shell_value(const struct shell_call *c, const char *name);
bool shell_json(const struct shell_call *c);
/* True once after Ctrl-C was typed. */
bool shell_interrupted(struct shell_call *c);
/* Sleeps up to ns, less if a key comes. */
void shell_wait(struct shell_call *c, uint64_t ns);
/* Walks all rows in the tables' order: NULL gives the first; NULL after the last. */
const struct shell_cmd *shell_next_cmd(const struct shell *sh, const struct shell_cmd *prev);
/* A row by noun and verb ("" for none), or NULL. */
const struct shell_cmd *shell_find_cmd(const struct shell *sh, const char *noun, const char *verb);
/* "vm stop VM [--force]" */
void shell_usage(const struct shell_cmd *cmd, char *buf, size_t size);

#endif
