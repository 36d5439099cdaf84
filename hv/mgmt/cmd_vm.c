/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands that change VMs: create, set, start, stop, reset, pause, resume, delete. */
/* What only looks is cmd_vm_info.c, the guest's console cmd_vm_console.c. */
#include "arch/clock.h"
#include "drivers/virtio/virtio_balloon.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/near.h"
#include "hv/mgmt/power_button.h"
#include "hv/mgmt/shell_buf.h"
#include "hv/mgmt/show.h"
#include "hv/vm_job.h"
#include "hv/vm_life.h"
#include "hv/vm_memory.h"

#define POLL_NS 50000000ul /* how often a command looks whether what it waits for is done */

/* ---- shared ---- */

uint64_t cmd_vm_uptime(const struct vm *vm)
{
	return !vm_is_up(vm) ? 0 : clock_ticks_to_ns(clock_now() - vm->started);
}

static int no_vm(struct shell_call *c, const char *name)
{
	struct near near;

	near_begin(&near, name);
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		near_try(&near, vm->cfg.name);
	}
	if (near.best != NULL) {
		return shell_error(c, "no VM is named \"%.40s\"; did you mean %s?", name,
				   near.best);
	}
	return shell_error(c, "no VM is named \"%.40s\"; vm list shows all", name);
}

/* What fn prints is kept until the list is unlocked. arg is fn's. */
static int buffered(struct shell_call *c, int (*fn)(struct shell_call *c, void *arg), void *arg)
{
	struct shell_out *out = c->out;
	struct shell_buf buf;
	int err;

	shell_buf_init(&buf);
	c->out = &buf.out;
	vm_list_lock();
	err = fn(c, arg);
	vm_list_unlock();
	c->out = out;
	return shell_buf_flush(&buf, out) ? err : shell_error(c, "out of memory");
}

struct locked_call {
	int (*all)(struct shell_call *c);
	int (*one)(struct shell_call *c, struct vm *vm);
};

static int call_locked(struct shell_call *c, void *arg)
{
	const struct locked_call *call = arg;
	struct vm *vm;

	if (call->one == NULL) {
		return call->all(c);
	}
	vm = vm_find(c->argv[0]);
	return vm != NULL ? call->one(c, vm) : no_vm(c, c->argv[0]);
}

int cmd_vm_locked(struct shell_call *c, int (*fn)(struct shell_call *c))
{
	struct locked_call call = { .all = fn };

	return buffered(c, call_locked, &call);
}

int cmd_vm_with(struct shell_call *c, int (*fn)(struct shell_call *c, struct vm *vm))
{
	struct locked_call call = { .one = fn };

	return buffered(c, call_locked, &call);
}

/* The error of a change that failed: who is in the way, or why not. */
static int refused(struct shell_call *c, const struct vm *vm, const char *why)
{
	if (vm->doing != NULL) {
		return shell_error(c, "%s is %s", vm->cfg.name, vm->doing);
	}
	return shell_error(c, "cannot %s %s: %s", c->cmd->verb, vm->cfg.name, why);
}

/* Does what takes no time, and says what state that led to. */
static int act(struct shell_call *c, struct vm *vm, vm_op_fn *op)
{
	const char *why = "no reason given";

	if (op(vm, &why) != 0) {
		return refused(c, vm, why);
	}
	shell_out_printf(c->out, "%s: %s\n", vm->cfg.name, vm_state_name(vm->state));
	return 0;
}

/* ---- what takes time: in a thread of its own ---- */

struct change {
	const char *doing;
	vm_op_fn *op;
	bool waits;	    /* for its turn, when somebody else is at work on the VM */
	const char *in_way; /* what that one does */
	struct vm_job *job; /* NULL until it is our turn */
};

static int begin_locked(struct shell_call *c, void *arg)
{
	const char *why = "no reason given";
	struct change *change = arg;
	struct vm *vm = vm_find(c->argv[0]);

	if (vm == NULL) {
		return no_vm(c, c->argv[0]);
	}
	change->in_way = vm->doing;
	if (change->waits && change->in_way != NULL) {
		return 0;
	}
	return vm_job_begin(vm, change->doing, change->op, &change->job, &why) == 0
		       ? 0
		       : refused(c, vm, why);
}

static int begin_change(struct shell_call *c, struct change *change)
{
	int err = buffered(c, begin_locked, change);

	while (err == 0 && change->job == NULL) {
		if (shell_interrupted(c)) {
			return shell_error(c, "%s is %s: cannot %s it yet", c->argv[0],
					   change->in_way, c->cmd->verb);
		}
		shell_wait(c, POLL_NS);
		err = buffered(c, begin_locked, change);
	}
	return err;
}

static int wait_for_job(struct shell_call *c, const struct change *change)
{
	const struct vm_job *job = change->job;

	while (!vm_job_is_done(job)) {
		if (shell_interrupted(c)) {
			return shell_error(c, "%s is %s: not waited for", c->argv[0],
					   change->doing);
		}
		shell_wait(c, POLL_NS);
	}
	if (job->err != 0) {
		return shell_error(c, "cannot %s %s: %s", c->cmd->verb, c->argv[0], job->why);
	}
	shell_out_printf(c->out, "%s: %s\n", c->argv[0], vm_state_name(job->state));
	return 0;
}

static int change_vm(struct shell_call *c, struct change change)
{
	int err = begin_change(c, &change);

	if (err == 0) {
		err = wait_for_job(c, &change);
		vm_job_leave(change.job);
	}
	return err;
}

