/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which a VM is put together and taken apart: nothing outlives what it uses. */
/* Its parts are fakes that write their names down. */
/* TEST_SOURCES: hv/vm.c hv/vm_life.c hv/vm_disk.c hv/vm_disk_limit.c hv/lib/ratelimit.c hv/vm_manager.c hv/vm_job.c hv/vm_share.c hv/vm_worker.c hv/sched_admit.c hv/sched_window.c hv/sched_share.c hv/sched_budget.c hv/iobus.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_panic_abort.c */
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
#include "hv/vm_job.h"
#include "hv/vm_life.h"
#include "hv/vm_manager.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_heap.h"

#include <cmocka.h>
#include <setjmp.h>
#include <string.h>

static const struct hvm_ops ops;
const struct hvm_ops *hvm = &ops;

static char steps[2000];
static int space_error;
static unsigned int launches_left;
static bool restored;
static struct vcpu vcpu[3];
static struct thread thread;

static bool list_locked;
static struct vm *busy; /* what others see while the steps are made */

/* No step is made with the list locked: the other VMs' commands would wait for it. */
static void note(const char *step)
{
	const char *why = "";

	assert_false(list_locked);
	if (busy != NULL) {
		assert_int_equal(vm_claim(busy, "being tested", &why), -EBUSY);
		assert_non_null(strstr(why, "it is being "));
		assert_false(vm_is_up(busy));
		assert_false(vm_is_off(busy));
	}
	strcat(steps, step);
	strcat(steps, " ");
}

/* Others have had their turn since what was long last. */
static bool rested;

static void is_long(void)
{
	assert_true(rested);
	rested = false;
}

void thread_checkpoint(void)
{
	rested = true;
}

/* ---- the parts ---- */

void cpu_work_for(uint64_t owner)
{
	(void)owner;
}

unsigned int cpu_count(void)
{
	return 2;
}

int gpa_space_create(struct gpa_space *s, uint64_t size)
{
	const struct vm *vm = container_of(s, struct vm, mem);

	(void)size;
	assert_int_equal(vm->share.weight, vm->cfg.weight); /* others' admission may look at it */
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
	is_long();
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
	is_long();
	if (launches_left == 0) {
		return -ENOMEM;
	}
	launches_left--;
	assert_int_equal((v->requests & VCPU_REQ_PAUSE) != 0, restored);
	v->thread = &thread;
	note(v->id == 0 ? "+boots" : "+waits");
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	is_long();
	v->vm->vcpus[v->id] = NULL;
	note("-vcpu");
}

void thread_set_policy(const struct sched_ops *p)
{
	(void)p;
}

static const struct sched_group *helped;

/* Not as long as the list is locked: others wait for that. */
void thread_work_for(struct sched_group *g)
{
	assert_true((g == NULL) != (helped == NULL));
	helped = g;
}

