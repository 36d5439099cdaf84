/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands that change what a VM does: start, stop, reset, pause, resume, delete. */
/* Its settings are cmd_vm_set.c, what only looks cmd_vm_info.c, its console cmd_vm_console.c. */
#include "arch/clock.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/near.h"
#include "hv/mgmt/power_button.h"
#include "hv/mgmt/shell_buf.h"
#include "hv/mgmt/show.h"
#include "hv/vm_job.h"
#include "hv/vm_life.h"

#define POLL_NS 50000000ul /* how often a command looks whether what it waits for is done */

/* ---- shared ---- */

uint64_t cmd_vm_uptime(const struct vm *vm)
{
	return !vm_is_up(vm) ? 0 : clock_ticks_to_ns(clock_now() - vm->started);
}

int cmd_vm_none(struct shell_call *c, const char *name)
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

int cmd_vm_buffered(struct shell_call *c, int (*fn)(struct shell_call *c, void *arg), void *arg)
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
	return vm != NULL ? call->one(c, vm) : cmd_vm_none(c, c->argv[0]);
}

int cmd_vm_locked(struct shell_call *c, int (*fn)(struct shell_call *c))
{
	struct locked_call call = { .all = fn };

	return cmd_vm_buffered(c, call_locked, &call);
}

int cmd_vm_with(struct shell_call *c, int (*fn)(struct shell_call *c, struct vm *vm))
{
	struct locked_call call = { .one = fn };

	return cmd_vm_buffered(c, call_locked, &call);
}

int cmd_vm_refused(struct shell_call *c, const struct vm *vm, const char *why)
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
		return cmd_vm_refused(c, vm, why);
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
		return cmd_vm_none(c, c->argv[0]);
	}
	change->in_way = vm->doing;
	if (change->waits && change->in_way != NULL) {
		return 0;
	}
	return vm_job_begin(vm, change->doing, change->op, &change->job, &why) == 0
		       ? 0
		       : cmd_vm_refused(c, vm, why);
}

static int begin_change(struct shell_call *c, struct change *change)
{
	int err = cmd_vm_buffered(c, begin_locked, change);

	while (err == 0 && change->job == NULL) {
		if (shell_interrupted(c)) {
			return shell_error(c, "%s is %s: cannot %s it yet", c->argv[0],
					   change->in_way, c->cmd->verb);
		}
		shell_wait(c, POLL_NS);
		err = cmd_vm_buffered(c, begin_locked, change);
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
		return cmd_vm_refused(c, vm, why);
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
		return cmd_vm_refused(c, vm, NULL);
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
		return cmd_vm_none(c, c->argv[0]);
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
	err = cmd_vm_buffered(c, press_locked, &starts);
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

static const struct shell_cmd cmds[] = {
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
};

const struct shell_table cmd_vm_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
