/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns vm restore: from a file in a store to a VM that goes on as it was saved. */
/* What is in the file is hv/save_vm.c's. */
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/store.h"
#include "hv/save_vm.h"
#include "hv/vm_life.h"

struct source {
	struct shell_call *c;
	struct store_file file;
	bool stopped; /* by Ctrl-C: from then on it gives nothing */
};

static int read_file(void *arg, uint64_t off, void *buf, size_t len)
{
	struct source *s = arg;

	s->stopped = s->stopped || shell_interrupted(s->c);
	return s->stopped ? -EIO : s->file.store->ops->read(&s->file, off, buf, len);
}

/* Why a file could not be taken. */
static int restore_failed(const struct source *s, const char *name, const char *why)
{
	const char *path = s->c->argv[0];

	if (s->stopped) {
		return shell_error(s->c, "stopped: nothing is restored from %.64s", path);
	}
	return name == NULL
		       ? shell_error(s->c, "cannot restore from %.64s: %s", path, why)
		       : shell_error(s->c, "cannot restore %s from %.64s: %s", name, path, why);
}

/* Under another name its network cards would have other addresses, which its guest does not know of. */
static void keep_macs(struct vm_config *cfg)
{
	for (unsigned int i = 0; i < cfg->nic_count; i++) {
		vm_config_mac(cfg, i, cfg->nics[i].mac);
	}
}

/* The saved VM's configuration into *cfg; its text may say anything. */
static int parse_config(const struct save_in *in, struct vm_config *cfg, struct diag *d,
			const char **why)
{
	struct save_place p;
	struct config parsed = { 0 };
	char *text;
	int err = -EINVAL;

	*why = "its configuration is damaged";
	if (save_find(in, SAVE_VM_CONFIG, 0, &p) != 0 || p.s.length > SAVE_VM_CONFIG_MAX) {
		return err;
	}
	text = heap_alloc(p.s.length + 1);
	err = text != NULL ? save_read(in, &p, 0, text, p.s.length) : -ENOMEM;
	err = err != 0 ? err : config_parse(text, p.s.length, cmd_config_env(), &parsed, d);
	if (err == 0 && (diag_any(d) || parsed.vm_count != 1)) {
		err = -EINVAL;
		*why = d->count > 0 ? d->entries[0].text : *why;
	}
	if (err == 0) {
		*cfg = parsed.vms[0];
		keep_macs(cfg);
	}
	config_free(&parsed);
	heap_free(text);
	return err;
}

/* What a guest can see of its configuration must be as it was; the rest is the administrator's. */
static const char *differs(const struct vm_config *a, const struct vm_config *b)
{
	if (a->memory != b->memory) {
		return "memory";
	}
	if (a->cpus != b->cpus) {
		return "cpus";
	}
	if (a->cpuid_count != b->cpuid_count || memcmp(a->cpuid, b->cpuid, sizeof(a->cpuid)) != 0) {
		return "cpuid";
	}
	if (a->paravirt != b->paravirt) {
		return "paravirt";
	}
	if (a->testdev != b->testdev) {
		return "testdev";
	}
	if (a->hvc != b->hvc) {
		return "hvc";
	}
	return a->rng != b->rng ? "rng" : a->balloon != b->balloon ? "balloon" : NULL;
}

/* ---- the VM ---- */

struct restoring {
	const struct save_in *in;
	struct vm_config *cfg;
	struct vm *vm;
	bool made; /* it was not there before */
};

/* A VM of that name is off and of the same shape. List locked. */
static int check_target(struct shell_call *c, const struct vm *vm, const struct vm_config *cfg)
{
	const char *key;

	if (!vm_is_off(vm)) {
		return shell_error(c,
				   "%s is %s: stop it first, or give the restored one another name "
				   "(vm restore FILE NAME)",
				   cfg->name, vm_state_name(vm->state));
	}
	key = differs(&vm->cfg, cfg);
	return key == NULL ? 0
			   : shell_error(c,
					 "%s has another %s now than when it was saved: vm set it, "
					 "or give the restored one another name",
					 cfg->name, key);
}