/* ---- create and set ---- */

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
		err = buffered(c, call_scratch, &s);
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
		return no_vm(c, c->argv[0]);
	}
	if (vm->doing != NULL) {
		return refused(c, vm, NULL);
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

/* ---- start, reset, pause, resume, delete ---- */

static int cmd_start(struct shell_call *c)
{
	return change_vm(c, (struct change){ .doing = "being started", .op = vm_life_start });
}

static int cmd_reset(struct shell_call *c)
{
	return change_vm(c, (struct change){ .doing = "being reset", .op = vm_life_reset });
}

static int pause_locked(struct shell_call *c, struct vm *vm)
{
	return act(c, vm, vm_pause);
}

static int cmd_pause(struct shell_call *c)
{
	return cmd_vm_with(c, pause_locked);
}

static int resume_locked(struct shell_call *c, struct vm *vm)
{
	return act(c, vm, vm_resume);
}

static int cmd_resume(struct shell_call *c)
{
	return cmd_vm_with(c, resume_locked);
}

static int delete_locked(struct shell_call *c, struct vm *vm)
{
	const char *why = "no reason given";

	if (vm_delete(vm, &why) != 0) {
		return refused(c, vm, why);
	}
	shell_out_printf(c->out, "%s: deleted\n", c->argv[0]);
	return 0;
}

static int cmd_delete(struct shell_call *c)
{
	return cmd_vm_with(c, delete_locked);
}

/* ---- stop ---- */

/* Ask the guest to power off; what follows is waited for without the lock. */
static int press_button(struct shell_call *c, struct vm *vm)
{
	char time[SHOW_MAX];

	if (vm->doing != NULL) {
		return refused(c, vm, NULL);
	}
	if (vm->state != VM_RUNNING) {
		return shell_error(
			c, "%s is %s%s", vm->cfg.name, vm_state_name(vm->state),
			vm->state == VM_PAUSED ? ": resume it first, or stop it with --force" : "");
	}
	power_button_press(vm);
	show_time(time, sizeof(time), vm->cfg.stop_timeout * 1000000ul);
	shell_out_printf(c->out,
			 "%s: ACPI power button pressed; waiting up to %s for the guest to "
			 "power off\n(Ctrl-C stops waiting)\n",
			 vm->cfg.name, time);
	return 0;
}

static int press_locked(struct shell_call *c, void *arg)
{
	struct vm *vm = vm_find(c->argv[0]);
	uint64_t *starts = arg;

	if (vm == NULL) {
		return no_vm(c, c->argv[0]);
	}
	*starts = vm->starts;
	return press_button(c, vm);
}

/*
 * True once the VM is off, and tells which way; until then the button is pressed again. starts: a
 * restart counts as off, too.
 */
static bool has_stopped(const char *name, uint64_t starts, const char **state, uint64_t *left,
			uint64_t begun)
{
	uint64_t waited = clock_ticks_to_ns(clock_now() - begun);
	struct vm *vm;
	bool off;

	vm_list_lock();
	vm = vm_find(name);
	off = vm == NULL || vm_is_off(vm) || vm->starts != starts;
	*state = vm != NULL ? vm_state_name(vm->state) : "gone";
	*left = vm != NULL ? vm->cfg.stop_timeout * 1000000ul : 0;
	*left = *left > waited ? *left - waited : 0;
	if (!off && *left > 0 && vm->state == VM_RUNNING && vm->doing == NULL) {
		power_button_again(vm);
	}
	vm_list_unlock();
	return off;
}

static int wait_stopped(struct shell_call *c, uint64_t starts)
{
	uint64_t begun = clock_now(), left;
	const char *state;

	while (!has_stopped(c->argv[0], starts, &state, &left, begun)) {
		if (left == 0) {
			return shell_error(c,
					   "%s did not power off in time; vm stop %s --force stops "
					   "it at once",
					   c->argv[0], c->argv[0]);
		}
		if (shell_interrupted(c)) {
			return shell_error(c, "%s may still power off: not waited for", c->argv[0]);
		}
		shell_wait(c, u64_min(left, POLL_NS));
	}
	shell_out_printf(c->out, "%s: %s\n", c->argv[0], state);
	return 0;
}

static int cmd_stop(struct shell_call *c)
{
	uint64_t starts = 0;
	int err;

	if (shell_option(c, "--force")) {
		return change_vm(c, (struct change){ .doing = "being stopped",
						     .op = vm_life_stop,
						     .waits = true });
	}
	err = buffered(c, press_locked, &starts);
	return err != 0 ? err : wait_stopped(c, starts);
}

/* ---- Tab ---- */

static void offer_vms(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	vm_list_lock();
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		line_edit_offer(le, vm->cfg.name);
	}
	vm_list_unlock();
}

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
	{ "vm", "start", "VM", "start a VM", cmd_start },
	{ "vm", "stop", "VM [--force]",
	  "ask the guest to power off, or stop it at once\n"
	  "Presses the ACPI power button, every 10 s in case the guest is still booting,\n"
	  "and waits for it to power off, at most its stop_timeout; Ctrl-C stops waiting.\n"
	  "--force stops it at once, like pulling the plug; what is being done with it,\n"
	  "such as a reset by its guest, is waited for first.",
	  cmd_stop },
	{ "vm", "reset", "VM", "reset a VM, as its reset button would", cmd_reset },
	{ "vm", "pause", "VM", "let a VM stand still, keeping its memory", cmd_pause },
	{ "vm", "resume", "VM", "let a paused VM go on", cmd_resume },
	{ "vm", "delete", "VM", "forget a stopped VM", cmd_delete },
};

static const struct shell_kind kinds[] = {
	{ "VM", offer_vms },
	{ "KEY=VALUE", offer_settings },
};

const struct shell_table cmd_vm_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
