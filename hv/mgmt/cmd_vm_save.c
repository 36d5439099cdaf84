/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns vm save and vm restore: between a VM, a file in a store and the administrator. */
/* What is in the file is hv/save_vm.c's. */
#include "arch/clock.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/show.h"
#include "hv/mgmt/store.h"
#include "hv/save_vm.h"
#include "hv/thread.h"
#include "hv/vm_life.h"

/* ---- a configuration's text ---- */

struct text {
	char *buf; /* NULL: it is only counted */
	size_t room;
	size_t len;
};

/* Formatting takes long: a checkpoint for each word, as everywhere. */
static void text_write(void *arg, const char *s, size_t len)
{
	struct text *t = arg;

	thread_checkpoint();
	if (t->buf != NULL && range_within(t->len, len, t->room)) {
		memcpy(t->buf + t->len, s, len);
	}
	t->len += len;
}

/* What is valid with windows alone is read back with them. */
static void text_of(const struct vm *vm, struct text *t)
{
	struct shell_out out = { .write = text_write, .arg = t };

	t->len = 0;
	if (vm->cfg.window != 0) {
		shell_out_puts(&out, "[host]\nscheduler = \"window\"\n");
	}
	config_write_vm(&vm->cfg, &out);
}

/* -ENOMEM, -E2BIG. t->buf is to be freed in any case. The VM is claimed: nobody sets its keys. */
static int config_text(const struct vm *vm, struct text *t)
{
	*t = (struct text){ .buf = NULL };
	text_of(vm, t);
	if (t->len > SAVE_VM_CONFIG_MAX) {
		return -E2BIG;
	}
	t->room = t->len;
	t->buf = heap_alloc(t->room);
	if (t->buf == NULL) {
		return -ENOMEM;
	}
	text_of(vm, t);
	return 0;
}

/* ---- save ---- */

struct saving {
	struct shell_call *c;
	struct store_file file;
	bool stopped; /* by Ctrl-C */
};

static int append(void *arg, const void *buf, size_t len)
{
	struct saving *s = arg;

	if (shell_interrupted(s->c)) {
		s->stopped = true;
		return -EIO;
	}
	return s->file.store->ops->append(&s->file, buf, len);
}

static int write_file(struct saving *s, struct vm *vm, const char **why)
{
	struct save_out out = { .append = append, .arg = s };
	struct text t;
	int err = config_text(vm, &t);

	*why = errno_text(err);
	thread_work_for(&vm->share);
	err = err != 0 ? err : save_vm_write(vm, &out, t.buf, t.len, why);
	thread_work_for(NULL);
	heap_free(t.buf);
	return err;
}

static int save_failed(struct saving *s, const struct vm *vm, int err, const char *why)
{
	const char *path = s->c->argv[1];
	char written[16], free[16];
	struct page_stats stats;

	if (s->stopped) {
		return shell_error(s->c, "stopped: %s is not saved", vm->cfg.name);
	}
	if (err != -ENOSPC) {
		return shell_error(s->c, "cannot save %s: %s", vm->cfg.name, why);
	}
	page_stats(&stats);
	return shell_error(s->c,
			   "%s has no room in %.40s: that was full after %s; %s of host memory are "
			   "free",
			   vm->cfg.name, path, fmt_size(written, sizeof(written), s->file.size),
			   fmt_size(free, sizeof(free), stats.free));
}

/* With the VM at rest. */
static int save_at_rest(struct saving *s, struct vm *vm)
{
	const char *why = "no reason given";
	int err = store_create(s->c->argv[1], &s->file, &why);

	if (err != 0) {
		return shell_error(s->c, "cannot save %s: %s", vm->cfg.name, why);
	}
	err = write_file(s, vm, &why);
	s->file.store->ops->finish(&s->file, err == 0);
	return err == 0 ? 0 : save_failed(s, vm, err, why);
}

/*
 * What a guest wrote to an overlay would be lost, and its memory restored to another disk; on any other it
 * may write on, and find another disk when it is restored. NULL: it has no such disk.
 */
