/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU's run queue and who runs there: for thread.c and thread_place.c, and nobody else. */
/* Who parks and wakes is thread.c; who goes where is thread_place.c. */
#ifndef HV_THREAD_RUN_H
#define HV_THREAD_RUN_H

#include "arch/cpu.h"
#include "hv/base/lock.h"
#include "hv/thread.h"
#include "hv/timer.h"

struct cpu_run {
	struct spinlock lock;
	struct sched_queue q;	 /* [lock] */
	struct thread *current;	 /* [O] writes under lock */
	struct thread *previous; /* [O] whose stack was just left */
	struct thread idle;	 /* never in q */
	struct timer slice;	 /* [O] when the policy wants to look again */
	uint64_t balance_at; /* [O] ticks: not before it looks again at what others have to do */
	unsigned int balance_to; /* [O] whom it looks at first */
	bool resched;		 /* the running thread should yield; atomic */
	bool rebound;		 /* others changed q: the alarm may come too late; atomic */
	bool online;
};

extern struct cpu_run thread_runs[CPU_MAX];
extern unsigned int thread_run_count; /* highest online CPU + 1; atomic, grows as CPUs come up */
extern const struct sched_ops *thread_policy;

static inline struct cpu_run *thread_run(void)
{
	return &thread_runs[cpu_id()];
}

static inline struct thread *thread_of(struct sched_entity *e)
{
	return container_of(e, struct thread, se);
}

/* Locks the queue that t belongs to, which may change until the lock is had. */
static inline struct cpu_run *thread_run_lock(const struct thread *t)
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

/* An empty queue and its alarm; CPU r's timers are there. */
void thread_run_init(struct cpu_run *r);
/* Puts t, RUNNABLE and in no queue, into t->cpu's; makes that CPU look if t should run there now. */
void thread_run_enqueue(struct thread *t, bool woken);
/* Sets the alarm for when the policy must look at this CPU's queue again. [O] */
void thread_run_set_alarm(struct cpu_run *r);
/* What the running thread used since it was last charged; it stops. [r->lock] */
void thread_run_charge(struct cpu_run *r, uint64_t now);
/*
 * Gives the CPU to a thread that is in no queue; the caller was charged, has set its own state and
 * queued itself if it may run on. [r->lock, given up]
 */
void thread_run_switch(struct cpu_run *r, struct thread *next);
/* First thing on a new stack: the old one is free to be run elsewhere. */
void thread_run_began(void);

/* As thread_run_switch, to the one whose turn it is. */
static inline void thread_run_next(struct cpu_run *r)
{
	struct sched_entity *e = thread_policy->pick(&r->q);

	thread_run_switch(r, e != NULL ? thread_of(e) : &r->idle);
}

#endif
