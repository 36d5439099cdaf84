/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands that look at VMs: list, info, stats, and the way to a guest's console. */
/* Changes nothing. */
#include "arch/clock.h"
#include "arch/hvm.h"
#include "drivers/virtio/virtio_balloon.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/show.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_dump.h"

/* ---- list ---- */

static void json_summary(struct json *j, struct vm *vm)
{
	json_string(j, "name", vm->cfg.name);
	json_string(j, "state", vm_state_name(vm->state));
	json_u64(j, "cpus", vm->cfg.cpus);
	json_u64(j, "memory", vm->cfg.memory);
	json_u64(j, "cpu_time_ns", clock_ticks_to_ns(vm_cpu_time(vm)));
	json_u64(j, "helped_ns",
		 clock_ticks_to_ns(__atomic_load_n(&vm->share.helped, __ATOMIC_RELAXED)));
	json_u64(j, "uptime_ns", cmd_vm_uptime(vm));
}

static void list_json(struct shell_call *c)
{
	struct json j;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		json_object(&j, NULL);
		json_summary(&j, vm);
		json_end(&j);
	}
	json_finish(&j);
}

static void list_row(struct shell_call *c, struct vm *vm)
{
	char memory[16], cpu[SHOW_MAX], up[SHOW_MAX];

	shell_out_printf(c->out, "%-31s %-8s %4u %9s %11s %11s\n", vm->cfg.name,
			 vm_state_name(vm->state), vm->cfg.cpus,
			 fmt_size(memory, sizeof(memory), vm->cfg.memory),
			 show_time(cpu, sizeof(cpu), clock_ticks_to_ns(vm_cpu_time(vm))),
			 !vm_is_up(vm) ? "-" : show_time(up, sizeof(up), cmd_vm_uptime(vm)));
}

static int list_locked(struct shell_call *c)
{
	if (shell_json(c)) {
		list_json(c);
	} else if (vm_next(NULL) == NULL) {
		shell_out_puts(c->out, "There are no VMs; help vm create says how to make one.\n");
	} else {
		shell_out_printf(c->out, "%-31s %-8s %4s %9s %11s %11s\n", "NAME", "STATE", "CPUS",
				 "MEMORY", "CPU TIME", "UPTIME");
		for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
			list_row(c, vm);
		}
	}
	return 0;
}

static int cmd_list(struct shell_call *c)
{
	return cmd_vm_locked(c, list_locked);
}

/* ---- info ---- */

/* Does any vCPU's guest code use the i-th paravirtual interface? NULL behind the last. */
static const char *paravirt(const struct vm *vm, unsigned int i, bool *used)
{
	const char *name = NULL;
	bool here = false;

	*used = false;
	for (unsigned int cpu = 0; cpu < VM_CPUS_MAX && vm_is_up(vm); cpu++) {
		if (vm->vcpus[cpu] != NULL) {
			name = hvm_paravirt(vm->vcpus[cpu], i, &here);
			*used = *used || (name != NULL && here);
		}
	}
	return name;
}

static void paravirt_json(struct json *j, const struct vm *vm)
{
	const char *name;
	bool used;

	json_array(j, "paravirt");
	for (unsigned int i = 0; (name = paravirt(vm, i, &used)) != NULL; i++) {
		if (used) {
			json_string(j, NULL, name);
		}
	}
	json_end(j);
}

static void paravirt_print(struct shell_out *out, const struct vm *vm)
{
	const char *name;
	bool used, any = false;

	shell_out_puts(out, "paravirt  ");
	for (unsigned int i = 0; (name = paravirt(vm, i, &used)) != NULL; i++) {
		if (used) {
			shell_out_printf(out, " %s", name);
			any = true;
		}
	}
	shell_out_puts(out, any ? "\n" : " none in use\n");
}

