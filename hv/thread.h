/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that runs is a thread: vCPUs, disk workers, the console. Cooperative in root mode. */
/* Which thread runs next is hv/sched; this file starts, parks, wakes and ends them. */
#ifndef HV_THREAD_H
#define HV_THREAD_H

#include "hv/base/lock.h"
#include "hv/lib/list.h"
#include "hv/lib/types.h"
#include "hv/sched.h"

struct vm;
struct paging_space;

enum thread_state { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_PARKED, THREAD_DEAD };

struct thread_params {
	const char *name;
	void (*body)(void *arg);
	void *arg;
	unsigned int weight;		  /* share; 0 = default 256 */
	struct sched_group *group;	  /* NULL, or whose weight it shares instead */
	uint64_t cpus;			  /* mask of allowed CPUs; 0 = all */
	const struct paging_space *space; /* address space it runs in; NULL = kernel */
	void (*switched_in)(void *arg);	  /* NULL or: just got this CPU (a vCPU loads its state) */
	void (*switched_out)(void *arg);  /* NULL or: about to lose it */
};

struct thread {
	struct sched_entity se;	 /* [run queue's lock] */
	struct thread_params p;	 /* (c) */
	char name[24];		 /* (c) */
	uint16_t id;		 /* (c) */
	enum thread_state state; /* [run queue's lock]; read by the joiner */
	bool permit;		 /* [run queue's lock] an unpark came while it was not parked */
	unsigned int cpu;	 /* run queue it belongs to */
	void *stack;		 /* (c) top */
	void *sp;		 /* [O] saved stack pointer while it does not run */
	bool on_cpu;		 /* its stack is in use; atomic */
	uint64_t time;		 /* ticks it ran, up to the last switch */
	uint64_t since;		 /* when it got the CPU */
	uint64_t waited; /* [O] ticks it could have run but had no CPU, up to the last switch */
	uint64_t ready;	 /* when it last began to wait for one; who queues it writes */
	struct list_node all;  /* in the list of all threads */
	struct thread *joiner; /* waits for its end */
};

/* Makes the executing context CPU cpu_id()'s idle thread. Once per CPU, before all else here. */
void thread_init_cpu(void);
/* How all CPUs choose from now on; until then by weight. Before there is any thread in a group. */
void thread_set_policy(const struct sched_ops *ops);
/* The idle loop: runs others, sleeps when there are none. */
void thread_idle_loop(void) NORETURN;

/* Starts a thread; it may run at once on another CPU. -ENOMEM. The caller may keep *out until join. */
int thread_create(struct thread **out, const struct thread_params *p);
/* Waits until t's body has returned. t stays, and may be unparked in vain, until it is joined. */
void thread_wait(struct thread *t);
/* As thread_wait, then frees t. Each thread is joined exactly once. */
void thread_join(struct thread *t);
void thread_exit(void) NORETURN;

struct thread *thread_current(void);

/*
 * Sleeps until thread_unpark; returns at once if one came since the last park. May return without
 * cause: callers loop on their condition. No spinlock held.
 */
void thread_park(void);
/* As thread_park, at most until deadline (ticks). */
void thread_park_until(uint64_t deadline);
/* Wakes t, or lets its next park return at once. Any context, locks below LOCK_SCHED may be held. */
void thread_unpark(struct thread *t);
/* Sleeps at least ns nanoseconds. */
void thread_sleep(uint64_t ns);
/* Lets others run if it is their turn. */
void thread_yield(void);
/* t could run but has no CPU. A guess: it may have changed since. */
bool thread_waits(const struct thread *t);
/*
 * Lets t run here now, out of turn, if it waits for a CPU and may use this one; else false. What it
 * runs is charged to it as ever. No spinlock held.
 */
bool thread_yield_to(struct thread *t);
/*
 * In long work: takes pending interrupts and yields if another thread should run. No spinlock held.
 * Call at least every 10,000 instructions.
 */
void thread_checkpoint(void);
/* True if the executing thread should give up the CPU soon: looked at before each VM entry. */
bool thread_should_yield(void);
/* Total ticks t has run, now. */
uint64_t thread_time(const struct thread *t);

/* Total ticks for which others kept the CPU from t, though it could have run: t's own thread. */
static inline uint64_t thread_waited(const struct thread *t)
{
	return t->waited;
}

/*
 * What the executing thread, which was created without a group, uses from now on is charged to g's
 * weight; NULL: to itself again. g stays as long. No spinlock held.
 */
void thread_work_for(struct sched_group *g);

/* Calls fn for every live thread, with the list locked. */
void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg);

#endif
