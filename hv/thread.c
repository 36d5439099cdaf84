/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: start, park, wake, yield, end. */
/* Queues and switches are thread_run.c's, order among runnable threads is the policy's (hv/sched.h). */
#include "hv/thread.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "hv/base/heap.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread_place.h"
#include "hv/thread_run.h"

static struct spinlock all_lock = SPINLOCK_INIT(LOCK_THREADS);
static struct list_node all = LIST_INIT(all); /* [all_lock] */
static uint16_t next_id;		      /* [all_lock] */

struct thread *thread_current(void)
{
	return thread_run()->current;
}

static void add_to_all(struct thread *t)
{
	spin_lock(&all_lock);
	t->id = next_id++;
	list_push_back(&all, &t->all);
	spin_unlock(&all_lock);
}

void thread_init_cpu(void)
{
	struct cpu_run *r = thread_run();

	timer_init_cpu();
	thread_run_init(r);
	string_copy(r->idle.name, "idle", sizeof(r->idle.name));
	r->idle.state = THREAD_RUNNING;
	r->idle.on_cpu = true;
	r->idle.cpu = cpu_id();
	r->idle.since = clock_now();
	r->current = &r->idle;
	add_to_all(&r->idle);
	__atomic_store_n(&r->online, true, __ATOMIC_RELEASE);
	__atomic_fetch_add(&thread_run_count, 1, __ATOMIC_SEQ_CST);
}

void thread_set_policy(const struct sched_ops *ops)
{
	__atomic_store_n(&thread_policy, ops, __ATOMIC_RELEASE);
}

/* It could run from now on, but has no CPU. */
static void begin_wait(struct thread *t)
{
	t->ready = clock_now();
}

static void thread_main(void)
{
	struct thread *t = thread_current();

	thread_run_began();
	t->p.body(t->p.arg);
	thread_exit();
}

/* t begins to want a CPU, or ends to. */
static void count_runnable(struct thread *t, int change)
{
	if (t->se.group != NULL) {
		__atomic_fetch_add(&t->se.group->runnable, (uint32_t)change, __ATOMIC_RELAXED);
	}
}

int thread_create(struct thread **out, const struct thread_params *p)
{
	struct thread *t = heap_alloc(sizeof(*t));

	if (t == NULL) {
		return -ENOMEM;
	}
	t->stack = paging_stack_alloc();
	if (t->stack == NULL) {
		heap_free(t);
		return -ENOMEM;
	}
	t->p = *p;
	string_copy(t->name, p->name, sizeof(t->name));
	t->sp = cpu_stack_prepare(t->stack, thread_main);
	t->se.weight = p->weight != 0 ? p->weight : SCHED_WEIGHT_DEFAULT;
	t->se.group = p->group;
	list_init(&t->se.node);
	t->state = THREAD_RUNNABLE;
	count_runnable(t, 1);
	t->cpu = cpu_id();
	while (!thread_place_may(t, t->cpu) || !thread_runs[t->cpu].online) {
		t->cpu = t->cpu + 1 < thread_run_count ? t->cpu + 1 : 0;
	}
	t->cpu = thread_place_choose(t);
	add_to_all(t);
	*out = t;
	begin_wait(t);
	thread_run_enqueue(t, false);
	return 0;
}

void thread_exit(void)
{
	struct cpu_run *r = thread_run();
	struct thread *t = r->current;
	struct thread *joiner;

	cpu_irq_window(); /* as in thread_park(): what it did is not the next thread's */
	spin_lock(&all_lock);
	list_remove(&t->all);
	spin_unlock(&all_lock);
	__atomic_store_n(&t->state, THREAD_DEAD, __ATOMIC_SEQ_CST);
	joiner = __atomic_load_n(&t->joiner, __ATOMIC_SEQ_CST);
	if (joiner != NULL) {
		thread_unpark(joiner);
	}
	spin_lock(&r->lock);
	thread_run_charge(r, clock_now());
	count_runnable(t, -1);
	thread_run_next(r);
	panic_stop("a dead thread ran");
}

void thread_wait(struct thread *t)
{
	__atomic_store_n(&t->joiner, thread_current(), __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t->state, __ATOMIC_SEQ_CST) != THREAD_DEAD) {
		thread_park();
	}
	while (__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE)) {
		thread_checkpoint(); /* leaves the queue's lock alone, which t's CPU may want */
	}
}

void thread_join(struct thread *t)
{
	thread_wait(t);
	paging_stack_free(t->stack);
	heap_free(t);
}

void thread_park(void)
{
	struct cpu_run *r = thread_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held() || t == &r->idle);
	cpu_irq_window(); /* the next thread's time before it lets interrupts in is its own */
	spin_lock(&r->lock);
	if (t->permit) {
		t->permit = false;
		spin_unlock(&r->lock);
		return;
	}
	thread_run_charge(r, clock_now());
	t->state = THREAD_PARKED;
	count_runnable(t, -1);
	thread_run_next(r);
}

void thread_unpark(struct thread *t)
{
	struct cpu_run *r = thread_run_lock(t);

	if (t->state != THREAD_PARKED) {
		t->permit = true;
		spin_unlock(&r->lock);
		return;
	}
	t->state = THREAD_RUNNABLE;
	begin_wait(t);
	count_runnable(t, 1);
	thread_place_woken(t);
	spin_unlock(&r->lock);
	thread_run_enqueue(t, true);
}