static void vcpus_json(struct json *j, const struct vm *vm)
{
	json_array(j, "vcpus");
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		const struct vcpu *v = vm->vcpus[i];

		if (v != NULL) {
			json_object(j, NULL);
			json_u64(j, "id", v->id);
			json_string(j, "state", vcpu_state_name(v));
			json_u64(j, "exits", v->exits);
			json_end(j);
		}
	}
	json_end(j);
}

static void vcpus_print(struct shell_out *out, const struct vm *vm)
{
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		const struct vcpu *v = vm->vcpus[i];

		if (v != NULL) {
			shell_out_printf(out, "vcpu %-2u    %s, %lu exits\n", v->id,
					 vcpu_state_name(v), v->exits);
		}
	}
}

/* What the guest has, was asked to have, and what the host has for it. */
static void memory_json(struct json *j, struct vm *vm)
{
	struct virtio_balloon_info info;

	json_u64(j, "memory_held", gpa_space_held(&vm->mem));
	if (virtio_balloon_look(vm, &info) != 0) {
		return;
	}
	json_object(j, "balloon");
	json_bool(j, "driver", info.driver);
	json_u64(j, "target", info.target);
	json_u64(j, "actual", info.actual);
	json_u64(j, "given", gpa_balloon_size(&vm->mem));
	if (info.free != VIRTIO_BALLOON_UNKNOWN) {
		json_u64(j, "guest_free", info.free);
	}
	if (info.available != VIRTIO_BALLOON_UNKNOWN) {
		json_u64(j, "guest_available", info.available);
	}
	json_end(j);
}

static void memory_print(struct shell_out *out, struct vm *vm)
{
	struct virtio_balloon_info info;
	char a[16], b[16], held[16];

	if (virtio_balloon_look(vm, &info) != 0) {
		return;
	}
	if (!info.driver) {
		shell_out_puts(out, "balloon    not driven by the guest\n");
		return;
	}
	shell_out_printf(out, "balloon    guest asked to have %s, has %s; %s of the host's\n",
			 fmt_size(a, sizeof(a), info.target), fmt_size(b, sizeof(b), info.actual),
			 fmt_size(held, sizeof(held), gpa_space_held(&vm->mem)));
	if (info.available != VIRTIO_BALLOON_UNKNOWN) {
		shell_out_printf(out, "           it says that %s are available there\n",
				 fmt_size(a, sizeof(a), info.available));
	}
}

/* Ticks of the host's TSC; the guest's reads as much more as tsc_offset says. */
static void window_json(struct json *j, const struct vm *vm)
{
	const struct sched_window *w = &vm->share.window;

	if (w->frame != 0) {
		json_object(j, "window");
		json_u64(j, "frame", w->frame);
		json_u64(j, "start", w->start);
		json_u64(j, "length", w->length);
		json_i64(j, "tsc_offset", (int64_t)vm->tsc_offset);
		json_end(j);
	}
}

static void window_print(struct shell_out *out, const struct vm *vm)
{
	const struct sched_window *w = &vm->share.window;
	char start[SHOW_MAX], length[SHOW_MAX], frame[SHOW_MAX];

	if (w->frame != 0) {
		shell_out_printf(out, "window     %s long, %s behind the beginning of each %s\n",
				 show_time(length, sizeof(length), clock_ticks_to_ns(w->length)),
				 show_time(start, sizeof(start), clock_ticks_to_ns(w->start)),
				 show_time(frame, sizeof(frame), clock_ticks_to_ns(w->frame)));
	}
}

static void info_json(struct shell_call *c, struct vm *vm)
{
	struct json j;

	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_u64(&j, "id", vm->id);
	json_summary(&j, vm);
	json_string(&j, "crash_reason", vm->crash_reason[0] != '\0' ? vm->crash_reason : NULL);
	json_u64(&j, "starts", vm->starts);
	if (vm_is_up(vm)) {
		memory_json(&j, vm);
		window_json(&j, vm);
		vcpus_json(&j, vm);
	}
	paravirt_json(&j, vm);
	cmd_disk_json(&j, vm);
	cmd_nic_json(&j, vm);
	cmd_vm_pci_json(&j, vm);
	json_object(&j, "config");
	config_json_vm(&vm->cfg, &j);
	json_finish(&j);
}

