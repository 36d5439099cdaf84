/* SPDX-License-Identifier: BSD-2-Clause */
/* The per-CPU run queues: who waits there, the switch to the next one, the alarm for another look. */
/* Order among runnable threads is the policy's (hv/sched.h); what threads do is thread.c's. */
#include "hv/thread_run.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "hv/base/trace.h"
#include "hv/thread_place.h"

struct cpu_run thread_runs[CPU_MAX];
unsigned int thread_run_count;
const struct sched_ops *thread_policy = &sched_share_ops;

static void slice_over(struct timer *t)
{
	struct cpu_run *r = container_of(t, struct cpu_run, slice);

	__atomic_store_n(&r->resched, true, __ATOMIC_RELAXED);
}

void thread_run_init(struct cpu_run *r)
{
	spin_init(&r->lock, LOCK_SCHED);
	thread_policy->init(&r->q, clock_hz());
	timer_init(&r->slice, slice_over);
}

void thread_run_set_alarm(struct cpu_run *r)
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

void thread_run_charge(struct cpu_run *r, uint64_t now)
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

void thread_run_began(void)
{
	struct cpu_run *r = thread_run();
	struct thread *t = r->current;

	__atomic_store_n(&r->previous->on_cpu, false, __ATOMIC_RELEASE);
	thread_place_offer(r);
	thread_run_set_alarm(r);
	thread_place_balance(r);
	if (t->p.switched_in != NULL) {
		t->p.switched_in(t->p.arg);
	} else if (t != &r->idle) {
		cpu_work_for(0);
	}
}

static void end_wait(struct thread *t, uint64_t now)
{
	t->waited += now > t->ready ? now - t->ready : 0; /* another CPU may have written it */
}

void thread_run_switch(struct cpu_run *r, struct thread *next)
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
		thread_run_set_alarm(r);
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
	thread_run_began();
}

void thread_run_enqueue(struct thread *t, bool woken)
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
	if (r != thread_run()) {
		cpu_kick(t->cpu); /* also when it need not yield yet: its alarm may change */
	} else if (!preempt) {
		thread_run_set_alarm(r);
	}
	if (running != &r->idle) {
		thread_place_offer(r);
	}
}
