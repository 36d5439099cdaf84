/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's policy seam: run queues of entities, ordered by a policy. Pure: no hardware, no */
/* locks, time is a parameter, so that a host simulator can run it. */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "hv/lib/list.h"
#include "hv/lib/types.h"
#include "hv/sched_budget.h"

#define SCHED_WEIGHT_DEFAULT 256u

/*
 * Ticks that the change from one VM's window to the next one's takes at least: windows begin and end so
 * much earlier, for the guest in the next to begin on time.
 */
#define SCHED_WINDOW_LEAD 2000u

/* When a group runs, under the window policy: from start to start + length of each frame. */
struct sched_window {
	uint64_t frame; /* ticks; 0: it has no window. Frames begin at multiples of it */
	uint64_t start, length;
};

/* Entities that share one weight, those of them that want to run: a VM's vCPUs. */
struct sched_group {
	uint32_t weight;
	uint32_t runnable;	     /* of its entities; atomic */
	struct sched_budget cap;     /* it runs at most so much */
	struct sched_budget reserve; /* it runs at least so much, if it wants to */
	struct sched_window window;
	uint32_t held;	 /* of its entities, by its cap; atomic */
	uint64_t helped; /* ticks that helpers ran for it; atomic */
};

struct sched_entity {
	struct list_node node; /* in its queue while runnable and not running */
	uint64_t vruntime;     /* ticks it ran, times SCHED_WEIGHT_DEFAULT, over its weight */
	uint32_t weight;
	struct sched_group *group; /* NULL, or: weight is the group's, in equal parts */
	uint64_t granted;	   /* of the group's cap, while it runs; else 0 */
	uint64_t not_before;	   /* ticks: until then others of its group come first */
	bool queued;
	bool held;    /* queued, but may not run now */
	bool started; /* has been in a queue before */
	/*
	 * It works for its group beside that: it shares the group's weight, so that the work is paid for,
	 * but neither cap, reservation nor window, so that who waits for it waits no longer for these.
	 */
	bool helper;
};

struct sched_queue {
	struct list_node ready; /* sorted by vruntime */
	struct list_node held;	/* those that may not run now */
	unsigned int count;	/* of the ready */
	unsigned int reserved;	/* of those, in a group with a reservation */
	uint64_t now;		/* ticks; it never falls */
	uint64_t min_vruntime;	/* never falls: where a waking entity starts */
	uint64_t slice;		/* ticks one may run while others wait */
	uint64_t wake_bonus;	/* ticks of vruntime that a sleeper is let ahead */
	uint64_t guard;		/* ticks before a window in which nothing else runs */
};

/*
 * What one CPU does: advance first, whenever it looks at its queue. An entity that gets the CPU is
 * taken out by pick or dequeue, then there is begin; at the end charge, and enqueue if it would go on.
 */
struct sched_ops {
	const char *name;
	void (*init)(struct sched_queue *q, uint64_t ticks_per_second);
	/* It is `now`: those held whose time has come are ready. */
	void (*advance)(struct sched_queue *q, uint64_t now);
	/* woken: it slept (and may be owed an early turn); else it was preempted or is new. */
	void (*enqueue)(struct sched_queue *q, struct sched_entity *e, bool woken);
	void (*dequeue)(struct sched_queue *q, struct sched_entity *e);
	/* Takes out and returns the one to run next, NULL if none that waits may run now. */
	struct sched_entity *(*pick)(struct sched_queue *q);
	/* e, not in the queue, gets the CPU. */
	void (*begin)(struct sched_queue *q, struct sched_entity *e);
	/* e has run for `ran` ticks more, and stops. */
	void (*charge)(struct sched_queue *q, struct sched_entity *e, uint64_t ran);
	/*
	 * e runs here, was just charged and has no group of its own: from now on it works for g; NULL: no
	 * longer for any. What it owes as one is not asked of it as the other.
	 */
	void (*help)(struct sched_queue *q, struct sched_entity *e, struct sched_group *g);
	/*
	 * Ticks: when the CPU must look again (advance, then preempts), if nothing comes in between;
	 * running (NULL: nobody does) since `since`. UINT64_MAX: never.
	 */
	uint64_t (*until)(const struct sched_queue *q, const struct sched_entity *running,
			  uint64_t since);
	/* e, in no queue, moves to this one and keeps what it is owed, within limits. */
	void (*migrate)(const struct sched_queue *to, struct sched_entity *e);
	/*
	 * Between CPUs. level: how far the least advanced one of a CPU has come; running (NULL: nobody
	 * does) since `ran` ticks. surplus: the first that waits, may go (NULL: any) and has come so much
	 * less far than `level` that it should run there, where that is the level; NULL if none. catch_up:
	 * an advance of `level` that is too much to be owed is forgotten.
	 */
	uint64_t (*level)(const struct sched_queue *q, const struct sched_entity *running,
			  uint64_t ran);
	struct sched_entity *(*surplus)(const struct sched_queue *q, uint64_t level,
					bool (*may_go)(struct sched_entity *e, void *arg),
					void *arg);
	void (*catch_up)(struct sched_queue *q, struct sched_entity *running, uint64_t ran,
			 uint64_t level);
	/*
	 * Those whose reservation wants them to run now, the running one included. urgent: the first of
	 * them that waits and may go, NULL if none.
	 */
	unsigned int (*urgent_count)(const struct sched_queue *q,
				     const struct sched_entity *running, uint64_t ran);
	struct sched_entity *(*urgent)(const struct sched_queue *q,
				       bool (*may_go)(struct sched_entity *e, void *arg),
				       void *arg);
	/*
	 * May e, which waits here, go before those that have come less far, because the running one gives
	 * it its turn? Only as far as they then wait hardly longer.
	 */
	bool (*favours)(const struct sched_queue *q, const struct sched_entity *e);
	/* Should `running`, on the CPU since `ran` ticks, give way to the first that waits? */
	bool (*preempts)(const struct sched_queue *q, const struct sched_entity *running,
			 uint64_t ran);
};

extern const struct sched_ops sched_share_ops;
extern const struct sched_ops sched_window_ops;

#endif
