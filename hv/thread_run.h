/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU's run queue and who runs there: what thread.c and thread_place.c share, and nobody else. */
/* Who switches and wakes is thread.c; who goes where is thread_place.c. */
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

/* Puts t, RUNNABLE and in no queue, into t->cpu's; makes that CPU look if t should run there now. */
void thread_enqueue(struct thread *t, bool woken);

static inline struct thread *thread_of(struct sched_entity *e)
{
	return container_of(e, struct thread, se);
}

#endif
