/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of VMs: made, found, claimed for a change, deleted; and a VM's own log lines. */
/* Starting and stopping are vm_life.c's, what guests ask for is vm_manager.c's. */
#include "hv/vm.h"

#include "arch/clock.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mutex.h"
#include "hv/thread.h"
#include "hv/vm_dump.h"
#include "hv/vm_manager.h"
#include "hv/vm_worker.h"

#define LOG_LINES_PER_SECOND 20u

static struct mutex list_mutex;
static struct list_node vms = LIST_INIT(vms); /* [list_mutex] */
static uint16_t next_id = 1;		      /* [list_mutex] */

void vm_list_init(void)
{
	mutex_init(&list_mutex);
}

void vm_list_lock(void)
{
	mutex_lock(&list_mutex);
}

void vm_list_unlock(void)
{
	mutex_unlock(&list_mutex);
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
	list_init(&vm->workers);
	guest_console_init(&vm->console);
	guest_console_init(&vm->hvc);
	list_push_back(&vms, &vm->node);
	*out = vm;
	thread_checkpoint();
	return 0;
}

bool vm_is_off(const struct vm *vm)
{
	return vm->state == VM_STOPPED || vm->state == VM_CRASHED;
}

bool vm_is_up(const struct vm *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

int vm_claim(struct vm *vm, const char *doing, const char **why)
{
	if (vm->doing != NULL) {
		return fail(why, vm->busy, -EBUSY);
	}
	vm->doing = doing;
	fmt_snprintf(vm->busy, sizeof(vm->busy), "it is %s", doing);
	return 0;
}

void vm_release(struct vm *vm)
{
	vm->doing = NULL;
	vm_manager_wake(); /* what its guest asked for meanwhile has waited */
}

int vm_delete(struct vm *vm, const char **why)
{
	int err = vm_claim(vm, "being deleted", why);

	if (err != 0) {
		return err;
	}
	if (!vm_is_off(vm)) {
		vm_release(vm);
		return fail(why, "it is not stopped", -EBUSY);
	}
	list_remove(&vm->node);
	vm_dump_free(vm);
	heap_free(vm);
	return 0;
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

uint64_t vm_cpu_time(const struct vm *vm)
{
	uint64_t sum = vm->cpu_time;

	for (unsigned int i = 0; i < VM_CPUS_MAX && vm_is_up(vm); i++) {
		if (vm->vcpus[i] != NULL && vm->vcpus[i]->thread != NULL) {
			sum += thread_time(vm->vcpus[i]->thread);
		}
	}
	return vm_is_up(vm) ? sum + vm_worker_time(vm) : sum;
}
