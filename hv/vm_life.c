/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a VM: put together and started, paused, taken apart. */
/* Memory, devices and vCPUs each know how to make themselves; the order is here. */
#include "hv/vm_life.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm_dump.h"
#include "hv/vm_share.h"
#include "hv/vm_worker.h"

static vm_load_fn *loader;

void vm_set_loader(vm_load_fn *load)
{
	loader = load;
}

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

void vm_request_all(struct vm *vm, uint32_t bits)
{
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		if (vm->vcpus[i] != NULL) {
			vcpu_request(vm->vcpus[i], bits);
		}
	}
}

static void end_threads(struct vm *vm)
{
	uint64_t time = 0;

	vm_request_all(vm, VCPU_REQ_STOP);
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		struct vcpu *v = vm->vcpus[i];

		if (v != NULL && v->thread != NULL) {
			thread_wait(v->thread);
			time += thread_time(v->thread);
		}
	}
	vm->cpu_time = time;
}

/* What `vm stats` shows of a VM that is off. */
static void keep_stats(struct vm *vm, const struct vcpu *v)
{
	for (unsigned int r = 0; r < VCPU_EXIT_REASONS; r++) {
		vm->last_stats[r].count += v->stats[r].count;
		vm->last_stats[r].ticks += v->stats[r].ticks;
	}
	vm->exit_names = v->exit_names;
}

static void destroy_vcpus(struct vm *vm)
{
	memset(vm->last_stats, 0, sizeof(vm->last_stats));
	for (unsigned int i = VM_CPUS_MAX; i-- > 0;) {
		if (vm->vcpus[i] != NULL) {
			keep_stats(vm, vm->vcpus[i]);
			vcpu_destroy(vm->vcpus[i]);
			thread_checkpoint();
		}
	}
}

/*
 * Gives everything back; the VM's threads have ended. Devices go before the vCPUs: until then their
 * timers may fire on another CPU, and interrupt and wake a vCPU.
 */
static void take_apart(struct vm *vm)
{
	guest_console_set_input(&vm->console, NULL, NULL);
	guest_console_set_input(&vm->hvc, NULL, NULL);
	vdev_destroy_all(vm);
	thread_checkpoint();
	destroy_vcpus(vm);
	thread_checkpoint();
	hvm_vm_destroy(vm);
	thread_checkpoint();
	gpa_space_destroy(&vm->mem);
	if (!vm->keep_disks) {
		vm_disk_close_all(vm);
	}
}

/* Nobody looks at its parts once it is not up. */
void vm_life_end(struct vm *vm, enum vm_state state)
{
	vm->cpu_time = vm_cpu_time(vm); /* what others see until the threads have ended */
	vm->state = VM_STOPPING;
	vm_list_unlock();
	thread_work_for(&vm->share);
	thread_checkpoint();
	end_threads(vm);
	take_apart(vm);
	thread_work_for(NULL);
	vm_list_lock();
	vm_dump_keep(vm);
	vm->crashed_on = NULL;
	vm->event = VM_EVENT_NONE;
	vm->pause_wanted = false;
	vm->state = state;
}

/* Those of a VM that was to be started again, and is not; it is in `state` then. */
static void close_disks(struct vm *vm, enum vm_state state)
{
	vm->state = VM_STOPPING;
	vm_list_unlock();
	vm_disk_close_all(vm);
	vm_list_lock();
	vm->state = state;
}

void vm_life_end_for_now(struct vm *vm, enum vm_state state)
{
	vm->keep_disks = true;
	vm_life_end(vm, state);
	vm->keep_disks = false;
}

/* Why gpa_space_create failed with err. */
static const char *memory_lacks(struct vm *vm, int err)
{
	char needs[16], free[16];
	struct page_stats s;

	if (err != -ENOSPC) {
		return err == -E2BIG ? "free host memory is in too many pieces: stop other VMs"
				     : "not enough hypervisor memory to map its RAM";
	}
	page_stats(&s);
	fmt_snprintf(vm->why, sizeof(vm->why),
		     "not enough free host memory: it needs %s, %s are free",
		     fmt_size(needs, sizeof(needs), vm->cfg.memory),
		     fmt_size(free, sizeof(free), s.for_guests));
	return vm->why;
}

