/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns vm create and vm set: settings from the command line, and the memory of a VM that is up. */
/* What a key means is config_*.c's. */
#include "drivers/virtio/virtio_balloon.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/vm.h"
#include "hv/vm_memory.h"

/* All messages as one error line. */
static int diag_error(struct shell_call *c, const struct diag *d)
{
	char text[480];
	size_t len = 0;

	for (unsigned int i = 0; i < d->count && len < sizeof(text); i++) {
		len += (size_t)fmt_snprintf(text + len, sizeof(text) - len, "%s%s",
					    i > 0 ? "; " : "", d->entries[i].text);
	}
	return shell_error(c, "%s", text);
}

/* KEY=VALUE words from argv[1] on, into cfg. */
static void take_settings(struct shell_call *c, struct vm_config *cfg, struct diag *d)
{
	for (unsigned int i = 1; i < c->argc; i++) {
		const char *equal = strchr(c->argv[i], '=');
		char key[48];

		if (equal == NULL) {
			diag_add(d, (struct diag_place){ 0, 0 },
				 "found \"%.40s\", expected KEY=VALUE", c->argv[i]);
			continue;
		}
		string_copy(key, c->argv[i],
			    u64_min(sizeof(key), (uint64_t)(equal - c->argv[i]) + 1));
		config_set_vm(cfg, key, equal + 1, cmd_config_env(), d);
	}
	if (!diag_any(d)) {
		config_check_vm(cmd_config_host(), cfg, (struct diag_place){ 0, 0 }, d);
		config_check_nics(cmd_config_env(), NULL, 0, cfg, (struct diag_place){ 0, 0 }, d);
	}
}

struct scratch {
	int (*fn)(struct shell_call *c, struct vm_config *cfg, struct diag *d);
	struct vm_config *cfg;
	struct diag *d;
};

static int call_scratch(struct shell_call *c, void *arg)
{
	const struct scratch *s = arg;

	return s->fn(c, s->cfg, s->d);
}

/* fn with a scratch configuration and a list of messages, both too large for the stack. */
static int with_scratch(struct shell_call *c,
			int (*fn)(struct shell_call *c, struct vm_config *cfg, struct diag *d))
{
	struct vm_config *cfg = heap_alloc(sizeof(*cfg));
	struct diag *d = heap_alloc(sizeof(*d));
	struct scratch s = { fn, cfg, d };
	int err;

	if (cfg == NULL || d == NULL) {
		err = shell_error(c, "out of memory");
	} else {
		err = cmd_vm_buffered(c, call_scratch, &s);
	}
	heap_free(cfg);
	heap_free(d);
	return err;
}

static int create_locked(struct shell_call *c, struct vm_config *cfg, struct diag *d)
{
	const char *why = "no reason given";
	struct vm *vm;

	vm_config_defaults(cfg);
	if (!config_name_valid(c->argv[0])) {
		return shell_error(c,
				   "found the name \"%.40s\", allowed: 1 to 31 letters, digits, "
				   "'-', '_' and '.'",
				   c->argv[0]);
	}
	string_copy(cfg->name, c->argv[0], sizeof(cfg->name));
	take_settings(c, cfg, d);
	if (diag_any(d)) {
		return diag_error(c, d);
	}
	if (vm_create(cfg, &vm, &why) != 0) {
		return shell_error(c, "cannot create %s: %s", cfg->name, why);
	}
	shell_out_printf(c->out, "%s: created; vm start %s starts it\n", cfg->name, cfg->name);
	return 0;
}

static int cmd_create(struct shell_call *c)
{
	return with_scratch(c, create_locked);
}

/* vm is claimed; the list is given up while memory is reserved. */
static int reserve(struct vm *vm, uint64_t bytes, const char **why)
{
	int err;

	vm_list_unlock();
	err = vm_memory_reserve(vm, bytes, why);
	vm_list_lock();
	return err;
}

/* First what the VM may need is there, then the guest is told. */
static int resize(struct vm *vm, uint64_t bytes, const char **why)
{
	struct virtio_balloon_info info;
	int err;

	if (virtio_balloon_look(vm, &info) != 0 || !info.driver) {
		*why = "its guest drives no balloon: memory changes only while it is stopped";
		return -ENODEV;
	}
	err = vm_claim(vm, "being resized", why);
	if (err != 0) {
		return err;
	}
	err = reserve(vm, bytes, why);
	if (err == 0) {
		err = virtio_balloon_set_target(vm, bytes);
		*why = "its guest has just let go of the balloon";
	}
	vm_release(vm);
	return err;
}

