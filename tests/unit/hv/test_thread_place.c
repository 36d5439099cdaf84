/* SPDX-License-Identifier: BSD-2-Clause */
/* No CPU sleeps beside a thread that waits and may run there, in whatever order things happen. */
/* The real hv/thread*.c: a stack switch is a plain return, so one stack plays all CPUs in turn. */
/* TEST_SOURCES: hv/thread.c hv/thread_run.c hv/thread_place.c hv/sched_share.c hv/sched_budget.c */
/* TEST_SOURCES: hv/lib/string.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_timer.c */
#include "hv/thread_place.h"

#include "arch/paging.h"
#include "hv/base/heap.h"
#include "hv/base/panic.h"
#include "hv/base/trace.h"
#include "hv/thread_run.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_timer.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define CPUS 3u

#define THREADS 6u

static jmp_buf *idling;		    /* out of the idle loop that is played */
static uint64_t kicked;		    /* mask of CPUs */
static void (*during_switch)(void); /* what another CPU does while one is on its way */
static void (*before_sleep)(void);  /* ... and before one sleeps */
static uint64_t sleeping;	    /* mask: those whose idle loop sleeps */
static struct spinlock *held;
static bool tries_succeed;
static struct thread *threads[THREADS];
static struct thread pool[THREADS];
static unsigned int pool_used;

/* ---- the machine ---- */

static void once(void (**fn)(void))
{
	void (*now)(void) = *fn;
	unsigned int cpu = fake_cpu;

	*fn = NULL;
	if (now != NULL) {
		now();
	}
	fake_cpu = cpu;
}

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = rank };
}

void spin_lock(struct spinlock *l)
{
	assert_int_equal(l->taken, 0);
	l->taken = 1;
	held = l;
}

/* A lock that is merely tried is somebody else's at that moment, but in the test that wants it. */
bool spin_trylock(struct spinlock *l)
{
	if (!tries_succeed) {
		return false;
	}
	spin_lock(l);
	return true;
}

void spin_unlock(struct spinlock *l)
{
	assert_int_equal(l->taken, 1);
	l->taken = 0;
	held = NULL;
}

bool spin_any_held(void)
{
	return held != NULL;
}

void cpu_work_for(uint64_t owner)
{
	(void)owner;
}

void cpu_kick(unsigned int cpu)
{
	kicked |= BIT(cpu);
}

void cpu_idle(void)
{
	sleeping |= BIT(fake_cpu);
	once(&before_sleep);
	longjmp(*idling, 1);
}

void *cpu_stack_prepare(void *top, void (*entry)(void))
{
	(void)entry;
	return top;
}

void cpu_stack_switch(void **save, void *to)
{
	(void)save;
	(void)to;
	once(&during_switch);
}

/* A thread's memory stays as it is until the next test: the list of all threads is not taken apart. */
void *heap_alloc(size_t size)
{
	assert_int_equal(size, sizeof(pool[0]));
	assert_in_range(pool_used, 0, ARRAY_SIZE(pool) - 1);
	memset(&pool[pool_used], 0, size);
	return &pool[pool_used++];
}

void heap_free(void *p)
{
	(void)p;
}

void *paging_stack_alloc(void)
{
	static char stack[16];

	return stack;
}

void paging_stack_free(void *top)
{
	(void)top;
}

void paging_space_load(const struct paging_space *s)
{
	(void)s;
}

void trace_event_at(uint64_t tsc, enum trace_kind kind, uint16_t code, uint64_t a, uint32_t b)
{
	(void)tsc;
	(void)kind;
	(void)code;
	(void)a;
	(void)b;
}

void timer_init_cpu(void)
{
}

void panic_stop(const char *fmt, ...)
{
	fail_msg("panic: %s", fmt);
	abort();
}

/* ---- playing a CPU ---- */

static void body(void *arg)
{
	(void)arg;
}

static void switched_in(void *arg)
{
	(void)arg;
	if (idling != NULL) {
		longjmp(*idling, 1);
	}
}

static struct thread *make(uint64_t cpus)
{
	struct thread_params p = {
		.name = "t", .body = body, .cpus = cpus, .switched_in = switched_in
	};
	struct thread *t;

	assert_int_equal(thread_create(&t, &p), 0);
	return t;
}

static bool idles(unsigned int cpu)
{
	return thread_runs[cpu].current == &thread_runs[cpu].idle;
}

/* CPU `cpu` idles until it sleeps, or runs a thread: that one, else NULL. */
static struct thread *idle_on(unsigned int cpu)
{
	unsigned int was = fake_cpu;
	jmp_buf *outer = idling;
	jmp_buf here;

