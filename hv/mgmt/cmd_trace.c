/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns trace: the flight recorder's last records of all CPUs, in order, in words. */
/* Recording goes on while it prints; a record overwritten meanwhile shows as it then is. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "hv/base/heap.h"
#include "hv/base/trace.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/thread.h"
#include "hv/vm.h"

#define DEFAULT_COUNT 20u

struct entry {
	struct trace_record r;
	unsigned int cpu;
};

/* ---- collecting ---- */

/* The nth last record of a ring (from 1); false if there is none. */
static bool ring_get(const struct trace_ring *ring, unsigned int n, struct trace_record *out)
{
	uint32_t next = __atomic_load_n(&ring->next, __ATOMIC_RELAXED);

	if (ring->rec == NULL || n > TRACE_RECORDS) {
		return false;
	}
	*out = ring->rec[(next - n) & (TRACE_RECORDS - 1)];
	return out->kind != TRACE_NONE;
}

/* The newest record not yet taken of any CPU; pos counts what was taken of each. */
static bool take_newest(unsigned int pos[CPU_MAX], struct entry *out)
{
	struct trace_record r;
	bool any = false;

	for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++) {
		if (ring_get(&trace_rings[cpu], pos[cpu] + 1, &r) && (!any || r.tsc > out->r.tsc)) {
			out->r = r;
			out->cpu = cpu;
			any = true;
		}
	}
	if (any) {
		pos[out->cpu]++;
	}
	return any;
}

/* Fills list from its end with the newest of all CPUs; the first index in use is returned. */
static unsigned int collect(struct entry *list, unsigned int count)
{
	unsigned int pos[CPU_MAX] = { 0 };
	unsigned int first = count;

	while (first > 0 && take_newest(pos, &list[first - 1])) {
		first--;
		thread_checkpoint();
	}
	return first;
}

/* ---- in words ---- */

static const struct vm *vm_by_id(unsigned int id)
{
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (vm->id == id) {
			return vm;
		}
	}
	return NULL;
}

static const char *exit_name(const struct vm *vm, unsigned int vcpu, unsigned int reason)
{
	const char *const *names = vm != NULL ? vm->exit_names : NULL;

	if (vm != NULL && vm_is_up(vm) && vcpu < VM_CPUS_MAX && vm->vcpus[vcpu] != NULL) {
		names = vm->vcpus[vcpu]->exit_names;
	}
	return names != NULL && reason < VCPU_EXIT_REASONS ? names[reason] : NULL;
}

struct name_search {
	uint16_t id;
	char name[24];
};

static void match_thread(struct thread *t, void *arg)
{
	struct name_search *s = arg;

	if (t->id == s->id) {
		string_copy(s->name, t->name, sizeof(s->name));
	}
}

static const char *thread_name(struct name_search *s, uint16_t id)
{
	s->id = id;
	fmt_snprintf(s->name, sizeof(s->name), "thread %u", id);
	thread_for_each(match_thread, s);
	return s->name;
}

static void decode_exit(const struct entry *e, char *buf, size_t size)
{
	const struct vm *vm = vm_by_id(e->r.vcpu >> 16);
	const char *name = exit_name(vm, e->r.vcpu & 0xffff, e->r.code);
	char number[16];

	fmt_snprintf(number, sizeof(number), "exit %u", e->r.code);
	fmt_snprintf(buf, size, "%s/%u %s rip %lx qual %x took %u", vm != NULL ? vm->cfg.name : "?",
		     e->r.vcpu & 0xffff, name != NULL ? name : number, e->r.a, e->r.b, e->r.took);
}

static void decode_switch(const struct entry *e, char *buf, size_t size)
{
	struct name_search to, from;

	fmt_snprintf(buf, size, "%s -> %s", thread_name(&from, (uint16_t)e->r.b),
		     thread_name(&to, e->r.code));
}

static void decode_irq(const struct entry *e, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "vector %xh", e->r.code);
}