static struct restoring
	*restoring; /* cmd_vm_locked's function takes no argument; the shell's thread */

/* Finds or makes the VM to restore into, and claims it. List locked. */
static int claim_target(struct shell_call *c)
{
	const char *name = restoring->cfg->name, *why = "no reason given";
	struct vm *vm = vm_find(name);
	int err = 0;

	restoring->made = vm == NULL;
	if (vm == NULL) {
		err = vm_create(restoring->cfg, &vm, &why);
	}
	err = err != 0 ? err : vm_claim(vm, "being restored", &why);
	if (err != 0) {
		return shell_error(c, "cannot restore %s: %s", name, why);
	}
	restoring->vm = vm;
	err = check_target(c, vm, restoring->cfg);
	if (err != 0) {
		vm_release(vm);
	}
	return err;
}

/* List locked; not while the work is done. */
static int start_claimed(struct shell_call *c)
{
	const char *name = restoring->cfg->name, *why = "no reason given";
	struct vm *vm = restoring->vm;
	bool paused = shell_option(c, "--paused");
	int err = save_vm_start(vm, restoring->in, paused, &why);

	if (err != 0) {
		err = restore_failed(restoring->in->arg, name, why);
	} else {
		shell_out_printf(c->out, "%s: restored from %s, %s\n", name, c->argv[0],
				 vm_state_name(vm->state));
	}
	vm_release(vm);
	if (err != 0 && restoring->made) {
		(void)vm_delete(vm, &why);
	}
	return err;
}

static int start_from(struct shell_call *c, const struct save_in *in, struct vm_config *cfg)
{
	struct restoring r = { .in = in, .cfg = cfg };
	int err;

	restoring = &r;
	err = cmd_vm_locked(c, claim_target);
	err = err != 0 ? err : cmd_vm_locked(c, start_claimed);
	restoring = NULL;
	return err;
}

static int restore(struct shell_call *c, struct vm_config *cfg, struct diag *d)
{
	const char *why = "no reason given";
	struct source src = { .c = c };
	struct save_in in = { .read = read_file, .arg = &src };

	if (store_open(c->argv[0], &src.file, &why) != 0) {
		return shell_error(c, "cannot restore: %s", why);
	}
	in.size = src.file.size;
	if (save_check(&in, &why) != 0 || parse_config(&in, cfg, d, &why) != 0) {
		return restore_failed(&src, NULL, why);
	}
	if (c->argc > 1 && !config_name_valid(c->argv[1])) {
		return shell_error(c,
				   "found the name \"%.40s\", allowed: 1 to 31 letters, digits, "
				   "'-', '_' and '.'",
				   c->argv[1]);
	}
	if (c->argc > 1) {
		string_copy(cfg->name, c->argv[1], sizeof(cfg->name));
	}
	return start_from(c, &in, cfg);
}

static int cmd_restore(struct shell_call *c)
{
	struct vm_config *cfg = heap_alloc(sizeof(*cfg));
	struct diag *d = heap_alloc(sizeof(*d));
	int err = cfg != NULL && d != NULL ? restore(c, cfg, d) : shell_error(c, "out of memory");

	heap_free(cfg);
	heap_free(d);
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "vm", "restore", "FILE [NAME] [--paused]",
	  "start a VM as vm save left it\n"
	  "It comes back under its name, or as NAME. A VM of that name must be stopped and of\n"
	  "the same memory, cpus and devices; if there is none it is made. For its guest no\n"
	  "time has passed: its date is behind by as long as it was away, and hwclock or NTP\n"
	  "sets it. Only a machine with the same processor features and clock rate will do.\n"
	  "Ctrl-C stops, as long as the VM is not started.",
	  cmd_restore },
};

const struct shell_table cmd_vm_restore_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
