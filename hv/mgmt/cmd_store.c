/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about stores: which there are, what is in them, deleting a file. */
/* Files are made by others: vm save. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/store.h"

struct tally {
	unsigned int files;
	uint64_t bytes;
};

static struct tally tally(const struct store *s)
{
	struct tally t = { 0 };
	const char *name = NULL;
	uint64_t size;

	while ((name = s->ops->next(name, &size)) != NULL) {
		t.files++;
		t.bytes += size;
	}
	return t;
}

static int cmd_list(struct shell_call *c)
{
	const struct store *s;
	struct json j;
	char text[16];

	json_begin(&j, c->out);
	if (shell_json(c)) {
		json_array(&j, NULL);
	} else {
		shell_out_puts(c->out, "STORE     FILES        SIZE  WHAT\n");
	}
	for (unsigned int i = 0; (s = store_get(i)) != NULL; i++) {
		struct tally t = tally(s);

		if (!shell_json(c)) {
			shell_out_printf(c->out, "%-8s %6u %11s  %s\n", s->name, t.files,
					 fmt_size(text, sizeof(text), t.bytes), s->what);
			continue;
		}
		json_object(&j, NULL);
		json_string(&j, "name", s->name);
		json_u64(&j, "files", t.files);
		json_u64(&j, "bytes", t.bytes);
		json_bool(&j, "writable", s->ops->create != NULL);
		json_end(&j);
	}
	if (shell_json(c)) {
		json_finish(&j);
	}
	return 0;
}

static const struct store *find_store(const char *name)
{
	const struct store *s;
	char with_colon[24];

	for (unsigned int i = 0; (s = store_get(i)) != NULL; i++) {
		fmt_snprintf(with_colon, sizeof(with_colon), "%s:", s->name);
		if (strcmp(name, s->name) == 0 || strcmp(name, with_colon) == 0) {
			return s;
		}
	}
	return NULL;
}

static void print_files(struct shell_call *c, const struct store *s)
{
	const char *name = NULL;
	uint64_t size;

	while ((name = s->ops->next(name, &size)) != NULL) {
		shell_out_printf(c->out, "%13lu  %s:%s\n", size, s->name, name);
	}
}

static void json_files(struct shell_call *c, const struct store *s)
{
	const char *name = NULL;
	struct json j;
	uint64_t size;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	while ((name = s->ops->next(name, &size)) != NULL) {
		json_object(&j, NULL);
		json_string(&j, "name", name);
		json_u64(&j, "bytes", size);
		json_end(&j);
	}
	json_finish(&j);
}

static int cmd_ls(struct shell_call *c)
{
	const struct store *s = find_store(c->argv[0]);

	if (s == NULL) {
		return shell_error(c, "no store is named \"%.40s\"; store list shows all",
				   c->argv[0]);
	}
	if (shell_json(c)) {
		json_files(c, s);
	} else {
		print_files(c, s);
	}
	return 0;
}

static int cmd_delete(struct shell_call *c)
{
	const char *why;

	if (store_remove(c->argv[0], &why) != 0) {
		return shell_error(c, "cannot delete %.64s: %s", c->argv[0], why);
	}
	shell_out_printf(c->out, "%s: deleted\n", c->argv[0]);
	return 0;
}

/* ---- Tab ---- */

void cmd_store_offer(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	const struct store *s;
	char path[LINE_WORD_MAX];

	for (unsigned int i = 0; (s = store_get(i)) != NULL; i++) {
		const char *name = NULL;
		uint64_t size;

		while ((name = s->ops->next(name, &size)) != NULL) {
			fmt_snprintf(path, sizeof(path), "%s:%s", s->name, name);
			line_edit_offer(le, path);
		}
	}
}

static void offer_stores(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	const struct store *s;
	char name[24];

	for (unsigned int i = 0; (s = store_get(i)) != NULL; i++) {
		fmt_snprintf(name, sizeof(name), "%s:", s->name);
		line_edit_offer(le, name);
	}
}

static const struct shell_cmd cmds[] = {
	{ "store", "list", "[--json]",
	  "places that have files\n"
	  "boot: has the boot modules. ram: is host memory: its files are there until the\n"
	  "next boot, and host memory counts what they take.",
	  cmd_list },
	{ "store", "ls", "STORE [--json]", "the files of a store, and their sizes in bytes",
	  cmd_ls },
	{ "store", "delete", "FILE", "delete a file, named STORE:FILE", cmd_delete },
};

static const struct shell_kind kinds[] = { { "STORE", offer_stores }, { "FILE", cmd_store_offer } };

const struct shell_table cmd_store_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
