/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns vm save: from a VM into a file in a store. */
/* What is in the file is hv/save_vm.c's; the way back is cmd_vm_restore.c's. */
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

/* ---- the file ---- */

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

static const struct shell_cmd cmds[] = {
	{ "vm", "save", "VM FILE [--stop]",
	  "write a VM, as it stands, into a file\n"
	  "FILE is STORE:FILE, ram:web1 for example, and must not exist. A running VM stands\n"
	  "still meanwhile and then goes on; a paused one stays paused; --stop stops it once\n"
	  "the file is whole. What was typed and not yet taken by the guest is not saved.\n"
	  "Ctrl-C stops: then there is no file. store print takes it out of the machine.",
	  cmd_save },
};

const struct shell_table cmd_vm_save_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