void thread_wait(struct thread *t)
{
	assert_non_null(helped); /* the VM itself pays for its end */
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

static unsigned int kicks;

void vcpu_kick(struct vcpu *v)
{
	assert_non_null(v->thread);
	kicks++;
}

bool vcpu_is_parked(const struct vcpu *v)
{
	return (v->requests & VCPU_REQ_PAUSE) != 0;
}

void thread_sleep(uint64_t ns)
{
	(void)ns;
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

/* Threads run when a test says so; the manager, which never ends, until it parks. */
static struct thread threads[8];
static unsigned int thread_count, joined, wakes;
static bool thread_fails;
static uint64_t parked_until;
static jmp_buf parked;

int thread_create(struct thread **out, const struct thread_params *p)
{
	if (thread_fails) {
		return -ENOMEM;
	}
	threads[thread_count] = (struct thread){ .p = *p };
	*out = &threads[thread_count++];
	return 0;
}

static void run_jobs(void)
{
	for (unsigned int i = 1; i < thread_count; i++) {
		threads[i].p.body(threads[i].p.arg);
	}
	thread_count = 1;
}

static void run_manager(void)
{
	if (setjmp(parked) == 0) {
		threads[0].p.body(threads[0].p.arg);
	}
}

static int start_manager(void **state)
{
	(void)state;
	thread_count = 0;
	thread_fails = false;
	return vm_manager_start();
}

struct thread *thread_current(void)
{
	return &thread;
}

void thread_join(struct thread *t)
{
	(void)t;
	joined++;
}

void thread_unpark(struct thread *t)
{
	(void)t;
	wakes++;
}

void thread_park(void)
{
	parked_until = UINT64_MAX;
	longjmp(parked, 1);
}

void thread_park_until(uint64_t deadline)
{
	parked_until = deadline;
	longjmp(parked, 1);
}

void mutex_init(struct mutex *m)
{
	(void)m;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
	assert_false(list_locked);
	list_locked = true;
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
	assert_true(list_locked);
	list_locked = false;
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
	*why = NULL; /* as the real one: there is no reason */
	note("+kernel");
	return 0;
}

/* ---- tests ---- */

static struct vm *made(unsigned int cpus)
{
	const struct vm_config cfg = { .name = "a", .cpus = cpus, .memory = 4 * MIB, .weight = 9 };
	const char *why = "";
	struct vm *vm;

	steps[0] = '\0';
	space_error = 0;
	launches_left = 3;
	memset(vcpu, 0, sizeof(vcpu));
	vm_set_loader(load);
	list_locked = false;
	thread_fails = false;
	vm_list_lock();
	assert_int_equal(vm_create(&cfg, &vm, &why), 0);
	busy = vm;
	return vm;
}

static void delete (struct vm *vm)
{
	const char *why = "";

	assert_int_equal(vm_delete(vm, &why), 0);
	vm_list_unlock();
	assert_int_equal(fake_heap_live, 0);
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
	delete (vm);
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
	delete (vm);
}

/* What it has of the CPUs is not looked for again: it would be moved while it runs. */
static void a_vm_that_runs_is_not_admitted_again(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	vm->cfg.pin = 4; /* there are two CPUs */
	assert_int_equal(vm_start(vm, &why), -EBUSY);
	assert_string_equal(why, "it is not stopped");
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_int_equal(vm_start(vm, &why), -ENODEV);
	delete (vm);
}

static int give(struct vm *vm, void *arg, const char **why)
{
	(void)vm;
	(void)arg;
	(void)why;
	return 0;
}

/* They are in the middle of something, which may be to look for one another. */
static void restored_vcpus_run_once_all_have_threads(void **state)
{
	struct vm_source src = { .memory = give, .state = give };

	(void)state;
	restored = true;
	for (unsigned int paused = 0; paused < 2; paused++) {
		struct vm *vm = made(3);
		const char *why = "";

		src.paused = paused != 0;
		kicks = 0;
		assert_int_equal(vm_claim(vm, "being restored", &why), 0);
		assert_int_equal(vm_life_start_from(vm, &src, &why), 0);
		vm_release(vm);
		assert_int_equal(vm->state, paused ? VM_PAUSED : VM_RUNNING);
		for (unsigned int i = 0; i < 3; i++) {
			assert_int_equal(vcpu[i].requests, paused ? VCPU_REQ_PAUSE : 0);
		}
		assert_int_equal(kicks, paused ? 0 : 3);
		assert_int_equal(vm_stop(vm, &why), 0);
		delete (vm);
	}
	restored = false;
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
	delete (vm);
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .for_guests = 3 * MIB };
}

static void a_vm_without_memory_does_not_start(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	space_error = -ENOMEM;
	assert_int_equal(vm_start(vm, &why), -ENOMEM);
	assert_string_equal(why, "not enough hypervisor memory to map its RAM");
	space_error = -E2BIG;
	assert_int_equal(vm_start(vm, &why), -E2BIG);
	assert_string_equal(why, "free host memory is in too many pieces: stop other VMs");
	space_error = -ENOSPC;
	assert_int_equal(vm_start(vm, &why), -ENOSPC);
	assert_non_null(strstr(why, "not enough free host memory: it needs "));
	assert_non_null(strstr(why, ", 3 MiB are free"));
	assert_int_equal(vm->state, VM_STOPPED);
	delete (vm);
}

/* ---- jobs and the manager ---- */

static void a_job_claims_its_vm_until_it_is_done(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";
	struct vm_job *job, *second;

	(void)state;
	assert_int_equal(vm_job_begin(vm, "being started", vm_life_start, &job, &why), 0);
	assert_int_equal(vm_job_begin(vm, "being stopped", vm_life_stop, &second, &why), -EBUSY);
	assert_string_equal(why, "it is being started");
	assert_int_equal(vm_delete(vm, &why), -EBUSY);
	assert_int_equal(vm_pause(vm, &why), -EBUSY);
	vm_list_unlock();
	assert_false(vm_job_is_done(job));
	run_jobs();
	assert_true(vm_job_is_done(job));
	assert_int_equal(job->err, 0);
	assert_int_equal(job->state, VM_RUNNING);
	vm_job_leave(job);
	joined = 0;
	run_manager();
	assert_int_equal(joined, 1);
	vm_list_lock();
	assert_int_equal(vm_stop(vm, &why), 0);
	delete (vm);
}

/* Ctrl-C: it goes on, and its end frees all. */
static void a_job_may_be_left_alone(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";
	struct vm_job *job;

	(void)state;
	assert_int_equal(vm_job_begin(vm, "being started", vm_life_start, &job, &why), 0);
	vm_list_unlock();
	vm_job_leave(job);
	run_jobs();
	run_manager();
	vm_list_lock();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm_stop(vm, &why), 0);
	delete (vm);
}

