/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's policy seam: run queues of entities, ordered by a policy. Pure: no hardware, no */
/* locks, time is a parameter, so that a host simulator can run it. */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "hv/lib/list.h"
#include "hv/lib/types.h"

#define SCHED_WEIGHT_DEFAULT 256u

struct sched_entity {
	struct list_node node; /* in its queue while runnable and not running */
	uint64_t vruntime;     /* ticks it ran, times SCHED_WEIGHT_DEFAULT, over its weight */
	uint32_t weight;
	bool queued;
	bool started; /* has been in a queue before */
};

struct sched_queue {
	struct list_node ready; /* sorted by vruntime */
	unsigned int count;
	uint64_t min_vruntime; /* never falls: where a waking entity starts */
	uint64_t slice;	       /* ticks one may run while others wait */
	uint64_t wake_bonus;   /* ticks of vruntime that a sleeper is let ahead */
};

struct sched_ops {
	const char *name;
	void (*init)(struct sched_queue *q, uint64_t ticks_per_second);
	/* woken: it slept (and may be owed an early turn); else it was preempted or is new. */
	void (*enqueue)(struct sched_queue *q, struct sched_entity *e, bool woken);
	void (*dequeue)(struct sched_queue *q, struct sched_entity *e);
	/* Takes out and returns the one to run next, NULL if none waits. */
	struct sched_entity *(*pick)(struct sched_queue *q);
	/* e has run for `ran` ticks more. */
	void (*charge)(struct sched_queue *q, struct sched_entity *e, uint64_t ran);
	/* e, in neither queue, moves from one to the other and keeps its lead or lag. */
	void (*migrate)(const struct sched_queue *from, const struct sched_queue *to,
			struct sched_entity *e);
	/* Should `running`, on the CPU since `ran` ticks, give way to the first that waits? */
	bool (*preempts)(const struct sched_queue *q, const struct sched_entity *running,
			 uint64_t ran);
};

extern const struct sched_ops sched_share_ops;

#endif
