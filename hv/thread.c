/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and the per-CPU run queues: start, park, wake, switch, end. */
/* Order among runnable threads is the policy's (hv/sched.h). */
#include "hv/thread.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "hv/base/heap.h"
#include "hv/base/panic.h"
#include "hv/base/trace.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread_place.h"
#include "hv/thread_run.h"

struct cpu_run thread_runs[CPU_MAX];
unsigned int thread_run_count;
const struct sched_ops *thread_policy = &sched_share_ops;
static struct spinlock all_lock = SPINLOCK_INIT(LOCK_THREADS);
static struct list_node all = LIST_INIT(all); /* [all_lock] */
static uint16_t next_id;		      /* [all_lock] */

static struct cpu_run *this_run(void)
{
	return &thread_runs[cpu_id()];
}

struct thread *thread_current(void)
{
	return this_run()->current;
}

static void slice_over(struct timer *t)
{
	struct cpu_run *r = container_of(t, struct cpu_run, slice);

	__atomic_store_n(&r->resched, true, __ATOMIC_RELAXED);
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
	struct cpu_run *r = this_run();

	spin_init(&r->lock, LOCK_SCHED);
	thread_policy->init(&r->q, clock_hz());
	timer_init_cpu();
	timer_init(&r->slice, slice_over);
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

/* Locks the queue that t belongs to, which may change until the lock is had. */
static struct cpu_run *lock_run_of(const struct thread *t)
{
	for (;;) {
		unsigned int cpu = __atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE);

		spin_lock(&thread_runs[cpu].lock);
		if (t->cpu == cpu) {
			return &thread_runs[cpu];
		}
		spin_unlock(&thread_runs[cpu].lock);
	}
}

/* Sets the alarm for when the policy must look at this CPU's queue again. [O] */
static void set_alarm(struct cpu_run *r)
{
	struct thread *t = r->current;
	uint64_t until;

	__atomic_store_n(&r->rebound, false, __ATOMIC_RELAXED);
	spin_lock(&r->lock);
	until = thread_policy->until(&r->q, t != &r->idle ? &t->se : NULL, t->since);
	spin_unlock(&r->lock);
	if (until != UINT64_MAX) {
		timer_set(&r->slice, u64_max(until, clock_now()));
	} else {
		timer_cancel(&r->slice);
	}
}

/* What the running thread used since it was last charged; it stops. [r->lock] */
static void charge(struct cpu_run *r, uint64_t now)
{
	struct thread *t = r->current;
	uint64_t ran = now - t->since;

	t->time += ran;
	t->since = now;
	thread_policy->advance(&r->q, now);
	if (t != &r->idle) {
		thread_policy->charge(&r->q, &t->se, ran);
	}
	if (t->se.helper) {
		__atomic_fetch_add(&t->se.group->helped, ran, __ATOMIC_RELAXED);
	}
}

/* First thing on the new stack: the old one is free to be run elsewhere. */
static void finish_switch(void)
{
	struct cpu_run *r = this_run();
	struct thread *t = r->current;

	__atomic_store_n(&r->previous->on_cpu, false, __ATOMIC_RELEASE);
	thread_place_offer(r);
	set_alarm(r);
	thread_place_balance(r);
	if (t->p.switched_in != NULL) {
		t->p.switched_in(t->p.arg);
	} else if (t != &r->idle) {
		cpu_work_for(0);
	}
}

/* It could run from now on, but has no CPU. */
static void begin_wait(struct thread *t)
{
	t->ready = clock_now();
}

static void end_wait(struct thread *t, uint64_t now)
{
	t->waited += now > t->ready ? now - t->ready : 0; /* another CPU may have written it */
}

/* Gives the CPU to a thread that is in no queue; the caller has set its own state and queued itself
 * if it may run on. r->lock is held and given up. */
static void switch_to(struct cpu_run *r, struct thread *next)
{
	struct thread *prev = r->current;
	uint64_t now = prev->since; /* it was charged up to here: no time is lost in between */

	next->state = THREAD_RUNNING;
	__atomic_store_n(&r->resched, false, __ATOMIC_RELAXED);
	if (next != prev) {
		next->since = now;
		end_wait(next, now);
		__atomic_store_n(&next->on_cpu, true, __ATOMIC_RELAXED);
		r->current = next;
		r->previous = prev;
	}
	if (next != &r->idle) {
		thread_policy->begin(&r->q, &next->se);
	}
	spin_unlock(&r->lock);
	if (next == prev) {
		thread_place_offer(r);
		set_alarm(r);
		/* Else those behind it would wait until it has had its due. */
		thread_place_balance(r);
		return;
	}
	if (prev->p.switched_out != NULL) {
		prev->p.switched_out(prev->p.arg);
	}
	paging_space_load(next->p.space);
	trace_event_at(now, TRACE_SWITCH, next->id, (uint64_t)next, prev->id);
	cpu_stack_switch(&prev->sp, next->sp);
	finish_switch();
}

