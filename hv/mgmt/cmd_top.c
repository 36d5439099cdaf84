/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns top: a table of VMs and threads with what they used since the last look. */
/* Reads counters only; samples once a second while somebody looks. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/show.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "version.h"

#define PERIOD_NS   1000000000ul
#define FIRST_NS    250000000ul
#define THREADS_MAX 128u
#define ROWS_MAX    20u /* of VMs, and of threads: a screen of 24 lines shows most of it */

struct vm_sample {
	uint16_t id;
	char name[VM_NAME_MAX];
	enum vm_state state;
	uint64_t memory, time, exits;
};

struct thread_sample {
	uint16_t id;
	unsigned int cpu;
	enum thread_state state;
	char name[24];
	uint64_t time;
};

struct sample {
	uint64_t at; /* ticks */
	unsigned int vm_count, thread_count;
	struct vm_sample vms[CONFIG_VMS_MAX];
	struct thread_sample threads[THREADS_MAX];
};

/* ---- taking one ---- */

static uint64_t exits_of(const struct vm *vm)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VM_CPUS_MAX && vm_is_up(vm); i++) {
		sum += vm->vcpus[i] != NULL ? vm->vcpus[i]->exits : 0;
	}
	return sum;
}

static void take_vms(struct sample *s)
{
	s->vm_count = 0;
	vm_list_lock();
	for (struct vm *vm = vm_next(NULL); vm != NULL && s->vm_count < CONFIG_VMS_MAX;
	     vm = vm_next(vm)) {
		struct vm_sample *v = &s->vms[s->vm_count++];

		v->id = vm->id;
		string_copy(v->name, vm->cfg.name, sizeof(v->name));
		v->state = vm->state;
		v->memory = vm->cfg.memory;
		v->time = vm_cpu_time(vm);
		v->exits = exits_of(vm);
	}
	vm_list_unlock();
}

static void take_thread(struct thread *t, void *arg)
{
	struct sample *s = arg;
	struct thread_sample *sample;

	if (s->thread_count < THREADS_MAX) {
		sample = &s->threads[s->thread_count++];
		sample->id = t->id;
		sample->cpu = t->cpu;
		sample->state = t->state;
		sample->time = thread_time(t);
		string_copy(sample->name, t->name, sizeof(sample->name));
	}
}

static void take(struct sample *s)
{
	s->at = clock_now();
	take_vms(s);
	s->thread_count = 0;
	thread_for_each(take_thread, s);
}

/* ---- showing the difference of two ---- */

static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0; /* a VM that was restarted counts from 0 */
}

static const struct vm_sample *vm_before(const struct sample *s, uint16_t id)
{
	for (unsigned int i = 0; i < s->vm_count; i++) {
		if (s->vms[i].id == id) {
			return &s->vms[i];
		}
	}
	return NULL;
}

static uint64_t thread_before(const struct sample *s, uint16_t id)
{
	for (unsigned int i = 0; i < s->thread_count; i++) {
		if (s->threads[i].id == id) {
			return s->threads[i].time;
		}
	}
	return 0;
}

static void show_vm(struct shell_out *out, const struct vm_sample *v, const struct vm_sample *was,
		    uint64_t ticks)
{
	uint64_t exits = since(v->exits, was != NULL ? was->exits : 0);
	uint64_t ms = clock_ticks_to_ns(ticks) / 1000000;
	char percent[SHOW_MAX], time[SHOW_MAX], memory[16];

	shell_out_printf(
		out, "%-31s %-8s %6s%% %9lu %9s %10s\x1b[K\n", v->name, vm_state_name(v->state),
		show_percent(percent, sizeof(percent), since(v->time, was != NULL ? was->time : 0),
			     ticks),
		ms > 0 ? exits * 1000 / ms : 0, fmt_size(memory, sizeof(memory), v->memory),
		show_time(time, sizeof(time), clock_ticks_to_ns(v->time)));
}