/* The state that it crashed in, if it ever did: the text stays until it crashes again. */
static void dump_print(struct shell_out *out, const struct vm *vm)
{
	const struct vm_dump *d = vm->dump;

	if (d != NULL) {
		shell_out_puts(out, "\nstate at the last crash:\n");
		shell_out_write(out, d->text, d->len);
	}
}

static void helped_print(struct shell_out *out, const struct vm *vm)
{
	uint64_t ticks = __atomic_load_n(&vm->share.helped, __ATOMIC_RELAXED);
	char text[SHOW_MAX];

	if (ticks != 0) {
		shell_out_printf(out, "for it     %s of other threads: to make, save and end it\n",
				 show_time(text, sizeof(text), clock_ticks_to_ns(ticks)));
	}
}

static int info_locked(struct shell_call *c, struct vm *vm)
{
	char size[16], text[SHOW_MAX];

	if (shell_json(c)) {
		info_json(c, vm);
		return 0;
	}
	shell_out_printf(c->out, "state      %s\n", vm_state_name(vm->state));
	if (vm->crash_reason[0] != '\0') {
		shell_out_printf(c->out, "crash      %s\n", vm->crash_reason);
	}
	shell_out_printf(c->out, "memory     %s, %s\n",
			 fmt_size(size, sizeof(size), vm->cfg.memory),
			 vm_is_off(vm) ? "not allocated while stopped" : "allocated");
	if (vm_is_up(vm)) {
		memory_print(c->out, vm);
		shell_out_printf(c->out, "uptime     %s\n",
				 show_time(text, sizeof(text), cmd_vm_uptime(vm)));
	}
	shell_out_printf(c->out, "cpu time   %s\n",
			 show_time(text, sizeof(text), clock_ticks_to_ns(vm_cpu_time(vm))));
	helped_print(c->out, vm);
	shell_out_printf(c->out, "starts     %lu\n", vm->starts);
	if (vm_is_up(vm)) {
		window_print(c->out, vm);
		vcpus_print(c->out, vm);
		paravirt_print(c->out, vm);
	}
	cmd_disk_print(c->out, vm);
	cmd_nic_print(c->out, vm);
	cmd_vm_pci_print(c->out, vm);
	shell_out_puts(c->out, "\n");
	config_write_vm(&vm->cfg, c->out);
	dump_print(c->out, vm);
	return 0;
}

static int cmd_info(struct shell_call *c)
{
	return cmd_vm_with(c, info_locked);
}

/* ---- stats ---- */

struct stats { /* of all vCPUs of a VM; row by exit reason */
	const char *const *names;
	unsigned int rows;
	uint64_t exits, ticks;
	uint8_t order[VCPU_EXIT_REASONS]; /* reasons seen, most ticks first */
};

static struct vcpu_exit_stat stat_of(const struct vm *vm, unsigned int reason)
{
	struct vcpu_exit_stat sum = { 0 };

	if (!vm_is_up(vm)) {
		return vm->last_stats[reason];
	}
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		if (vm->vcpus[i] != NULL) {
			sum.count += vm->vcpus[i]->stats[reason].count;
			sum.ticks += vm->vcpus[i]->stats[reason].ticks;
		}
	}
	return sum;
}

static void add_row(struct stats *s, const struct vm *vm, unsigned int reason)
{
	struct vcpu_exit_stat stat = stat_of(vm, reason);
	unsigned int at = s->rows;

	if (stat.count == 0) {
		return;
	}
	s->exits += stat.count;
	s->ticks += stat.ticks;
	for (; at > 0 && stat_of(vm, s->order[at - 1]).ticks < stat.ticks; at--) {
		s->order[at] = s->order[at - 1];
	}
	s->order[at] = (uint8_t)reason;
	s->rows++;
}

