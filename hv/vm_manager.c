/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests ask for: events raised by their vCPUs, carried out by a thread; restart policy. */
/* How a VM is stopped and started is vm_life.c's. */
#include "hv/vm_manager.h"

#include "arch/clock.h"
#include "hv/base/log.h"
#include "hv/lib/fmt.h"
#include "hv/thread.h"
#include "hv/vm_job.h"
#include "hv/vm_life.h"

#define SECOND_NS	1000000000ul
#define HASTY_NS	SECOND_NS /* a guest that ends sooner waits as long for its next start */
#define CRASH_LOOP_NS	(60 * SECOND_NS) /* a crash sooner after the start is one more in a row */
#define CRASHES_IN_LOOP 5u		 /* restarts in a row; then it stays as it is */

static struct thread *manager;

void vm_manager_wake(void)
{
	if (manager != NULL) {
		thread_unpark(manager);
	}
}

/* ---- raised by vCPUs ---- */

/* True if ev is the first: the vCPUs stop, the manager will act. */
static bool raise_event(struct vm *vm, enum vm_event ev)
{
	enum vm_event none = VM_EVENT_NONE;

	if (!__atomic_compare_exchange_n(&vm->event, &none, ev, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		return false;
	}
	vm_request_all(vm, VCPU_REQ_STOP);
	vm_manager_wake();
	return true;
}

void vm_poweroff(struct vm *vm)
{
	raise_event(vm, VM_EVENT_POWEROFF);
}

void vm_request_reset(struct vm *vm)
{
	raise_event(vm, VM_EVENT_RESET);
}

void vm_request_pause(struct vm *vm)
{
	__atomic_store_n(&vm->pause_wanted, true, __ATOMIC_SEQ_CST);
	vm_manager_wake();
}

void vm_crash(struct vm *vm, const char *fmt, ...)
{
	struct vcpu *v = vcpu_current();
	va_list ap;

	if (!raise_event(vm, VM_EVENT_CRASH)) {
		return;
	}
	va_start(ap, fmt);
	fmt_vsnprintf(vm->crash_reason, sizeof(vm->crash_reason), fmt, ap);
	va_end(ap);
	log_printf(LOG_GUEST, "vm %s: crashed: %s", vm->cfg.name, vm->crash_reason);
	vm->crashed_on = v != NULL && v->vm == vm ? v : NULL;
}

/* ---- carried out ---- */

/* One that ends soon after each start must not keep the host busy, nor fill its log. */
static void start_again_in(struct vm *vm, uint64_t ns)
{
	vm->start_at = clock_now() + clock_ns_to_ticks(ns);
	vm->state = VM_STARTING;
}

static bool ran_at_least(const struct vm *vm, uint64_t ns)
{
	return clock_now() - vm->started >= clock_ns_to_ticks(ns);
}

/* A guest that never gets far is given up. */
static bool restarts_after_crash(struct vm *vm)
{
	if (vm->cfg.on_crash != VM_ON_CRASH_RESTART) {
		return false;
	}
	if (ran_at_least(vm, CRASH_LOOP_NS)) {
		vm->crashes = 0;
	}
	if (vm->crashes == CRASHES_IN_LOOP) {
		log_printf(LOG_GUEST, "vm %s: crashed %u times soon after its start: it stays off",
			   vm->cfg.name, vm->crashes + 1);
		vm->crashes = 0;
		return false;
	}
	return true;
}

static int act_on_event(struct vm *vm, const char **why UNUSED)
{
	enum vm_event ev = __atomic_load_n(&vm->event, __ATOMIC_SEQ_CST);

	bool again = ev == VM_EVENT_RESET || (ev == VM_EVENT_CRASH && restarts_after_crash(vm));

	(again ? vm_life_end_for_now : vm_life_end)(vm,
						    ev == VM_EVENT_CRASH ? VM_CRASHED : VM_STOPPED);
	if (ev == VM_EVENT_POWEROFF) {
		log_printf(LOG_INFO, "vm %s: powered off", vm->cfg.name);
	} else if (ev == VM_EVENT_RESET) {
		log_printf(LOG_INFO, "vm %s: reset by its guest", vm->cfg.name);
		start_again_in(vm, ran_at_least(vm, HASTY_NS) ? 0 : HASTY_NS);
	} else if (again) { /* waits longer from crash to crash */
		start_again_in(vm, HASTY_NS << vm->crashes);
		vm->crashes++;
	}
	return 0;
}

/* Unlike a start that somebody asked for this is one more try: the crashes in a row count on. */
static int start_again(struct vm *vm, const char **why)
{
	unsigned int crashes = vm->crashes;
	int err;

	vm->start_at = 0;
	vm->state = VM_STOPPED;
	err = vm_life_start(vm, why);
	vm->crashes = crashes;
	if (err != 0) {
		log_printf(LOG_HOST, "vm %s: not started again: %s", vm->cfg.name, *why);
	}
	return err;
}

static bool is_due(const struct vm *vm)
{
	return vm->start_at != 0 && clock_now() >= vm->start_at;
}

/* In a thread of its own; here, and others wait, when there is no memory for one. */
static void carry_out(struct vm *vm, const char *doing, vm_op_fn *op)
{
	const char *why = "no reason given";

	if (vm_claim(vm, doing, &why) == 0 && !vm_job_run(vm, op)) {
		op(vm, &why);
		vm_release(vm);
	}
}

/* Begins what vm needs; returns when it next wants to be looked at. */
static uint64_t look_at(struct vm *vm)
{
	const char *why;

	if (vm->doing != NULL) {
		return CLOCK_NEVER; /* its release wakes us */
	}
	if (__atomic_load_n(&vm->event, __ATOMIC_SEQ_CST) != VM_EVENT_NONE) {
		carry_out(vm, "being stopped", act_on_event);
	} else if (__atomic_exchange_n(&vm->pause_wanted, false, __ATOMIC_SEQ_CST)) {
		(void)vm_pause(vm, &why); /* of one that is not running any more nothing is left */
	} else if (is_due(vm)) {
		carry_out(vm, "being started", start_again);
	}
	return vm->doing == NULL && vm->start_at != 0 ? vm->start_at : CLOCK_NEVER;
}

static void manage(void *arg)
{
	(void)arg;
	for (;;) {
		uint64_t next = CLOCK_NEVER;

		vm_job_reap();
		vm_list_lock();
		for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
			next = u64_min(next, look_at(vm));
		}
		vm_list_unlock();
		if (next == CLOCK_NEVER) {
			thread_park();
		} else {
			thread_park_until(next);
		}
	}
}

int vm_manager_start(void)
{
	struct thread_params p = { .name = "vm-manager", .body = manage };

	vm_list_init();
	return thread_create(&manager, &p);
}
