/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs, pauses and ends the threads that work for a VM's devices. */
/* Knows no device. */
#include "hv/vm_worker.h"

#include "arch/cpu.h"
#include "hv/lib/fmt.h"
#include "hv/thread.h"
#include "hv/vm.h"

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(bool *flag, bool val)
{
	__atomic_store_n(flag, val, __ATOMIC_SEQ_CST);
}

static bool may_work(const struct vm_worker *w)
{
	return is_set(&w->wanted) && !is_set(&w->vm->workers_hold);
}

/* Who pauses the VM sets the hold and then looks at busy; here it is the other way round. */
static void work_once(struct vm_worker *w)
{
	set(&w->busy, true);
	if (may_work(w)) {
		set(&w->wanted, false);
		w->brought = 0;
		w->work(w->dev);
	}
	set(&w->busy, false);
}

static void body(void *arg)
{
	struct vm_worker *w = arg;

	while (!vm_worker_is_ending(w)) {
		if (may_work(w)) {
			work_once(w);
			thread_checkpoint();
		} else {
			thread_park();
		}
	}
}

static void switched_in(void *arg)
{
	cpu_work_for(((struct vm_worker *)arg)->vm->id);
}

int vm_worker_start(struct vm_worker *w, struct vm *vm, const char *name, void (*work)(void *dev),
		    void *dev)
{
	char text[VM_NAME_MAX + 16];
	const struct thread_params p = {
		.name = text,
		.body = body,
		.arg = w,
		.weight = vm->cfg.weight,
		.group = &vm->share,
		.cpus = vm->cfg.pin,
		.space = &vm->mem.root,
		.switched_in = switched_in,
	};
	int err;

	fmt_snprintf(text, sizeof(text), "%s/%s", vm->cfg.name, name);
	w->vm = vm;
	w->work = work;
	w->dev = dev;
	err = thread_create(&w->thread, &p);
	if (err != 0) {
		w->thread = NULL;
		return err;
	}
	list_push_back(&vm->workers, &w->node);
	return 0;
}

void vm_worker_stop(struct vm_worker *w)
{
	if (w->thread == NULL) {
		return;
	}
	set(&w->ending, true);
	thread_unpark(w->thread);
	thread_wait(w->thread);
	w->vm->cpu_time += thread_time(w->thread);
	list_remove(&w->node);
	thread_join(w->thread);
	w->thread = NULL;
}

void vm_worker_wake(struct vm_worker *w)
{
	set(&w->wanted, true);
	thread_unpark(w->thread);
}

struct vm_worker *vm_worker_current(void)
{
	struct thread *t = thread_current();

	return t->p.body == body ? t->p.arg : NULL;
}

bool vm_worker_all_rest(const struct vm *vm)
{
	struct list_node *n;
	bool rest = true;

	list_for_each (n, &vm->workers) {
		rest = rest && !is_set(&container_of(n, struct vm_worker, node)->busy);
	}
	return rest;
}

void vm_worker_wake_all(struct vm *vm)
{
	struct list_node *n;

	list_for_each (n, &vm->workers) {
		thread_unpark(container_of(n, struct vm_worker, node)->thread);
	}
}

uint64_t vm_worker_time(const struct vm *vm)
{
	uint64_t time = 0;
	struct list_node *n;

	list_for_each (n, &vm->workers) {
		time += thread_time(container_of(n, struct vm_worker, node)->thread);
	}
	return time;
}
