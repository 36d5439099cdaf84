/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns host poweroff and host reboot: guests are asked to power off first, and waited for. */
/* How the machine is switched off is arch/cpu.h's. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "drivers/host/uart.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/power_button.h"
#include "hv/mgmt/show.h"
#include "hv/vm.h"

#define POLL_NS 50000000ul /* how often it is looked whether the guests have gone */

/* The VMs that are not off. */
struct on {
	unsigned int count;
	uint64_t timeout_ns; /* the longest of theirs */
	char names[200];     /* "web1, db" */
	size_t len;
};

static void note_on(struct on *on, const struct vm *vm)
{
	if (on->len < sizeof(on->names)) {
		on->len += (size_t)fmt_snprintf(on->names + on->len, sizeof(on->names) - on->len,
						"%s%s", on->count > 0 ? ", " : "", vm->cfg.name);
	}
	on->count++;
	on->timeout_ns = u64_max(on->timeout_ns, vm->cfg.stop_timeout * 1000000ul);
}

static void collect_on(struct on *on)
{
	memset(on, 0, sizeof(*on));
	vm_list_lock();
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (!vm_is_off(vm)) {
			note_on(on, vm);
		}
	}
	vm_list_unlock();
}

/*
 * A VM hears no button while it is paused, or waits to be started again. One that somebody is at work
 * on is looked at again later.
 */
static int press_one(struct shell_call *c, struct vm *vm)
{
	const char *why = "";

	if (vm->doing != NULL) {
		return 0;
	}
	if (vm->state == VM_PAUSED) {
		return shell_error(c, "%s is paused: resume it first, or use --force",
				   vm->cfg.name);
	}
	if (vm->state == VM_RUNNING) {
		power_button_again(vm);
	} else if (vm->start_at != 0) {
		(void)vm_stop(vm, &why);
	}
	return 0;
}

static int press_all(struct shell_call *c)
{
	int err = 0;

	for (struct vm *vm = vm_next(NULL); vm != NULL && err == 0; vm = vm_next(vm)) {
		err = press_one(c, vm);
	}
	return err;
}

/* What an earlier poweroff pressed, in vain, is pressed again. */
static int press_first(struct shell_call *c)
{
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		vm->pressed = 0;
	}
	return press_all(c);
}

/* Presses also what comes up meanwhile: was being started, or is started again after a reset. */
static int wait_all(struct shell_call *c, uint64_t timeout_ns)
{
	uint64_t begun = clock_now();
	struct on on;

	for (collect_on(&on); on.count > 0; collect_on(&on)) {
		int err;

		if (clock_ticks_to_ns(clock_now() - begun) >= timeout_ns) {
			return shell_error(c,
					   "%s did not power off in time: the host stays on; "
					   "--force stops VMs at once",
					   on.names);
		}
		if (shell_interrupted(c)) {
			return shell_error(c, "%s may still power off: the host stays on",
					   on.names);
		}
		err = cmd_vm_locked(c, press_all);
		if (err != 0) {
			return err;
		}
		shell_wait(c, POLL_NS);
	}
	return 0;
}

static int stop_gracefully(struct shell_call *c)
{
	char time[SHOW_MAX];
	struct on on;
	int err;

	collect_on(&on);
	if (on.count == 0) {
		return 0;
	}
	err = cmd_vm_locked(c, press_first);
	if (err != 0) {
		return err;
	}
	shell_out_printf(c->out,
			 "Waiting up to %s for %u VM%s to power off: %s\n(Ctrl-C stops waiting)\n",
			 show_time(time, sizeof(time), on.timeout_ns), on.count,
			 on.count == 1 ? "" : "s", on.names);
	return wait_all(c, on.timeout_ns);
}

/* All that nobody is at work on. */
static int force_free(struct shell_call *c)
{
	const char *why = "";

	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (vm_is_off(vm) || vm->doing != NULL) {
			continue;
		}
		if (vm_stop(vm, &why) != 0) {
			return shell_error(c, "cannot stop %s: %s", vm->cfg.name, why);
		}
	}
	return 0;
}

static int may_wait(struct shell_call *c, const struct on *on, uint64_t begun)
{
	if (shell_interrupted(c)) {
		return shell_error(c, "%s: not stopped: the host stays on", on->names);
	}
	if (clock_ticks_to_ns(clock_now() - begun) >= on->timeout_ns) {
		return shell_error(
			c, "%s: what is being done with it takes too long: the host stays on",
			on->names);
	}
	return 0;
}

static void tell_waiting(struct shell_call *c, const struct on *on)
{
	char time[SHOW_MAX];

	shell_out_printf(c->out,
			 "Waiting up to %s for what is being done with: %s\n"
			 "(Ctrl-C stops waiting)\n",
			 show_time(time, sizeof(time), on->timeout_ns), on->names);
}

/* What is being done with a VM, it may be a save, comes to its end first, or to the longest timeout. */
static int force_all(struct shell_call *c)
{
	uint64_t begun = clock_now();
	bool told = false;
	struct on on;
	int err;

	while ((err = cmd_vm_locked(c, force_free)) == 0) {
		collect_on(&on);
		if (on.count == 0) {
			return 0;
		}
		if (!told) {
			tell_waiting(c, &on);
			told = true;
		}
		err = may_wait(c, &on, begun);
		if (err != 0) {
			return err;
		}
		shell_wait(c, POLL_NS);
	}
	return err;
}

static int stop_vms(struct shell_call *c)
{
	return shell_option(c, "--force") ? force_all(c) : stop_gracefully(c);
}

static int cmd_poweroff(struct shell_call *c)
{
	int err = stop_vms(c);

	if (err == 0) {
		shell_out_puts(c->out, "Powering off.\n");
		uart_flush_polled();
		cpu_poweroff();
		err = shell_error(c, "this machine did not power off (see host log)");
	}
	return err;
}

static int cmd_reboot(struct shell_call *c)
{
	int err = stop_vms(c);

	if (err == 0) {
		shell_out_puts(c->out, "Rebooting.\n");
		uart_flush_polled();
		cpu_reboot();
		err = shell_error(c, "this machine did not reboot (see host log)");
	}
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "host", "reboot", "[--force]",
	  "stop all VMs and restart the machine\n"
	  "Presses each VM's ACPI power button, every 10 s, and waits until all are off, as\n"
	  "long as the longest stop_timeout says; if one is not, the host stays on. --force\n"
	  "stops them at once, like pulling the plug; one that is just being saved or\n"
	  "started, after that, if it does not take longer than the stop_timeout.",
	  cmd_reboot },
	{ "host", "poweroff", "[--force]",
	  "stop all VMs and turn the machine off\n"
	  "Stops the VMs as host reboot does.",
	  cmd_poweroff },
};

const struct shell_table cmd_host_power_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