static void a_job_without_memory_claims_nothing(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";
	struct vm_job *job;

	(void)state;
	thread_fails = true;
	assert_int_equal(vm_job_begin(vm, "being started", vm_life_start, &job, &why), -ENOMEM);
	assert_null(vm->doing);
	delete (vm);
}

static void ends_by(struct vm *vm, void (*raise)(struct vm *vm))
{
	vm_list_unlock();
	raise(vm);
	run_manager();
	run_jobs();
	run_manager();
	vm_list_lock();
}

static void a_power_off_waits_for_who_claimed_the_vm(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	assert_int_equal(vm_claim(vm, "being saved", &why), 0);
	busy = NULL;
	ends_by(vm, vm_poweroff);
	assert_int_equal(vm->state, VM_RUNNING);
	wakes = 0;
	vm_release(vm);
	assert_int_equal(wakes, 1);
	busy = vm;
	ends_by(vm, vm_poweroff);
	assert_int_equal(vm->state, VM_STOPPED);
	delete (vm);
}

static void a_disk_has_its_vm_paused(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	assert_int_equal(vm_claim(vm, "being saved", &why), 0);
	ends_by(vm, vm_request_pause);
	assert_int_equal(vm->state, VM_RUNNING);
	vm_release(vm);
	ends_by(vm, vm_request_pause);
	assert_int_equal(vm->state, VM_PAUSED);
	assert_int_equal(vm_resume(vm, &why), 0);
	ends_by(vm, vm_poweroff);
	assert_int_equal(vm->state, VM_STOPPED);
	ends_by(vm, vm_request_pause); /* too late: not of its next start */
	assert_int_equal(vm_start(vm, &why), 0);
	assert_int_equal(vm->state, VM_RUNNING);
	ends_by(vm, vm_poweroff);
	delete (vm);
}

static void a_power_off_needs_no_memory(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	thread_fails = true;
	ends_by(vm, vm_poweroff);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_null(vm->doing);
	delete (vm);
}

static void crash(struct vm *vm)
{
	vm_crash(vm, "test");
}

static void nothing(struct vm *vm)
{
	(void)vm;
}

/* Each restart waits twice as long; the sixth crash in a row is the last. */
static void a_crash_loop_ends(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	launches_left = 100;
	vm->cfg.on_crash = VM_ON_CRASH_RESTART;
	assert_int_equal(vm_start(vm, &why), 0);
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t at = fake_now;

		busy = vm;
		ends_by(vm, crash);
		assert_int_equal(vm->state, VM_STARTING);
		assert_int_equal(parked_until, at + (1000000000ul << i));
		busy = NULL;
		fake_now = parked_until;
		ends_by(vm, nothing);
		assert_int_equal(vm->state, VM_RUNNING);
	}
	ends_by(vm, crash);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_int_equal(vm->starts, 6);
	assert_int_equal(vm_start(vm, &why), 0);
	fake_now += 61 * 1000000000ul; /* it ran well: the next crash is a first one */
	vm->crashes = 5;
	ends_by(vm, crash);
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_int_equal(vm->state, VM_STOPPED);
	delete (vm);
}

static void crashes_and_comes_back(struct vm *vm, uint64_t after_ns)
{
	uint64_t at = fake_now;

	busy = vm;
	ends_by(vm, crash);
	assert_int_equal(parked_until, at + after_ns);
	busy = NULL;
	fake_now = parked_until;
	ends_by(vm, nothing);
	assert_int_equal(vm->state, VM_RUNNING);
}

