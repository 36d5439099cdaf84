/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which a VM is put together and taken apart: nothing outlives what it uses. */
/* Its parts are fakes that write their names down. */
/* TEST_SOURCES: hv/vm.c hv/iobus.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_lock.c */
#include "hv/base/page.h"
#include "hv/vm.h"

#include "arch/cpu.h"
#include "arch/hvm.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/mutex.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm_dump.h"
#include "tests/unit/fakes/fake_heap.h"

#include <cmocka.h>
#include <string.h>

static const struct hvm_ops ops;
const struct hvm_ops *hvm = &ops;

static char steps[200];
static int space_error;
static unsigned int launches_left;
static struct vcpu vcpu[3];
static struct thread thread;

static void note(const char *step)
{
	strcat(steps, step);
	strcat(steps, " ");
}

/* ---- the parts ---- */

unsigned int cpu_count(void)
{
	return 2;
}

int gpa_space_create(struct gpa_space *s, uint64_t size)
{
	(void)s;
	(void)size;
	note("+memory");
	return space_error;
}

void gpa_space_destroy(struct gpa_space *s)
{
	(void)s;
	note("-memory");
}

int hvm_vm_create(struct vm *vm)
{
	(void)vm;
	note("+tables");
	return 0;
}

void hvm_vm_destroy(struct vm *vm)
{
	(void)vm;
	note("-tables");
}

int vdev_create_all(struct vm *vm)
{
	(void)vm;
	note("+devices");
	return 0;
}

void vdev_destroy_all(struct vm *vm)
{
	(void)vm;
	note("-devices");
}

int vcpu_create(struct vm *vm, unsigned int id, const struct vcpu_start *start)
{
	(void)start;
	vcpu[id] = (struct vcpu){ .vm = vm, .id = id, .exits = 7 };
	vcpu[id].stats[3].count = 7;
	vm->vcpus[id] = &vcpu[id];
	note("+vcpu");
	return 0;
}

/* Whoever runs may address all the others. */
int vcpu_launch(struct vcpu *v)
{
	assert_ptr_equal(v->vm->vcpus[v->vm->cfg.cpus - 1], &vcpu[v->vm->cfg.cpus - 1]);
	if (launches_left == 0) {
		return -ENOMEM;
	}
	launches_left--;
	v->thread = &thread;
	note(v->id == 0 ? "+boots" : "+waits");
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	v->vm->vcpus[v->id] = NULL;
	note("-vcpu");
}

void thread_wait(struct thread *t)
{
	assert_ptr_equal(t, &thread);
	for (unsigned int i = 0; i < 3; i++) { /* all at once, then waited for */
		assert_true(vcpu[i].vm == NULL || vcpu[i].requests & VCPU_REQ_STOP);
	}
	note("-thread");
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	v->requests |= bits;
}

void vcpu_kick(struct vcpu *v)
{
	(void)v;
}

struct vcpu *vcpu_current(void)
{
	return NULL;
}

void vm_dump_keep(struct vm *vm)
{
	(void)vm;
}

void vm_dump_free(struct vm *vm)
{
	(void)vm;
}

uint64_t thread_time(const struct thread *t)
{
	(void)t;
	return 1000;
}

int thread_create(struct thread **out, const struct thread_params *p)
{
	(void)out;
	(void)p;
	return 0;
}

void thread_unpark(struct thread *t)
{
	(void)t;
}

void thread_park(void)
{
}

void thread_park_until(uint64_t deadline)
{
	(void)deadline;
}

void thread_checkpoint(void)
{
}

void mutex_init(struct mutex *m)
{
	(void)m;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
}

void guest_console_init(struct guest_console *c)
{
	(void)c;
}

void guest_console_set_input(struct guest_console *c, void (*ready)(void *), void *arg)
{
	(void)c;
	(void)ready;
	(void)arg;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

static int load(struct vm *vm, struct vcpu_start *start, const char **why)
{
	(void)vm;
	(void)start;
	(void)why;
	note("+kernel");
	return 0;
}

/* ---- tests ---- */

static struct vm *made(unsigned int cpus)
{
	const struct vm_config cfg = { .name = "a", .cpus = cpus, .memory = 4 * MIB };
	const char *why = "";
	struct vm *vm;

	steps[0] = '\0';
	space_error = 0;
	launches_left = 3;
	memset(vcpu, 0, sizeof(vcpu));
	vm_set_loader(load);
	assert_int_equal(vm_create(&cfg, &vm, &why), 0);
	return vm;
}

static void devices_end_before_the_vcpus_that_they_interrupt(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	assert_string_equal(steps, "+memory +tables +devices +kernel +vcpu +boots ");
	steps[0] = '\0';
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_string_equal(steps, "-thread -devices -vcpu -tables -memory ");
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(vm->last_stats[3].count, 7);
	assert_int_equal(vm_cpu_time(vm), 1000);
	assert_int_equal(vm_delete(vm, &why), 0);
}

/* The boot processor runs last of all, when there is somebody to start; they end together. */
static void all_vcpus_are_there_before_one_runs(void **state)
{
	struct vm *vm = made(3);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	assert_string_equal(steps,
			    "+memory +tables +devices +kernel +vcpu +vcpu +vcpu +waits +waits "
			    "+boots ");
	steps[0] = '\0';
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_string_equal(steps, "-thread -thread -thread -devices -vcpu -vcpu -vcpu -tables "
				   "-memory ");
	assert_int_equal(vm->last_stats[3].count, 21);
	assert_int_equal(vm_delete(vm, &why), 0);
}

/* Threads that were not made are not waited for. */
static void a_vm_with_half_its_threads_does_not_start(void **state)
{
	struct vm *vm = made(3);
	const char *why = "";

	(void)state;
	launches_left = 1;
	assert_int_equal(vm_start(vm, &why), -ENOMEM);
	assert_string_equal(why, "not enough hypervisor memory for its vCPUs");
	assert_string_equal(strstr(steps, "+waits"),
			    "+waits -thread -devices -vcpu -vcpu -vcpu -tables -memory ");
	assert_int_equal(vm_delete(vm, &why), 0);
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .free = 3 * MIB };
}

static void a_vm_without_memory_does_not_start(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	space_error = -ENOMEM;
	assert_int_equal(vm_start(vm, &why), -ENOMEM);
	assert_non_null(strstr(why, "not enough free host memory: it needs "));
	assert_non_null(strstr(why, ", 3 MiB are free"));
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(vm_delete(vm, &why), 0);
	assert_int_equal(fake_heap_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_end_before_the_vcpus_that_they_interrupt),
		cmocka_unit_test(all_vcpus_are_there_before_one_runs),
		cmocka_unit_test(a_vm_with_half_its_threads_does_not_start),
		cmocka_unit_test(a_vm_without_memory_does_not_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
