/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns help, version and clear. */
/* The texts of help are the other tables'. */
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/near.h"
#include "hv/thread.h"
#include "version.h"

#define USAGE_WIDTH 30 /* columns that help gives to a usage */

static void help_row(struct shell_call *c, const struct shell_cmd *cmd)
{
	const char *end = strchr(cmd->help, '\n');
	int len = (int)(end != NULL ? (size_t)(end - cmd->help) : strlen(cmd->help));
	char usage[160];

	shell_usage(cmd, usage, sizeof(usage));
	if (strlen(usage) > USAGE_WIDTH) {
		shell_out_printf(c->out, "%s\n%*s %.*s\n", usage, USAGE_WIDTH, "", len, cmd->help);
	} else {
		shell_out_printf(c->out, "%-*s %.*s\n", USAGE_WIDTH, usage, len, cmd->help);
	}
}

static void help_all(struct shell_call *c)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(c->sh, cmd)) != NULL) {
		help_row(c, cmd);
	}
	shell_out_puts(c->out, "\nhelp COMMAND says more; Tab completes names; Ctrl-C cancels a "
			       "line.\n");
}

static int help_noun(struct shell_call *c, const char *noun)
{
	const struct shell_cmd *cmd = NULL;
	struct near near;
	bool any = false;

	near_begin(&near, noun);
	while ((cmd = shell_next_cmd(c->sh, cmd)) != NULL) {
		near_try(&near, cmd->noun);
		thread_checkpoint();
		if (strcmp(cmd->noun, noun) == 0) {
			help_row(c, cmd);
			any = true;
		}
	}
	if (any) {
		return 0;
	}
	return shell_error(c, "no command is named \"%.40s\"%s%s%s", noun,
			   near.best != NULL ? "; did you mean " : "",
			   near.best != NULL ? near.best : "", near.best != NULL ? "?" : "");
}

static int help_one(struct shell_call *c, const char *noun, const char *verb)
{
	const struct shell_cmd *cmd = shell_find_cmd(c->sh, noun, verb);
	char usage[160];

	if (cmd == NULL && verb[0] != '\0') {
		return shell_error(c,
				   "no command is named \"%.40s %.40s\"; help %.40s lists those "
				   "there are",
				   noun, verb, noun);
	}
	if (cmd == NULL) {
		return help_noun(c, noun);
	}
	shell_usage(cmd, usage, sizeof(usage));
	shell_out_printf(c->out, "%s\n", usage);
	shell_out_puts(c->out, cmd->help);
	shell_out_puts(c->out, "\n");
	if (strstr(cmd->args, "--json") != NULL) {
		shell_out_puts(c->out, "--json prints one JSON value on one line, for scripts.\n");
	}
	return 0;
}

static int cmd_help(struct shell_call *c)
{
	thread_checkpoint();
	if (c->argc == 0) {
		help_all(c);
		return 0;
	}
	return help_one(c, c->argv[0], c->argc > 1 ? c->argv[1] : "");
}

static int cmd_version(struct shell_call *c)
{
	struct json j;

	if (shell_json(c)) {
		json_begin(&j, c->out);
		json_object(&j, NULL);
		json_string(&j, "version", INSULA_VERSION);
		json_string(&j, "git", INSULA_GIT);
		json_finish(&j);
	} else {
		shell_out_printf(c->out, "Insula %s (%s)\n", INSULA_VERSION, INSULA_GIT);
	}
	return 0;
}

static int cmd_clear(struct shell_call *c)
{
	shell_out_puts(c->out, "\x1b[H\x1b[2J");
	return 0;
}

static void offer_nouns(struct shell *sh, struct line_edit *le, const char *word UNUSED)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL) {
		line_edit_offer(le, cmd->noun);
	}
}

static void offer_verbs(struct shell *sh, struct line_edit *le, const char *word UNUSED)
{
	const struct shell_cmd *cmd = NULL;

	while ((cmd = shell_next_cmd(sh, cmd)) != NULL) {
		if (cmd->verb[0] != '\0') {
			line_edit_offer(le, cmd->verb);
		}
	}
}

static const struct shell_cmd cmds[] = {
	{ "help", "", "[COMMAND] [VERB]", "this list, or more about one command", cmd_help },
	{ "version", "", "[--json]", "version and git commit of the hypervisor", cmd_version },
	{ "clear", "", "", "clear the screen", cmd_clear },
};

static const struct shell_kind kinds[] = { { "COMMAND", offer_nouns }, { "VERB", offer_verbs } };

const struct shell_table cmd_misc_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