static void decode_wake(const struct entry *e, char *buf, size_t size)
{
	struct name_search s;

	string_copy(buf, thread_name(&s, e->r.code), size);
}

static void decode_inject(const struct entry *e, char *buf, size_t size)
{
	const struct vm *vm = vm_by_id(e->r.vcpu >> 16);

	fmt_snprintf(buf, size, "%s/%u vector %xh info %x", vm != NULL ? vm->cfg.name : "?",
		     e->r.vcpu & 0xffff, e->r.code, e->r.b);
}

static const struct {
	const char *name;
	void (*decode)(const struct entry *e, char *buf, size_t size);
} kinds_of_record[] = {
	[TRACE_EXIT] = { "exit", decode_exit },	      [TRACE_SWITCH] = { "switch", decode_switch },
	[TRACE_IRQ] = { "irq", decode_irq },	      [TRACE_WAKE] = { "wake", decode_wake },
	[TRACE_INJECT] = { "inject", decode_inject },
};

/* The kind's name; the rest in buf. The VM list is locked for the names only: printing may take long. */
static const char *decode(const struct entry *e, char *buf, size_t size)
{
	buf[0] = '\0';
	if (e->r.kind >= ARRAY_SIZE(kinds_of_record) || kinds_of_record[e->r.kind].decode == NULL) {
		return "?";
	}
	vm_list_lock();
	kinds_of_record[e->r.kind].decode(e, buf, size);
	vm_list_unlock();
	return kinds_of_record[e->r.kind].name;
}

static void show(struct shell_call *c, const struct entry *e)
{
	uint64_t us = clock_ticks_to_ns(e->r.tsc) / 1000;
	char text[160];
	const char *name = decode(e, text, sizeof(text));

	shell_out_printf(c->out, "[%5lu.%06lu] %2u %-6s %s\n", us / 1000000, us % 1000000, e->cpu,
			 name, text);
}

static int show_json(struct shell_call *c, struct entry *list, unsigned int count)
{
	unsigned int i = collect(list, count);
	struct json j;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	for (; i < count; i++) {
		char text[160];

		json_object(&j, NULL);
		json_u64(&j, "time_ns", clock_ticks_to_ns(list[i].r.tsc));
		json_u64(&j, "cpu", list[i].cpu);
		json_string(&j, "kind", decode(&list[i], text, sizeof(text)));
		json_string(&j, "text", text);
		json_end(&j);
	}
	json_finish(&j);
	return 0;
}

static int show_last(struct shell_call *c, struct entry *list, unsigned int count)
{
	unsigned int i = collect(list, count);
	int err = 0;

	if (i == count) {
		shell_out_puts(c->out, "Nothing has been recorded yet.\n");
	}
	for (; i < count && err == 0; i++) {
		show(c, &list[i]);
		if (shell_interrupted(c)) {
			err = shell_error(c, "interrupted");
		}
	}
	return err;
}

static int cmd_trace(struct shell_call *c)
{
	uint64_t count = DEFAULT_COUNT;
	struct entry *list;
	int err;

	if (c->argc > 0 &&
	    (string_to_u64(c->argv[0], &count) != 0 || count == 0 || count > TRACE_RECORDS)) {
		return shell_error(c, "found \"%.20s\", allowed: 1 to %u records", c->argv[0],
				   TRACE_RECORDS);
	}
	list = heap_alloc(count * sizeof(*list));
	if (list == NULL) {
		return shell_error(c, "out of memory");
	}
	err = shell_json(c) ? show_json(c, list, (unsigned int)count)
			    : show_last(c, list, (unsigned int)count);
	heap_free(list);
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "trace", "", "[COUNT] [--json]",
	  "the last exits, switches and interrupts\n"
	  "COUNT is 1 to 1024 records (20 if not given), oldest first. A line: time,\n"
	  "CPU, kind; of an exit the vCPU, reason, guest RIP, qualification, ticks taken.",
	  cmd_trace },
};

const struct shell_table cmd_trace_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
