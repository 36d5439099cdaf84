/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about the configuration, and reading it from a boot module. */
/* The keys are config_schema.c's. */
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "drivers/net/network.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/config_type.h"
#include "hv/mgmt/line_edit.h"
#include "hv/thread.h"
#include "hv/vm.h"

#define DEFAULT_FILE "boot:insula.conf"

static struct host_config host; /* in force; written at boot */

void cmd_config_set_host(const struct host_config *h)
{
	host = *h;
}

const struct host_config *cmd_config_host(void)
{
	return &host;
}

static bool net_known(const char *name)
{
	return network_find(name) != NULL;
}

const struct config_env *cmd_config_env(void)
{
	static struct config_env env = { .cpuid_known = hvm_cpuid_feature_known,
					 .net_known = net_known };

	env.cpus = cpu_count();
	return &env;
}

int cmd_config_load(const char *path, struct config *out, struct diag *d)
{
	struct bootfs_file file;
	int err = bootfs_find(path, &file);

	if (err != 0) {
		return err;
	}
	return config_parse((const char *)file.data, file.size, cmd_config_env(), out, d);
}

void cmd_config_print(struct shell_out *out, const char *prefix, const char *path,
		      const struct diag *d)
{
	for (unsigned int i = 0; i < d->count; i++) {
		const struct diag_entry *e = &d->entries[i];

		shell_out_printf(out, "%s%s:%u:%u: %s\n", prefix, path, e->at.line, e->at.column,
				 e->text);
	}
	if (d->dropped > 0) {
		shell_out_printf(out, "%s%s: and %u more\n", prefix, path, d->dropped);
	}
}

/* ---- show ---- */

static void show_json(struct shell_call *c)
{
	struct json j;

	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_object(&j, "host");
	config_json_host(&host, &j);
	json_end(&j);
	json_object(&j, "net");
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		json_object(&j, n->c.name);
		config_json_net(&n->c, &j);
		json_end(&j);
	}
	json_end(&j);
	json_object(&j, "vm");
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		json_object(&j, vm->cfg.name);
		config_json_vm(&vm->cfg, &j);
		json_end(&j);
	}
	json_finish(&j);
}

/* Networks before the VMs that are on them, for whoever reads it. */
void cmd_config_write(struct shell_out *out)
{
	config_write_host(&host, out);
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		thread_checkpoint();
		shell_out_puts(out, "\n");
		config_write_net(&n->c, out);
	}
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		thread_checkpoint();
		shell_out_puts(out, "\n");
		config_write_vm(&vm->cfg, out);
	}
}

static int show_locked(struct shell_call *c)
{
	if (shell_json(c)) {
		show_json(c);
	} else {
		cmd_config_write(c->out);
	}
	return 0;
}

static int cmd_show(struct shell_call *c)
{
	return cmd_vm_locked(c, show_locked);
}

/* ---- check ---- */

static int report(struct shell_call *c, const char *path, int err, const struct config *cfg,
		  const struct diag *d)
{
	unsigned int errors = d->count + d->dropped;

	if (err == -ENOENT || err == -EINVAL) {
		return shell_error(c, "%.90s is not %s", path,
				   err == -ENOENT ? "among the boot modules"
						  : "named as boot:FILE");
	}
	if (err != 0) {
		return shell_error(c, "cannot read %.90s: %s", path, errno_text(err));
	}
	if (errors > 0) {
		cmd_config_print(c->out, "", path, d);
		return shell_error(c, "%.90s: %u error%s; %u VM%s without one", path, errors,
				   errors == 1 ? "" : "s", cfg->vm_count,
				   cfg->vm_count == 1 ? "" : "s");
	}
	shell_out_printf(c->out, "%s: no errors, %u VM%s\n", path, cfg->vm_count,
			 cfg->vm_count == 1 ? "" : "s");
	return 0;
}

static int cmd_check(struct shell_call *c)
{
	const char *path = c->argc > 0 ? c->argv[0] : DEFAULT_FILE;
	struct diag *d = heap_alloc(sizeof(*d));
	struct config cfg = { 0 };
	int err;

	if (d == NULL) {
		return shell_error(c, "out of memory");
	}
	err = cmd_config_load(path, &cfg, d);
	err = report(c, path, err, &cfg, d);
	config_free(&cfg);
	heap_free(d);
	return err;
}

/* ---- help ---- */

static void list_keys(struct shell_call *c)
{
	unsigned int count;
	const struct config_key *keys = config_keys(&count);

	shell_out_puts(c->out, "The file is TOML: [host], a [net.NAME] for each network, "
			       "[vm.NAME] for each VM.\n\n");
	for (unsigned int i = 0; i < count; i++) {
		char path[64];

		if (keys[i].type != NULL) {
			config_key_path(&keys[i], path, sizeof(path));
			shell_out_printf(c->out, "%-20s %s\n", path, keys[i].help);
		}
	}
	shell_out_puts(c->out, "\nconfig help KEY says what is allowed.\n");
}

static int cmd_help(struct shell_call *c)
{
	const struct config_key *key;
	char path[64];

	if (c->argc == 0) {
		list_keys(c);
		return 0;
	}
	key = config_key_find(c->argv[0]);
	if (key == NULL) {
		return shell_error(c, "no key is named \"%.40s\"; config help lists all",
				   c->argv[0]);
	}
	config_key_path(key, path, sizeof(path));
	shell_out_printf(c->out, "%s: %s\n", path, key->help);
	if (key->type == NULL) {
		shell_out_puts(c->out, "Not supported in this version.\n");
		return 0;
	}
	shell_out_printf(c->out, "  type     %s\n  allowed  %s\n", key->type->name, key->allowed);
	shell_out_printf(c->out, "  default  %s\n",
			 key->def != NULL ? key->def : "none: it must be given");
	for (unsigned int i = 0; key->list != NULL && i < key->list->count; i++) {
		const struct config_key *k = &key->list->keys[i];

		if (k->type != NULL) {
			shell_out_printf(c->out, "  %-8s %s\n           %s\n", k->name, k->help,
					 k->allowed);
		}
	}
	return 0;
}

/* ---- Tab ---- */

static void offer_keys(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	unsigned int count;
	const struct config_key *keys = config_keys(&count);
	char path[64];

	for (unsigned int i = 0; i < count; i++) {
		config_key_path(&keys[i], path, sizeof(path));
		line_edit_offer(le, path);
		line_edit_offer(le, keys[i].name);
	}
}

static const struct shell_cmd cmds[] = {
	{ "config", "show", "[--json]",
	  "the configuration in force, as a file\n"
	  "What differs from the defaults; config save keeps it in a file.",
	  cmd_show },
	{ "config", "check", "[FILE]",
	  "look for errors in a configuration file\n"
	  "FILE is boot:insula.conf if none is named. Nothing is changed.",
	  cmd_check },
	{ "config", "help", "[KEY]", "explain the keys of the configuration", cmd_help },
};

static const struct shell_kind kinds[] = { { "KEY", offer_keys } };

const struct shell_table cmd_config_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