/* Memory, tables, devices, in that order; what was made is taken apart by the caller on failure. */
static int put_together(struct vm *vm, struct vcpu_start *start, const struct vm_source *src,
			const char **why)
{
	int err = gpa_space_create(&vm->mem, vm->cfg.memory);

	if (err != 0) {
		return fail(why, memory_lacks(vm, err), err);
	}
	err = hvm_vm_create(vm);
	if (err != 0) {
		return fail(why, "not enough hypervisor memory for its page tables", err);
	}
	thread_checkpoint();
	iobus_init(&vm->pio);
	iobus_init(&vm->mmio);
	memset(&vm->virq, 0, sizeof(vm->virq));
	err = vm_disk_open_all(vm, why);
	if (err != 0) {
		return err;
	}
	vm->why[0] = '\0'; /* a device that knows why puts it there */
	err = vdev_create_all(vm);
	if (err != 0) {
		return fail(why,
			    vm->why[0] != '\0' ? vm->why
					       : "a device could not be made (see host log)",
			    err);
	}
	thread_checkpoint();
	*why = "the loader gave no reason";
	return src != NULL ? src->memory(vm, src->arg, why) : loader(vm, start, why);
}

/* Workers first: a vCPU that rests has none begin a request. */
static void hold(struct vm *vm)
{
	__atomic_store_n(&vm->workers_hold, true, __ATOMIC_SEQ_CST);
	vm_request_all(vm, VCPU_REQ_PAUSE);
}

/*
 * A vCPU that goes on where it was addresses others from its first instruction: the pause holds each
 * until all have their threads.
 */
static int load_state(struct vm *vm, const struct vm_source *src, const char **why)
{
	hold(vm);
	return src->state(vm, src->arg, why);
}

static void end_pause(struct vm *vm)
{
	__atomic_store_n(&vm->workers_hold, false, __ATOMIC_SEQ_CST);
	vm_worker_wake_all(vm);
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		struct vcpu *v = vm->vcpus[i];

		if (v != NULL) {
			__atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_PAUSE,
					   __ATOMIC_SEQ_CST);
			vcpu_kick(v);
		}
	}
}

/* All are there before the first runs; the boot processor, the first to address others, comes last. */
static int start_vcpus(struct vm *vm, const struct vcpu_start *start, const struct vm_source *src,
		       const char **why)
{
	int err = 0;

	for (unsigned int i = 0; err == 0 && i < vm->cfg.cpus; i++) {
		err = vcpu_create(vm, i, start);
		thread_checkpoint();
	}
	if (err == 0 && src != NULL) {
		err = load_state(vm, src, why);
		if (err != 0) {
			return err;
		}
	}
	for (unsigned int i = vm->cfg.cpus; err == 0 && i-- > 0;) {
		err = vcpu_launch(vm->vcpus[i]);
		thread_checkpoint();
	}
	if (err == 0 && src != NULL && !src->paused) {
		end_pause(vm);
	}
	return err == 0 ? 0 : fail(why, "not enough hypervisor memory for its vCPUs", err);
}

/* Why a VM cannot start on this machine whatever its state is; 0 if it can. */
static int check_host(struct vm *vm, const char **why)
{
	if (hvm == NULL) {
		return fail(why,
			    "this machine has no usable hardware virtualization (see host info)",
			    -ENODEV);
	}
	return vm_share_admit(vm, why);
}

/* All that needs time; list not locked. */
static int make_all(struct vm *vm, const struct vm_source *src, const char **why)
{
	struct vcpu_start start = { 0 };
	int err = put_together(vm, &start, src, why);

	vm->started = clock_now();
	vm->entered = 0;
	vm->tsc_offset = 0 - vm->started;
	vm->tsc_hz = clock_hz();
	vm->tsc_differs = false;
	thread_checkpoint();
	return err == 0 ? start_vcpus(vm, &start, src, why) : err;
}