/* memory=SIZE and nothing else, of a VM that is up: its balloon's target. */
static int set_live(struct shell_call *c, struct vm *vm, const struct vm_config *cfg)
{
	const char *why = "no reason given";
	uint64_t bytes = ALIGN_UP(cfg->memory, PAGE_SIZE);
	char size[16];

	if (bytes > vm->mem.size) {
		return shell_error(c, "cannot set %s: memory: allowed while it runs: up to %s",
				   vm->cfg.name, fmt_size(size, sizeof(size), vm->mem.size));
	}
	if (resize(vm, bytes, &why) != 0) {
		return shell_error(c, "cannot set %s: %s", vm->cfg.name, why);
	}
	shell_out_printf(c->out, "%s: its guest is asked to have %s; vm info tells how far it is\n",
			 vm->cfg.name, fmt_size(size, sizeof(size), bytes));
	return 0;
}

static bool is_live_setting(const struct shell_call *c)
{
	return c->argc == 2 && strncmp(c->argv[1], "memory=", strlen("memory=")) == 0;
}

static int set_locked(struct shell_call *c, struct vm_config *cfg, struct diag *d)
{
	struct vm *vm = vm_find(c->argv[0]);
	bool live;

	if (vm == NULL) {
		return cmd_vm_none(c, c->argv[0]);
	}
	if (vm->doing != NULL) {
		return cmd_vm_refused(c, vm, NULL);
	}
	live = vm_is_up(vm) && is_live_setting(c);
	if (!vm_is_off(vm) && !live) {
		return shell_error(c,
				   "%s is %s: its settings but memory change only while it is "
				   "stopped",
				   vm->cfg.name, vm_state_name(vm->state));
	}
	*cfg = vm->cfg;
	take_settings(c, cfg, d);
	if (diag_any(d)) {
		return diag_error(c, d);
	}
	if (live) {
		return set_live(c, vm, cfg);
	}
	vm->cfg = *cfg;
	shell_out_printf(c->out, "%s: set\n", vm->cfg.name);
	return 0;
}

static int cmd_set(struct shell_call *c)
{
	return with_scratch(c, set_locked);
}

/* ---- Tab ---- */

static void offer_files(struct line_edit *le, const char *key)
{
	struct bootfs_cursor cursor = { 0 };
	struct bootfs_file file;
	char word[LINE_WORD_MAX];

	while (bootfs_next(&cursor, &file)) {
		fmt_snprintf(word, sizeof(word), "%s=boot:%s", key, file.name);
		line_edit_offer(le, word);
	}
}

static void offer_values(struct line_edit *le, const struct config_key *key)
{
	char word[LINE_WORD_MAX];

	for (unsigned int i = 0; key->names != NULL && key->names[i] != NULL; i++) {
		fmt_snprintf(word, sizeof(word), "%s=%s", key->name, key->names[i]);
		line_edit_offer(le, word);
	}
	if (strcmp(key->name, "kernel") == 0 || strcmp(key->name, "initrd") == 0 ||
	    strcmp(key->name, "modules") == 0) {
		offer_files(le, key->name);
	}
}

/* The keys of a VM, and behind the = what is known of their values. */
static void offer_settings(struct shell *sh UNUSED, struct line_edit *le, const char *word)
{
	const char *equal = strchr(word, '=');
	unsigned int count;
	const struct config_key *keys = config_keys(&count);

	for (unsigned int i = 0; i < count; i++) {
		char name[48];

		if (keys[i].table != CONFIG_VM || keys[i].type == NULL) {
			continue;
		}
		fmt_snprintf(name, sizeof(name), "%s=", keys[i].name);
		if (equal == NULL) {
			line_edit_offer(le, name);
		} else if (string_starts_with(word, name)) {
			offer_values(le, &keys[i]);
		}
	}
}

static const struct shell_cmd cmds[] = {
	{ "vm", "create", "NAME KEY=VALUE...",
	  "make a VM, stopped; keys as in the configuration\n"
	  "Keys are those of [vm.NAME]: config help lists them. Lists are written A,B or\n"
	  "[A,B]; quote a value with blanks: vm create web1 kernel=boot:vmlinuz\n"
	  "initrd=boot:initrd.img cmdline=\"console=ttyS0 quiet\" memory=512M nics=lan\n"
	  "disks=[{file=boot:web1.qcow2,format=qcow2,overlay=64M}]",
	  cmd_create },
	{ "vm", "set", "VM KEY=VALUE...",
	  "change settings; of a running VM its memory\n"
	  "All are checked before any is changed. config help KEY explains a key.\n"
	  "memory=SIZE of a running VM asks its guest, by its balloon, to give memory away\n"
	  "or take it again: at most what it was started with. A restart gives it all back.",
	  cmd_set },
};

static const struct shell_kind kinds[] = { { "KEY=VALUE", offer_settings } };

const struct shell_table cmd_vm_set_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