static const char *unsaved_disk(const struct vm *vm)
{
	const char *what = NULL;

	for (unsigned int i = 0; i < vm->cfg.disk_count; i++) {
		const struct vm_disk_config *disk = &vm->cfg.disks[i];

		what = disk->overlay != 0 ? "a disk of it has an overlay, which is not saved"
		       : disk->readonly	  ? what
					  : "it writes to a disk, which is not saved";
	}
	return what;
}

/* List locked. */
static int begin(struct shell_call *c, struct vm *vm)
{
	const char *why = "no reason given";
	int err = vm_claim(vm, "being saved", &why);

	if (err == 0 && unsaved_disk(vm) != NULL) {
		vm_release(vm);
		return shell_error(c, "cannot save %s: %s", vm->cfg.name, unsaved_disk(vm));
	}
	if (err == 0 && !vm_is_up(vm)) {
		err = shell_error(c, "cannot save %s: it is %s", vm->cfg.name,
				  vm_state_name(vm->state));
		vm_release(vm);
		return err;
	}
	return err == 0 ? 0 : shell_error(c, "cannot save %s: %s", vm->cfg.name, why);
}

/* What was running goes on, also after a failure; after a success --stop stops it instead. */
static void go_on(struct vm *vm, bool was_running, bool stop)
{
	const char *why;

	if (stop) {
		(void)vm_life_stop(vm, &why);
	} else if (was_running) {
		(void)vm_life_resume(vm, &why);
	}
}

static int rest_and_save(struct saving *s, struct vm *vm)
{
	const char *why = "no reason given";
	int err = vm_life_await_pause(vm, &why);

	return err == 0 ? save_at_rest(s, vm)
			: shell_error(s->c, "cannot save %s: %s", vm->cfg.name, why);
}

static int save_claimed(struct saving *s, struct vm *vm, enum vm_state *state)
{
	bool stop = shell_option(s->c, "--stop");
	bool was_running;
	const char *why;
	int err;

	vm_list_lock();
	was_running = vm->state == VM_RUNNING;
	if (was_running) {
		(void)vm_life_pause(vm, &why);
	}
	vm_list_unlock();
	err = rest_and_save(s, vm);
	vm_list_lock();
	go_on(vm, was_running, err == 0 && stop);
	*state = vm->state;
	vm_release(vm);
	vm_list_unlock();
	return err;
}

static int cmd_save(struct shell_call *c)
{
	struct saving s = { .c = c };
	uint64_t begun = clock_now();
	char size[16], time[SHOW_MAX];
	enum vm_state state;
	struct vm *vm;
	int err = cmd_vm_with(c, begin);

	if (err != 0) {
		return err;
	}
	vm_list_lock();
	vm = vm_find(c->argv[0]); /* who has claimed it has it */
	vm_list_unlock();
	err = save_claimed(&s, vm, &state);
	if (err == 0) {
		show_time(time, sizeof(time), clock_ticks_to_ns(clock_now() - begun));
		shell_out_printf(c->out, "%s: saved to %s, %s in %s; it is %s\n", c->argv[0],
				 c->argv[1], fmt_size(size, sizeof(size), s.file.size), time,
				 vm_state_name(state));
	}
	return err;
}

/* ---- restore ---- */

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
	{ "vm", "save", "VM FILE [--stop]",
	  "write a VM, as it stands, into a file\n"
	  "FILE is STORE:FILE, ram:web1 for example, and must not exist. A running VM stands\n"
	  "still meanwhile and then goes on; a paused one stays paused; --stop stops it once\n"
	  "the file is whole. What was typed and not yet taken by the guest is not saved.\n"
	  "Ctrl-C stops: then there is no file. store print takes it out of the machine.",
	  cmd_save },
	{ "vm", "restore", "FILE [NAME] [--paused]",
	  "start a VM as vm save left it\n"
	  "It comes back under its name, or as NAME. A VM of that name must be stopped and of\n"
	  "the same memory, cpus and devices; if there is none it is made. For its guest no\n"
	  "time has passed: its date is behind by as long as it was away, and hwclock or NTP\n"
	  "sets it. Only a machine with the same processor features and clock rate will do.\n"
	  "Ctrl-C stops, as long as the VM is not started.",
	  cmd_restore },
};

const struct shell_table cmd_vm_save_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
