/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a VM: created, started, paused, stopped, and what happens when its guest ends it. */
/* Memory, devices and vCPUs each know how to make themselves; the order is here. */
#include "hv/vm.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mutex.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm_dump.h"

#define LOG_LINES_PER_SECOND 20u
#define HASTY_NS	     1000000000ul /* a guest that ends sooner waits as long for its next start */

static struct mutex list_mutex;
static struct list_node vms = LIST_INIT(vms); /* [list_mutex] */
static uint16_t next_id = 1;		      /* [list_mutex] */
static vm_load_fn *loader;
static struct thread *manager;

void vm_list_lock(void)
{
	mutex_lock(&list_mutex);
}

void vm_list_unlock(void)
{
	mutex_unlock(&list_mutex);
}

void vm_set_loader(vm_load_fn *load)
{
	loader = load;
}

struct vm *vm_next(const struct vm *prev)
{
	struct list_node *n = prev == NULL ? vms.next : prev->node.next;

	return n == &vms ? NULL : container_of(n, struct vm, node);
}

struct vm *vm_find(const char *name)
{
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (strcmp(vm->cfg.name, name) == 0) {
			return vm;
		}
	}
	return NULL;
}

const char *vm_state_name(enum vm_state s)
{
	static const char *const names[] = {
		[VM_STOPPED] = "stopped", [VM_STARTING] = "starting", [VM_RUNNING] = "running",
		[VM_PAUSED] = "paused",	  [VM_STOPPING] = "stopping", [VM_CRASHED] = "crashed",
	};

	return s < ARRAY_SIZE(names) ? names[s] : "?";
}

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

static bool name_valid(const char *name)
{
	const char *p = name;

	for (; *p != '\0'; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

		if (!letter && !(*p >= '0' && *p <= '9') && *p != '-' && *p != '_' && *p != '.') {
			return false;
		}
	}
	return p != name;
}

int vm_create(const struct vm_config *cfg, struct vm **out, const char **why)
{
	struct vm *vm;

	if (!name_valid(cfg->name)) {
		return fail(why, "a name is letters, digits, '-', '_' and '.'", -EINVAL);
	}
	if (vm_find(cfg->name) != NULL) {
		return fail(why, "there is a VM of that name already", -EEXIST);
	}
	vm = heap_alloc(sizeof(*vm));
	if (vm == NULL) {
		return fail(why, "out of hypervisor memory", -ENOMEM);
	}
	vm->id = next_id++;
	vm->cfg = *cfg;
	spin_init(&vm->dev_lock, LOCK_DEVICES);
	list_init(&vm->devices);
	guest_console_init(&vm->console);
	guest_console_init(&vm->hvc);
	list_push_back(&vms, &vm->node);
	*out = vm;
	thread_checkpoint();
	return 0;
}

static bool is_off(const struct vm *vm)
{
	return vm->state == VM_STOPPED || vm->state == VM_CRASHED;
}

int vm_delete(struct vm *vm, const char **why)
{
	if (!is_off(vm)) {
		return fail(why, "it is not stopped", -EBUSY);
	}
	list_remove(&vm->node);
	vm_dump_free(vm);
	heap_free(vm);
	return 0;
}

static void request_all(struct vm *vm, uint32_t bits)
{
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		if (vm->vcpus[i] != NULL) {
			vcpu_request(vm->vcpus[i], bits);
		}
	}
}

static void end_threads(struct vm *vm)
{
	request_all(vm, VCPU_REQ_STOP);
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		struct vcpu *v = vm->vcpus[i];

		if (v != NULL && v->thread != NULL) {
			thread_wait(v->thread);
			vm->cpu_time += thread_time(v->thread);
		}
	}
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
		}
	}
}

/*
 * Gives everything back; the VM's threads have ended. Devices go before the vCPUs: until then their
 * timers may fire on another CPU, and interrupt and wake a vCPU.
 */
static void take_apart(struct vm *vm, enum vm_state state)
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
	vm->crashed_on = NULL;
	vm->event = VM_EVENT_NONE;
	vm->state = state;
}

static void stop_now(struct vm *vm, enum vm_state state)
{
	vm->state = VM_STOPPING;
	thread_checkpoint();
	end_threads(vm);
	vm_dump_keep(vm);
	take_apart(vm, state);
}