	fake_cpu = cpu;
	kicked &= ~BIT(cpu);
	sleeping &= ~BIT(cpu);
	idling = &here;
	if (setjmp(here) == 0) {
		thread_idle_loop();
	}
	idling = outer;
	fake_cpu = was;
	return idles(cpu) ? NULL : thread_runs[cpu].current;
}

static void yield_on(unsigned int cpu)
{
	unsigned int was = fake_cpu;
	jmp_buf *outer = idling;

	fake_cpu = cpu;
	idling = NULL;
	thread_yield();
	idling = outer;
	fake_cpu = was;
}

static int start(void **state)
{
	(void)state;
	memset(thread_runs, 0, sizeof(thread_runs));
	thread_run_count = pool_used = 0;
	during_switch = before_sleep = NULL;
	tries_succeed = false;
	fake_timer_reset();
	for (fake_cpu = 0; fake_cpu < CPUS; fake_cpu++) {
		thread_init_cpu();
	}
	fake_cpu = 0;
	kicked = 0;
	return 0;
}

/* Both belong to CPU 0, which runs the first; they may go anywhere from here on. */
static void two_on_cpu_0(void)
{
	threads[0] = make(1);
	threads[1] = make(1);
	assert_ptr_equal(idle_on(0), threads[0]);
	threads[0]->p.cpus = threads[1]->p.cpus = 0;
	kicked = 0;
}

/* ---- tests ---- */

static void a_lock_at_work_is_no_reason_to_sleep(void **state)
{
	(void)state;
	two_on_cpu_0();
	assert_ptr_equal(idle_on(1), threads[1]);
}

/* Else two idle CPUs take it from each other for ever. */
static void one_that_an_idle_cpu_will_run_stays_there(void **state)
{
	(void)state;
	threads[0] = make(1);
	threads[0]->p.cpus = 0;
	assert_null(idle_on(1));
	assert_ptr_equal(idle_on(0), threads[0]);
}

static void cpu_1_idles(void)
{
	assert_null(idle_on(1));
}

static void one_on_its_way_off_is_offered(void **state)
{
	(void)state;
	two_on_cpu_0();
	threads[1]->p.cpus = 1;
	during_switch = cpu_1_idles; /* when threads[0] waits, but is still on its stack */
	fake_now += thread_runs[0].q.slice * 2;
	yield_on(0);
	assert_ptr_equal(thread_runs[0].current, threads[1]);
	assert_true(kicked & BIT(1));
	assert_ptr_equal(idle_on(1), threads[0]);
}

static void cpu_0_preempts(void)
{
	fake_now += thread_runs[0].q.slice * 2;
	yield_on(0);
}

static void one_that_begins_to_wait_before_it_sleeps_is_offered(void **state)
{
	(void)state;
	two_on_cpu_0();
	threads[1]->p.cpus = 1;
	before_sleep = cpu_0_preempts;
	assert_null(idle_on(1));
	assert_true(kicked & BIT(1));
	assert_ptr_equal(idle_on(1), threads[0]);
}

static void each_sleeper_gets_one(void **state)
{
	(void)state;
	assert_null(idle_on(1));
	assert_null(idle_on(2));
	for (unsigned int i = 0; i < 3; i++) {
		threads[i] = make(1);
	}
	assert_ptr_equal(idle_on(0), threads[0]);
	kicked = 0;
	threads[1]->p.cpus = threads[2]->p.cpus = 0;
	thread_place_offer(&thread_runs[0]);
	thread_place_offer(&thread_runs[0]);
	assert_int_equal(kicked, BIT(1) | BIT(2));
	assert_non_null(idle_on(1));
	assert_non_null(idle_on(2));
}

static void one_that_may_not_leave_wakes_nobody(void **state)
{
	(void)state;
	assert_null(idle_on(1));
	two_on_cpu_0();
	threads[1]->p.cpus = 1;
	thread_place_offer(&thread_runs[0]);
	assert_int_equal(kicked, 0);
}

/* One that runs slice after slice, being owed much, does not keep those behind it from another CPU. */
static void one_that_runs_on_lets_others_go(void **state)
{
	uint64_t slice = thread_runs[0].q.slice;

	(void)state;
	two_on_cpu_0();
	threads[2] = make(BIT(1));
	assert_ptr_equal(idle_on(1), threads[2]);
	threads[2]->se.vruntime = 15 * slice;
	threads[1]->se.vruntime = 10 * slice;
	tries_succeed = true;
	fake_now += slice;
	yield_on(0);
	assert_ptr_equal(thread_runs[0].current, threads[0]);
	assert_int_equal(threads[1]->cpu, 1);
}