static void show_thread(struct shell_out *out, const struct thread_sample *t, uint64_t was,
			uint64_t ticks)
{
	static const char *const states[] = {
		[THREAD_RUNNABLE] = "ready",
		[THREAD_RUNNING] = "running",
		[THREAD_PARKED] = "asleep",
		[THREAD_DEAD] = "dead",
	};
	char percent[SHOW_MAX], time[SHOW_MAX];

	shell_out_printf(out, "%-31s %-8s %6s%% %9u %20s\x1b[K\n", t->name, states[t->state],
			 show_percent(percent, sizeof(percent), since(t->time, was), ticks), t->cpu,
			 show_time(time, sizeof(time), clock_ticks_to_ns(t->time)));
}

static void show_head(struct shell_out *out, const struct sample *s)
{
	char up[SHOW_MAX], free[16], total[16];
	struct page_stats mem;

	page_stats(&mem);
	shell_out_printf(out, "\x1b[HInsula %s, up %s, %u CPU%s, %s of %s free; q quits\x1b[K\n",
			 INSULA_VERSION, show_time(up, sizeof(up), clock_ticks_to_ns(s->at)),
			 cpu_count(), cpu_count() == 1 ? "" : "s",
			 fmt_size(free, sizeof(free), mem.free),
			 fmt_size(total, sizeof(total), mem.total));
}

static void show(struct shell_out *out, const struct sample *s, const struct sample *was)
{
	uint64_t ticks = s->at - was->at;

	show_head(out, s);
	shell_out_printf(out, "\n%-31s %-8s %7s %9s %9s %10s\x1b[K\n", "VM", "STATE", "CPU",
			 "EXITS/S", "MEMORY", "CPU TIME");
	for (unsigned int i = 0; i < s->vm_count && i < ROWS_MAX; i++) {
		show_vm(out, &s->vms[i], vm_before(was, s->vms[i].id), ticks);
	}
	shell_out_printf(out, "\x1b[K\n%-31s %-8s %7s %9s %20s\x1b[K\n", "THREAD", "STATE", "CPU",
			 "ON CPU", "CPU TIME");
	for (unsigned int i = 0; i < s->thread_count && i < ROWS_MAX; i++) {
		show_thread(out, &s->threads[i], thread_before(was, s->threads[i].id), ticks);
	}
	shell_out_puts(out, "\x1b[J");
}

/* ---- the command ---- */

/* Sleeps ns; true if q or Ctrl-C was typed meanwhile. */
static bool sleep_or_quit(struct shell_call *c, uint64_t ns)
{
	const struct shell_io *io = c->sh->io;
	uint64_t end = clock_now() + clock_ns_to_ticks(ns), now;
	char key;

	while ((now = clock_now()) < end) {
		while (io->read(io->arg, &key, 1) == 1) {
			if (key == 'q' || key == 'Q' || key == SHELL_CTRL_C) {
				return true;
			}
		}
		shell_wait(c, clock_ticks_to_ns(end - now));
	}
	return false;
}

static int cmd_top(struct shell_call *c)
{
	const struct shell_io *io = c->sh->io;
	struct sample *was = heap_alloc(sizeof(*was)), *now = heap_alloc(sizeof(*now));
	uint64_t period = FIRST_NS;

	if (was == NULL || now == NULL) {
		heap_free(was);
		heap_free(now);
		return shell_error(c, "out of memory");
	}
	shell_out_puts(c->out, "\x1b[H\x1b[2J");
	io->terminal(io->arg, SHELL_SCREEN);
	take(was);
	while (!sleep_or_quit(c, period)) {
		struct sample *swap = was;

		take(now);
		show(c->out, now, was);
		was = now;
		now = swap;
		period = PERIOD_NS;
	}
	io->terminal(io->arg, SHELL_LINES);
	heap_free(was);
	heap_free(now);
	return 0;
}

static const struct shell_cmd cmds[] = {
	{ "top", "", "", "what VMs and threads use, live; q quits", cmd_top },
};

const struct shell_table cmd_top_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