static const char *memory_lacks(const struct vm *vm)
{
	static char text[80]; /* [L] */
	char needs[16], free[16];
	struct page_stats s;

	page_stats(&s);
	fmt_snprintf(text, sizeof(text), "not enough free host memory: it needs %s, %s are free",
		     fmt_size(needs, sizeof(needs), vm->cfg.memory),
		     fmt_size(free, sizeof(free), s.free));
	return text;
}

/* Memory, tables, devices, in that order; what was made is taken apart by the caller on failure. */
static int put_together(struct vm *vm, struct vcpu_start *start, const char **why)
{
	int err = gpa_space_create(&vm->mem, vm->cfg.memory);

	if (err != 0) {
		return fail(why, memory_lacks(vm), err);
	}
	err = hvm_vm_create(vm);
	if (err != 0) {
		return fail(why, "not enough hypervisor memory for its page tables", err);
	}
	thread_checkpoint();
	iobus_init(&vm->pio);
	iobus_init(&vm->mmio);
	memset(&vm->virq, 0, sizeof(vm->virq));
	err = vdev_create_all(vm);
	if (err != 0) {
		return fail(why, "a device could not be made (see host log)", err);
	}
	*why = "the loader gave no reason";
	return loader(vm, start, why);
}

/* All are there before the first runs; the boot processor, the first to address others, comes last. */
static int start_vcpus(struct vm *vm, const struct vcpu_start *start, const char **why)
{
	int err = 0;

	vm->share.weight = vm->cfg.weight;
	for (unsigned int i = 0; err == 0 && i < vm->cfg.cpus; i++) {
		err = vcpu_create(vm, i, start);
		thread_checkpoint();
	}
	for (unsigned int i = vm->cfg.cpus; err == 0 && i-- > 0;) {
		err = vcpu_launch(vm->vcpus[i]);
	}
	return err == 0 ? 0 : fail(why, "not enough hypervisor memory for its vCPUs", err);
}

int vm_start(struct vm *vm, const char **why)
{
	struct vcpu_start start = { 0 };
	int err;

	if (!is_off(vm)) {
		return fail(why, "it is not stopped", -EBUSY);
	}
	if (hvm == NULL) {
		return fail(why,
			    "this machine has no usable hardware virtualization (see host info)",
			    -ENODEV);
	}
	if (vm->cfg.pin != 0 && (vm->cfg.pin & (UINT64_MAX >> (64 - cpu_count()))) == 0) {
		return fail(why, "this machine has none of the CPUs that it is pinned to", -ENODEV);
	}
	vm->start_at = 0;
	vm->state = VM_STARTING;
	vm->event = VM_EVENT_NONE;
	vm->crash_reason[0] = '\0';
	vm->cpu_time = 0;
	err = put_together(vm, &start, why);
	vm->started = clock_now();
	vm->entered = 0;
	vm->tsc_offset = 0 - vm->started;
	vm->tsc_differs = false;
	thread_checkpoint();
	if (err == 0) {
		err = start_vcpus(vm, &start, why);
	}
	if (err != 0) {
		stop_now(vm, VM_STOPPED);
		return err;
	}
	vm->starts++;
	vm->state = VM_RUNNING;
	log_printf(LOG_INFO, "vm %s: started", vm->cfg.name);
	return 0;
}

int vm_stop(struct vm *vm, const char **why)
{
	if (vm->start_at != 0) {
		vm->start_at = 0; /* it was about to be started again */
		vm->state = VM_STOPPED;
		return 0;
	}
	if (is_off(vm)) {
		return fail(why, "it is not running", -EINVAL);
	}
	stop_now(vm, VM_STOPPED);
	log_printf(LOG_INFO, "vm %s: stopped", vm->cfg.name);
	return 0;
}

int vm_reset(struct vm *vm, const char **why)
{
	if (is_off(vm)) {
		return fail(why, "it is not running", -EINVAL);
	}
	stop_now(vm, VM_STOPPED);
	return vm_start(vm, why);
}

int vm_pause(struct vm *vm, const char **why)
{
	if (vm->state != VM_RUNNING) {
		return fail(why, "it is not running", -EINVAL);
	}
	request_all(vm, VCPU_REQ_PAUSE);
	vm->state = VM_PAUSED;
	return 0;
}