/* Its time goes to the group's account while it works for it, and the group has a sharer more. */
static void work_for_a_group_is_charged_to_it(void **state)
{
	struct sched_group g = { .weight = 1 };

	(void)state;
	threads[0] = make(1);
	assert_ptr_equal(idle_on(0), threads[0]);
	fake_now += 1000;
	thread_work_for(&g);
	assert_int_equal(g.runnable, 1);
	assert_int_equal(g.helped, 0);
	fake_now += 500;
	thread_work_for(NULL);
	assert_int_equal(g.runnable, 0);
	assert_int_equal(g.helped, 500);
	assert_int_equal(thread_time(threads[0]), 1500);
	fake_now += 300;
	yield_on(0);
	assert_int_equal(g.helped, 500);
}

/* On CPU 0 alone: each waits for the other; who sleeps does not wait. */
static void waiting_is_counted(void **state)
{
	uint64_t turn;

	(void)state;
	two_on_cpu_0();
	threads[0]->p.cpus = threads[1]->p.cpus = 1;
	turn = thread_runs[0].q.slice * 2;
	for (unsigned int i = 0; i < 2; i++) {
		fake_now += turn;
		yield_on(0);
		assert_ptr_equal(thread_runs[0].current, threads[!i]);
		assert_true(thread_waited(threads[!i]) == turn);
	}
	idling = NULL;
	thread_park();
	fake_now += 5;
	thread_unpark(threads[0]);
	fake_now += 7;
	yield_on(0);
	assert_ptr_equal(thread_runs[0].current, threads[0]);
	assert_true(thread_waited(threads[0]) == turn + 7);
}

/* ---- anything in any order ---- */

static void act(unsigned int cpu);

static uint64_t acting; /* mask: in the middle of something */

static void other_acts(void)
{
	unsigned int cpu = (unsigned int)random() % CPUS;

	if (!(acting & BIT(cpu))) {
		act(cpu);
	}
}

static void wake_any(void)
{
	thread_unpark(threads[(unsigned int)random() % THREADS]);
}

/* What a CPU does next, others coming in between now and then. */
static void act(unsigned int cpu)
{
	unsigned int was = fake_cpu;
	jmp_buf *outer = idling;

	if (random() % 4 == 0) {
		during_switch = other_acts;
	}
	if (random() % 4 == 0) {
		before_sleep = other_acts;
	}
	fake_now += (uint64_t)random() % 4000000;
	acting |= BIT(cpu);
	if (idles(cpu)) {
		(void)idle_on(cpu);
		acting &= ~BIT(cpu);
		return;
	}
	fake_cpu = cpu;
	idling = NULL;
	switch (random() % 3) {
	case 0:
		thread_park();
		break;
	case 1:
		thread_yield();
		break;
	default:
		wake_any();
		break;
	}
	acting &= ~BIT(cpu);
	idling = outer;
	fake_cpu = was;
}

static bool waits_beside(unsigned int cpu)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		if (thread_waits(threads[i]) && thread_place_may(threads[i], cpu)) {
			return true;
		}
	}
	return false;
}

static bool sleeps(unsigned int cpu)
{
	return idles(cpu) && (sleeping & ~kicked & BIT(cpu));
}

/* Every kick has arrived, and every slice has ended once. */
static void settle(void)
{
	during_switch = before_sleep = NULL;
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			if (!idles(cpu)) {
				fake_now += thread_runs[cpu].q.slice;
				yield_on(cpu);
			}
		}
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			if (idles(cpu) && !sleeps(cpu)) {
				(void)idle_on(cpu);
			}
		}
	}
}

static void nobody_sleeps_beside_one_that_waits(void **state)
{
	static const uint64_t masks[THREADS] = { 0, 0, 3, 6, 1, 0 };

	srandom(3);
	for (unsigned int round = 0; round < 3000; round++) {
		start(state);
		for (unsigned int i = 0; i < THREADS; i++) {
			threads[i] = make(masks[i]);
		}
		for (unsigned int step = 0; step < 40; step++) {
			act((unsigned int)random() % CPUS);
		}
		settle();
		for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
			assert_false(sleeps(cpu) && waits_beside(cpu));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_lock_at_work_is_no_reason_to_sleep, start),
		cmocka_unit_test_setup(one_that_an_idle_cpu_will_run_stays_there, start),
		cmocka_unit_test_setup(one_on_its_way_off_is_offered, start),
		cmocka_unit_test_setup(one_that_begins_to_wait_before_it_sleeps_is_offered, start),
		cmocka_unit_test_setup(each_sleeper_gets_one, start),
		cmocka_unit_test_setup(one_that_may_not_leave_wakes_nobody, start),
		cmocka_unit_test_setup(one_that_runs_on_lets_others_go, start),
		cmocka_unit_test_setup(work_for_a_group_is_charged_to_it, start),
		cmocka_unit_test_setup(waiting_is_counted, start),
		cmocka_unit_test_setup(nobody_sleeps_beside_one_that_waits, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