static void collect(struct stats *s, const struct vm *vm)
{
	memset(s, 0, sizeof(*s));
	s->names = vm->exit_names;
	for (unsigned int i = 0; i < VM_CPUS_MAX && vm_is_up(vm); i++) {
		s->names = vm->vcpus[i] != NULL ? vm->vcpus[i]->exit_names : s->names;
	}
	for (unsigned int r = 0; r < VCPU_EXIT_REASONS; r++) {
		add_row(s, vm, r);
		thread_checkpoint();
	}
}

static const char *reason_name(const struct stats *s, unsigned int reason)
{
	const char *name = s->names != NULL ? s->names[reason] : NULL;

	return name != NULL ? name : "(unknown)";
}

static void stats_json(struct shell_call *c, const struct vm *vm, const struct stats *s)
{
	struct json j;

	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_string(&j, "name", vm->cfg.name);
	json_string(&j, "state", vm_state_name(vm->state));
	json_u64(&j, "started_ticks", vm->started);
	json_u64(&j, "entered_ticks", vm->entered);
	json_u64(&j, "exits", s->exits);
	json_u64(&j, "ticks", s->ticks);
	json_array(&j, "reasons");
	for (unsigned int i = 0; i < s->rows; i++) {
		struct vcpu_exit_stat stat = stat_of(vm, s->order[i]);

		json_object(&j, NULL);
		json_u64(&j, "number", s->order[i]);
		json_string(&j, "name", reason_name(s, s->order[i]));
		json_u64(&j, "count", stat.count);
		json_u64(&j, "ticks", stat.ticks);
		json_end(&j);
	}
	json_finish(&j);
}

static int stats_locked(struct shell_call *c, struct vm *vm)
{
	char share[SHOW_MAX];
	struct stats s;

	collect(&s, vm);
	if (shell_json(c)) {
		stats_json(c, vm, &s);
		return 0;
	}
	if (!vm_is_up(vm)) {
		shell_out_printf(c->out, "%s is %s; these are of its last run.\n", vm->cfg.name,
				 vm_state_name(vm->state));
	}
	shell_out_printf(c->out, "%-24s %12s %16s %10s %7s\n", "EXIT REASON", "COUNT", "TICKS",
			 "PER EXIT", "SHARE");
	for (unsigned int i = 0; i < s.rows; i++) {
		struct vcpu_exit_stat stat = stat_of(vm, s.order[i]);

		shell_out_printf(c->out, "%-24s %12lu %16lu %10lu %6s%%\n",
				 reason_name(&s, s.order[i]), stat.count, stat.ticks,
				 stat.count > 0 ? stat.ticks / stat.count : 0,
				 show_percent(share, sizeof(share), stat.ticks, s.ticks));
	}
	shell_out_printf(c->out, "%-24s %12lu %16lu %10lu\n", "all", s.exits, s.ticks,
			 s.exits > 0 ? s.ticks / s.exits : 0);
	return 0;
}

static int cmd_stats(struct shell_call *c)
{
	return cmd_vm_with(c, stats_locked);
}

static const struct shell_cmd cmds[] = {
	{ "vm", "list", "[--json]", "state, memory, CPU time and uptime of all VMs", cmd_list },
	{ "vm", "info", "VM [--json]", "state, memory, devices, settings, last crash", cmd_info },
	{ "vm", "stats", "VM [--json]",
	  "VM exits by reason: how many, how long\n"
	  "TICKS are of the time stamp counter, from the exit to the next entry; SHARE is\n"
	  "of all ticks spent outside the guest.",
	  cmd_stats },
	{ "vm", "console", "VM [--port PORT] [--size SIZE]",
	  "join a guest's serial port; Ctrl-] comes back\n"
	  "--port 1 joins its virtio console (hvc0 in Linux) instead; --size 132x43 tells\n"
	  "the guest that your terminal has 132 columns and 43 rows.\n"
	  "Shows the recent output first. The guest runs on, and its output is kept, while\n"
	  "nobody looks.",
	  cmd_vm_console },
};

const struct shell_table cmd_vm_info_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