/* An administrator's start or reset may be of a mended guest: its first crash is a first one. */
static void a_start_that_was_asked_for_forgets_crashes(void **state)
{
	struct vm *vm = made(1);
	const char *why = "";

	(void)state;
	launches_left = 100;
	vm->cfg.on_crash = VM_ON_CRASH_RESTART;
	assert_int_equal(vm_start(vm, &why), 0);
	crashes_and_comes_back(vm, 1000000000ul);
	crashes_and_comes_back(vm, 2000000000ul);
	assert_int_equal(vm_reset(vm, &why), 0);
	crashes_and_comes_back(vm, 1000000000ul);
	crashes_and_comes_back(vm, 2000000000ul);
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_int_equal(vm_start(vm, &why), 0);
	crashes_and_comes_back(vm, 1000000000ul);
	assert_int_equal(vm_stop(vm, &why), 0);
	delete (vm);
}

/* ---- disks ---- */

static int disks_open;
static int disk_fails;

static int open_disk(struct vm *vm, unsigned int i, struct block_dev **out, const char **why)
{
	(void)vm;
	note("+disk");
	if (disk_fails != 0 && i == 1) {
		*why = "no such disk";
		return disk_fails;
	}
	disks_open++;
	*out = (struct block_dev *)(uintptr_t)(i + 1);
	return 0;
}

static void close_disk(struct block_dev *dev)
{
	assert_non_null(dev);
	note("-disk");
	disks_open--;
}

static const struct vm_disk_ops disk_ops = { .open = open_disk, .close = close_disk };

static struct vm *with_disks(void)
{
	struct vm *vm = made(1);

	vm_disk_set_ops(&disk_ops);
	vm->cfg.disk_count = 2;
	launches_left = 100;
	disks_open = disk_fails = 0;
	return vm;
}

/* What is volatile survives whatever ends in a start, a crash as well, and nothing else. */
static void disks_stay_open_over_resets(void **state)
{
	struct vm *vm = with_disks();
	const char *why = "";

	(void)state;
	assert_int_equal(vm_start(vm, &why), 0);
	assert_int_equal(disks_open, 2);
	assert_null(strstr(steps, "-disk"));
	assert_true(strstr(steps, "+disk") < strstr(steps, "+devices"));
	assert_int_equal(vm_reset(vm, &why), 0);
	assert_int_equal(disks_open, 2);
	assert_null(strstr(steps, "-disk"));
	vm->cfg.on_crash = VM_ON_CRASH_RESTART;
	crashes_and_comes_back(vm, 1000000000ul);
	assert_int_equal(disks_open, 2);
	ends_by(vm, crash);
	assert_int_equal(disks_open, 2); /* is about to start again */
	assert_int_equal(vm_stop(vm, &why), 0);
	assert_int_equal(disks_open, 0);
	assert_int_equal(vm_start(vm, &why), 0);
	vm->cfg.on_crash = VM_ON_CRASH_STOP;
	ends_by(vm, crash);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_int_equal(disks_open, 0);
	delete (vm);
}

static void a_vm_without_its_disks_does_not_start(void **state)
{
	struct vm *vm = with_disks();
	const char *why = "";

	(void)state;
	disk_fails = -ENOENT;
	assert_int_equal(vm_start(vm, &why), -ENOENT);
	assert_string_equal(why, "no such disk");
	assert_int_equal(disks_open, 0);
	assert_int_equal(vm->state, VM_STOPPED);
	delete (vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(devices_end_before_the_vcpus_that_they_interrupt,
				       start_manager),
		cmocka_unit_test_setup(all_vcpus_are_there_before_one_runs, start_manager),
		cmocka_unit_test_setup(a_vm_that_runs_is_not_admitted_again, start_manager),
		cmocka_unit_test_setup(restored_vcpus_run_once_all_have_threads, start_manager),
		cmocka_unit_test_setup(a_vm_with_half_its_threads_does_not_start, start_manager),
		cmocka_unit_test_setup(a_vm_without_memory_does_not_start, start_manager),
		cmocka_unit_test_setup(a_job_claims_its_vm_until_it_is_done, start_manager),
		cmocka_unit_test_setup(a_job_may_be_left_alone, start_manager),
		cmocka_unit_test_setup(a_job_without_memory_claims_nothing, start_manager),
		cmocka_unit_test_setup(a_power_off_waits_for_who_claimed_the_vm, start_manager),
		cmocka_unit_test_setup(a_disk_has_its_vm_paused, start_manager),
		cmocka_unit_test_setup(a_power_off_needs_no_memory, start_manager),
		cmocka_unit_test_setup(a_crash_loop_ends, start_manager),
		cmocka_unit_test_setup(a_start_that_was_asked_for_forgets_crashes, start_manager),
		cmocka_unit_test_setup(disks_stay_open_over_resets, start_manager),
		cmocka_unit_test_setup(a_vm_without_its_disks_does_not_start, start_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