/* As switch_to, to the one whose turn it is. */
static void switch_next(struct cpu_run *r)
{
	struct sched_entity *e = thread_policy->pick(&r->q);

	switch_to(r, e != NULL ? thread_of(e) : &r->idle);
}

static void thread_main(void)
{
	struct thread *t = thread_current();

	finish_switch();
	t->p.body(t->p.arg);
	thread_exit();
}

void thread_enqueue(struct thread *t, bool woken)
{
	struct cpu_run *r = &thread_runs[t->cpu];
	struct thread *running;
	bool preempt;

	spin_lock(&r->lock);
	running = r->current;
	thread_policy->advance(&r->q, clock_now());
	thread_policy->enqueue(&r->q, &t->se, woken);
	preempt = running == &r->idle ||
		  thread_policy->preempts(&r->q, &running->se, clock_now() - running->since);
	if (preempt) {
		__atomic_store_n(&r->resched, true, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&r->rebound, true, __ATOMIC_RELAXED);
	spin_unlock(&r->lock);
	if (r != this_run()) {
		cpu_kick(t->cpu); /* also when it need not yield yet: its alarm may change */
	} else if (!preempt) {
		set_alarm(r);
	}
	if (running != &r->idle) {
		thread_place_offer(r);
	}
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
	thread_enqueue(t, false);
	return 0;
}

void thread_exit(void)
{
	struct cpu_run *r = this_run();
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
	charge(r, clock_now());
	count_runnable(t, -1);
	switch_next(r);
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
	struct cpu_run *r = this_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held() || t == &r->idle);
	cpu_irq_window(); /* the next thread's time before it lets interrupts in is its own */
	spin_lock(&r->lock);
	if (t->permit) {
		t->permit = false;
		spin_unlock(&r->lock);
		return;
	}
	charge(r, clock_now());
	t->state = THREAD_PARKED;
	count_runnable(t, -1);
	switch_next(r);
}

void thread_unpark(struct thread *t)
{
	struct cpu_run *r = lock_run_of(t);

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
	thread_enqueue(t, true);
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
	struct cpu_run *r = this_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held());
	spin_lock(&r->lock);
	if (may_go_on(r, clock_now())) {
		__atomic_store_n(&r->resched, false, __ATOMIC_RELAXED);
		spin_unlock(&r->lock);
		set_alarm(r);
		return;
	}
	charge(r, clock_now());
	t->state = THREAD_RUNNABLE;
	begin_wait(t);
	if (t != &r->idle) {
		thread_policy->enqueue(&r->q, &t->se, false);
	}
	switch_next(r);
}

void thread_work_for(struct sched_group *g)
{
	struct cpu_run *r = this_run();
	struct thread *t = r->current;

	BUG_ON(spin_any_held() || t->p.group != NULL || t == &r->idle);
	spin_lock(&r->lock);
	charge(r, clock_now());
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
	struct cpu_run *from = lock_run_of(t);
	struct cpu_run *r = this_run();
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
	struct cpu_run *r = this_run();
	struct thread *me = r->current;

	BUG_ON(spin_any_held() || me == &r->idle);
	if (!thread_waits(t) || !claim(t)) {
		return false;
	}
	spin_lock(&r->lock);
	charge(r, clock_now());
	me->state = THREAD_RUNNABLE;
	begin_wait(me);
	thread_policy->enqueue(&r->q, &me->se, false);
	switch_to(r, t);
	return true;
}

bool thread_should_yield(void)
{
	return __atomic_load_n(&this_run()->resched, __ATOMIC_RELAXED);
}

void thread_checkpoint(void)
{
	struct cpu_run *r = this_run();

	cpu_irq_window();
	if (__atomic_load_n(&r->rebound, __ATOMIC_RELAXED)) {
		set_alarm(r);
	}
	if (thread_should_yield()) {
		thread_yield();
	}
}

void thread_idle_loop(void)
{
	struct cpu_run *r = this_run();

	for (;;) {
		if (r->q.count == 0) {
			thread_place_idle();
		}
		if (__atomic_load_n(&r->rebound, __ATOMIC_RELAXED)) {
			set_alarm(r);
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