int vm_life_start(struct vm *vm, const char **why)
{
	return vm_life_start_from(vm, NULL, why);
}

int vm_life_start_from(struct vm *vm, const struct vm_source *src, const char **why)
{
	int err;

	if (!vm_is_off(vm)) {
		return fail(why, "it is not stopped", -EBUSY);
	}
	err = check_host(vm, why);
	if (err != 0) {
		close_disks(vm, vm->state);
		return err;
	}
	vm_share_begin(vm);
	vm->start_at = 0;
	vm->crashes = 0;
	vm->state = VM_STARTING;
	vm->event = VM_EVENT_NONE;
	vm->pause_wanted = false;
	vm->crash_reason[0] = '\0';
	vm->workers_hold = false;
	vm->wants_chunk = false; /* its last run may have ended before it got one */
	vm->cpu_time = 0;
	vm_list_unlock();
	thread_work_for(&vm->share);
	err = make_all(vm, src, why);
	thread_work_for(NULL);
	vm_list_lock();
	if (err != 0) {
		vm_life_end(vm, VM_STOPPED);
		return err;
	}
	vm->starts++;
	vm->state = src != NULL && src->paused ? VM_PAUSED : VM_RUNNING;
	log_printf(LOG_INFO, "vm %s: started", vm->cfg.name);
	return 0;
}

int vm_life_stop(struct vm *vm, const char **why)
{
	if (vm->start_at != 0) {
		vm->start_at = 0; /* it was about to be started again */
		close_disks(vm, VM_STOPPED);
		return 0;
	}
	if (vm_is_off(vm)) {
		return fail(why, "it is not running", -EINVAL);
	}
	vm_life_end(vm, VM_STOPPED);
	log_printf(LOG_INFO, "vm %s: stopped", vm->cfg.name);
	return 0;
}

int vm_life_reset(struct vm *vm, const char **why)
{
	if (!vm_is_up(vm)) {
		return fail(why, "it is not running", -EINVAL);
	}
	vm_life_end_for_now(vm, VM_STOPPED);
	return vm_life_start(vm, why);
}

static int claimed(struct vm *vm, const char *doing, int (*op)(struct vm *vm, const char **why),
		   const char **why)
{
	int err = vm_claim(vm, doing, why);

	if (err == 0) {
		err = op(vm, why);
		vm_release(vm);
	}
	return err;
}

int vm_start(struct vm *vm, const char **why)
{
	return claimed(vm, "being started", vm_life_start, why);
}

int vm_stop(struct vm *vm, const char **why)
{
	return claimed(vm, "being stopped", vm_life_stop, why);
}

int vm_reset(struct vm *vm, const char **why)
{
	return claimed(vm, "being reset", vm_life_reset, why);
}

int vm_life_pause(struct vm *vm, const char **why)
{
	if (vm->state != VM_RUNNING) {
		return fail(why, "it is not running", -EINVAL);
	}
	hold(vm);
	vm->state = VM_PAUSED;
	return 0;
}

int vm_pause(struct vm *vm, const char **why)
{
	return claimed(vm, "being paused", vm_life_pause, why);
}

#define PAUSE_POLL_NS 100000ul

static bool all_parked(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.cpus; i++) {
		if (!vcpu_is_parked(vm->vcpus[i])) {
			return false;
		}
	}
	return vm_worker_all_rest(vm);
}

int vm_life_await_pause(struct vm *vm, const char **why)
{
	while (!all_parked(vm)) {
		if (__atomic_load_n(&vm->event, __ATOMIC_SEQ_CST) != VM_EVENT_NONE) {
			return fail(why, "its guest has just ended", -EBUSY);
		}
		thread_sleep(PAUSE_POLL_NS);
	}
	return 0;
}

int vm_life_resume(struct vm *vm, const char **why)
{
	if (vm->state != VM_PAUSED) {
		return fail(why, "it is not paused", -EINVAL);
	}
	vm->state = VM_RUNNING;
	end_pause(vm);
	return 0;
}

int vm_resume(struct vm *vm, const char **why)
{
	return claimed(vm, "being resumed", vm_life_resume, why);
}
