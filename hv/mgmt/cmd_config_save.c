/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns config save: the configuration in force as a file, from which the next boot makes the same VMs. */
/* The text is config show's; where files are is the stores'. */
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/shell_buf.h"
#include "hv/mgmt/store.h"
#include "hv/vm.h"

#define DEFAULT_FILE "ram:insula.conf"

struct saving {
	struct shell_out out;
	struct store_file file;
	int err; /* the first of the store's */
};

static void append(void *arg, const char *text, size_t len)
{
	struct saving *s = arg;

	if (s->err == 0) {
		s->err = s->file.store->ops->append(&s->file, text, len);
	}
}

/* All of the text before the file is begun: no VM waits for a store. */
static void take_text(struct shell_buf *b)
{
	shell_buf_init(b);
	vm_list_lock();
	cmd_config_write(&b->out);
	vm_list_unlock();
}

/* Nothing but text, and not named as a disk. */
static bool is_configuration(const char *path, struct store_file *f)
{
	unsigned char head[256];
	size_t len = u64_min(f->size, sizeof(head));
	bool text = f->store->ops->read(f, 0, head, len) == 0;

	for (size_t i = 0; i < len; i++) {
		bool control = head[i] < ' ' || head[i] == 0x7f;

		text = text && (!control || (head[i] != 0 && strchr("\n\r\t", head[i]) != NULL));
	}
	return text && disk_file_format(path) == NULL;
}

static int check_old(const char *path, const char **why)
{
	struct store_file f;

	if (store_open(path, &f, why) != 0 || is_configuration(path, &f)) {
		return 0;
	}
	*why = "there is a file of that name, which is no configuration";
	return -EEXIST;
}

/* The file takes the place of an older one when it is whole, or that stays. */
static int write_file(const char *path, struct saving *s, const char **why)
{
	struct shell_buf text;
	int err = check_old(path, why);

	err = err == 0 ? store_replace(path, &s->file, why) : err;
	if (err != 0) {
		return err;
	}
	take_text(&text);
	if (!shell_buf_flush(&text, &s->out) && s->err == 0) {
		s->err = -ENOMEM;
	}
	s->file.store->ops->finish(&s->file, s->err == 0);
	*why = errno_text(s->err);
	return s->err;
}

static int cmd_save(struct shell_call *c)
{
	const char *path = c->argc > 0 ? c->argv[0] : DEFAULT_FILE;
	const char *why = "no reason given";
	struct saving s = { .out = { append, &s } };

	if (write_file(path, &s, &why) != 0) {
		return shell_error(c, "cannot save the configuration: %s", why);
	}
	shell_out_printf(c->out, "%s: saved, %lu bytes\n", path, s.file.size);
	return 0;
}

static const struct shell_cmd cmds[] = {
	{ "config", "save", "[STORE:FILE]",
	  "write the configuration in force into a file\n"
	  "What config show prints: VMs made, changed or deleted since the boot included.\n"
	  "As the boot module insula.conf it makes the same set. A configuration of that\n"
	  "name is kept until the new one is whole; no other file is replaced. Without a\n"
	  "name: ram:insula.conf, which is lost when the host restarts.",
	  cmd_save },
};

const struct shell_table cmd_config_save_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
