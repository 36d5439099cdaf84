/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about stores: which there are, what is in them, printing and deleting a file. */
/* Files are made by others: vm save. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/base64.h"
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

int cmd_store_delete(struct shell_call *c)
{
	const char *why;

	if (store_remove(c->argv[0], &why) != 0) {
		return shell_error(c, "cannot delete %.64s: %s", c->argv[0], why);
	}
	shell_out_printf(c->out, "%s: deleted\n", c->argv[0]);
	return 0;
}

/* ---- print ---- */

static int print_line(struct shell_call *c, const struct store_file *f, uint64_t off)
{
	uint8_t bytes[BASE64_LINE];
	char text[BASE64_LETTERS(BASE64_LINE) + 1];
	size_t n = u64_min(BASE64_LINE, f->size - off);
	int err = f->store->ops->read(f, off, bytes, n);

	if (err == 0) {
		n = base64_encode(bytes, n, text);
		text[n++] = '\n';
		shell_out_write(c->out, text, n);
	}
	return err;
}

static int cmd_print(struct shell_call *c)
{
	struct store_file f;
	const char *why;

	if (store_open(c->argv[0], &f, &why) != 0) {
		return shell_error(c, "cannot print %.64s: %s", c->argv[0], why);
	}
	for (uint64_t off = 0; off < f.size; off += BASE64_LINE) {
		if (shell_interrupted(c)) {
			return shell_error(c, "stopped");
		}
		if (print_line(c, &f, off) != 0) {
			return shell_error(c, "cannot read %.64s", c->argv[0]);
		}
	}
	return 0;
}

/* ---- Tab ---- */

static void offer_files(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
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
	{ "store", "print", "FILE",
	  "a file as text (base64)\n"
	  "The way out for a small file of ram: before a reboot: decode what was printed by\n"
	  "base64 -d, give it to the next boot as a module NAME, and it is boot:NAME.\n"
	  "Ctrl-C stops.",
	  cmd_print },
	{ "store", "delete", "FILE", "delete a file, named STORE:FILE", cmd_store_delete },
};

static const struct shell_kind kinds[] = { { "STORE", offer_stores }, { "FILE", offer_files } };

const struct shell_table cmd_store_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