int vm_resume(struct vm *vm, const char **why)
{
	if (vm->state != VM_PAUSED) {
		return fail(why, "it is not paused", -EINVAL);
	}
	vm->state = VM_RUNNING;
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		if (vm->vcpus[i] != NULL) {
			__atomic_fetch_and(&vm->vcpus[i]->requests, ~(uint32_t)VCPU_REQ_PAUSE,
					   __ATOMIC_SEQ_CST);
			vcpu_kick(vm->vcpus[i]);
		}
	}
	return 0;
}

/* True if ev is the first: the vCPUs stop, the manager will act. */
static bool raise_event(struct vm *vm, enum vm_event ev)
{
	enum vm_event none = VM_EVENT_NONE;

	if (!__atomic_compare_exchange_n(&vm->event, &none, ev, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		return false;
	}
	request_all(vm, VCPU_REQ_STOP);
	thread_unpark(manager);
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

void vm_log(struct vm *vm, const char *fmt, ...)
{
	uint64_t now = clock_now();
	char line[160];
	va_list ap;

	if (now - vm->log_since > clock_hz()) {
		if (vm->log_lines > LOG_LINES_PER_SECOND) {
			log_printf(LOG_GUEST, "vm %s: %u more lines not shown", vm->cfg.name,
				   vm->log_lines - LOG_LINES_PER_SECOND);
		}
		vm->log_since = now;
		vm->log_lines = 0;
	}
	if (__atomic_fetch_add(&vm->log_lines, 1, __ATOMIC_RELAXED) >= LOG_LINES_PER_SECOND) {
		return;
	}
	va_start(ap, fmt);
	fmt_vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_printf(LOG_GUEST, "vm %s: %s", vm->cfg.name, line);
}

uint64_t vm_cpu_time(struct vm *vm)
{
	uint64_t sum = vm->cpu_time;

	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		if (vm->vcpus[i] != NULL && vm->vcpus[i]->thread != NULL) {
			sum += thread_time(vm->vcpus[i]->thread);
		}
	}
	return sum;
}

static void restart(struct vm *vm)
{
	const char *why = "";
	int err = vm_start(vm, &why);

	if (err != 0) {
		log_printf(LOG_HOST, "vm %s: not started again: %s", vm->cfg.name, why);
	}
}

/* One that ends soon after each start must not keep the host busy, nor fill its log. */
static void start_again_soon(struct vm *vm)
{
	uint64_t pause = clock_ns_to_ticks(HASTY_NS);
	uint64_t now = clock_now();

	vm->start_at = now - vm->started < pause ? now + pause : now;
	vm->state = VM_STARTING;
}

static void act_on(struct vm *vm, enum vm_event ev)
{
	stop_now(vm, ev == VM_EVENT_CRASH ? VM_CRASHED : VM_STOPPED);
	if (ev == VM_EVENT_POWEROFF) {
		log_printf(LOG_INFO, "vm %s: powered off", vm->cfg.name);
	} else if (ev == VM_EVENT_RESET) {
		log_printf(LOG_INFO, "vm %s: reset by its guest", vm->cfg.name);
		start_again_soon(vm);
	} else if (vm->cfg.on_crash == VM_ON_CRASH_RESTART) {
		start_again_soon(vm);
	}
}

/* Starts vm if its time has come; else returns when that will be. */
static uint64_t start_if_due(struct vm *vm)
{
	if (vm->start_at == 0) {
		return CLOCK_NEVER;
	}
	if (clock_now() < vm->start_at) {
		return vm->start_at;
	}
	vm->start_at = 0;
	vm->state = VM_STOPPED;
	restart(vm);
	return CLOCK_NEVER;
}

static void manage(void *arg)
{
	(void)arg;
	for (;;) {
		uint64_t next = CLOCK_NEVER;

		vm_list_lock();
		for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
			enum vm_event ev = __atomic_load_n(&vm->event, __ATOMIC_SEQ_CST);

			if (ev != VM_EVENT_NONE) {
				act_on(vm, ev);
			}
			next = u64_min(next, start_if_due(vm));
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

	mutex_init(&list_mutex);
	return thread_create(&manager, &p);
}
