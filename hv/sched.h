/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's policy seam: run queues of entities, ordered by a policy. Pure: no hardware, no */
/* locks, time is a parameter, so that a host simulator can run it. */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "hv/lib/list.h"
#include "hv/lib/types.h"

#define SCHED_WEIGHT_DEFAULT 256u

/* Entities that share one weight, those of them that want to run: a VM's vCPUs. */
struct sched_group {
	uint32_t weight;
	uint32_t runnable; /* of its entities; atomic */
};

struct sched_entity {
	struct list_node node; /* in its queue while runnable and not running */
	uint64_t vruntime;     /* ticks it ran, times SCHED_WEIGHT_DEFAULT, over its weight */
	uint32_t weight;
	const struct sched_group *group; /* NULL, or: weight is the group's, in equal parts */
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
	/* Should `running`, on the CPU since `ran` ticks, give way to the first that waits? */
	bool (*preempts)(const struct sched_queue *q, const struct sched_entity *running,
			 uint64_t ran);
};

extern const struct sched_ops sched_share_ops;

#endif