struct park_alarm {
	struct timer timer;
	struct thread *thread;
};

static void park_alarm(struct timer *t)
{
	thread_unpark(container_of(t, struct park_alarm, timer)->thread);
}

void thread_park_until(uint64_t deadline)
{
	struct park_alarm a = { .thread = thread_current() };

	timer_init(&a.timer, park_alarm);
	timer_set(&a.timer, deadline);
	thread_park();
	timer_destroy(&a.timer);
}

void thread_sleep(uint64_t ns)
{
	uint64_t end = clock_now() + clock_ns_to_ticks(ns);

	while (clock_now() < end) {
		thread_park_until(end);
	}
}

/* Nobody waits, nor is the time of the running one over. [r->lock] */
static bool may_go_on(struct cpu_run *r, uint64_t now)
{
	struct thread *t = r->current;

	thread_policy->advance(&r->q, now);
	return r->q.count == 0 &&
	       thread_policy->until(&r->q, t != &r->idle ? &t->se : NULL, t->since) > now;
}

void thread_yield(void)
{
	struct cpu_run *r = thread_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held());
	spin_lock(&r->lock);
	if (may_go_on(r, clock_now())) {
		__atomic_store_n(&r->resched, false, __ATOMIC_RELAXED);
		spin_unlock(&r->lock);
		thread_run_set_alarm(r);
		return;
	}
	thread_run_charge(r, clock_now());
	t->state = THREAD_RUNNABLE;
	begin_wait(t);
	if (t != &r->idle) {
		thread_policy->enqueue(&r->q, &t->se, false);
	}
	thread_run_next(r);
}

void thread_work_for(struct sched_group *g)
{
	struct cpu_run *r = thread_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held() || t->p.group != NULL || t == &r->idle);
	spin_lock(&r->lock);
	thread_run_charge(r, clock_now());
	count_runnable(t, -1);
	thread_policy->help(&r->q, &t->se, g);
	count_runnable(t, 1);
	spin_unlock(&r->lock);
}

bool thread_waits(const struct thread *t)
{
	return __atomic_load_n(&t->state, __ATOMIC_RELAXED) == THREAD_RUNNABLE &&
	       !__atomic_load_n(&t->on_cpu, __ATOMIC_RELAXED);
}

/* Takes t out of the queue in which it waits, for this CPU. False if it does not wait, or may not. */
static bool claim(struct thread *t)
{
	struct cpu_run *from = thread_run_lock(t);
	struct cpu_run *r = thread_run();
	bool waits = t->state == THREAD_RUNNABLE && t->se.queued && !t->se.held &&
		     thread_place_may(t, cpu_id()) &&
		     !__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE) &&
		     thread_policy->favours(&from->q, &t->se);

	if (waits) {
		thread_policy->dequeue(&from->q, &t->se);
	}
	if (waits && from != r) {
		thread_policy->migrate(&r->q, &t->se);
		__atomic_store_n(&t->cpu, cpu_id(), __ATOMIC_RELEASE);
	}
	spin_unlock(&from->lock);
	return waits;
}

bool thread_yield_to(struct thread *t)
{
	struct cpu_run *r = thread_run();
	struct thread *me = r->current;

	BUG_ON(spin_any_held() || me == &r->idle);
	if (!thread_waits(t) || !claim(t)) {
		return false;
	}
	spin_lock(&r->lock);
	thread_run_charge(r, clock_now());
	me->state = THREAD_RUNNABLE;
	begin_wait(me);
	thread_policy->enqueue(&r->q, &me->se, false);
	thread_run_switch(r, t);
	return true;
}

bool thread_should_yield(void)
{
	return __atomic_load_n(&thread_run()->resched, __ATOMIC_RELAXED);
}

void thread_checkpoint(void)
{
	struct cpu_run *r = thread_run();

	cpu_irq_window();
	if (__atomic_load_n(&r->rebound, __ATOMIC_RELAXED)) {
		thread_run_set_alarm(r);
	}
	if (thread_should_yield()) {
		thread_yield();
	}
}

void thread_idle_loop(void)
{
	struct cpu_run *r = thread_run();

	for (;;) {
		if (r->q.count == 0) {
			thread_place_idle();
		}
		if (__atomic_load_n(&r->rebound, __ATOMIC_RELAXED)) {
			thread_run_set_alarm(r);
		}
		if (r->q.count == 0 && !thread_should_yield()) {
			cpu_idle();
		}
		thread_place_busy();
		if (r->q.count > 0 || thread_should_yield()) {
			thread_yield();
		}
	}
}

uint64_t thread_time(const struct thread *t)
{
	uint64_t time = t->time;
	uint64_t since = __atomic_load_n(&t->since, __ATOMIC_ACQUIRE);
	uint64_t now =
		clock_now(); /* read last: another CPU may charge it meanwhile, never later */

	return t->state == THREAD_RUNNING && now > since ? time + (now - since) : time;
}

void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	struct list_node *n;

	spin_lock(&all_lock);
	list_for_each (n, &all) {
		fn(container_of(n, struct thread, all), arg);
	}
	spin_unlock(&all_lock);
}
