/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional share: the entity with the least weighted run time runs next. */
/* Pure: a simulator in tests/unit runs this very code. */
#include "hv/sched.h"

#define SLICES_PER_SECOND 200u /* 5 ms */

static void share_init(struct sched_queue *q, uint64_t ticks_per_second)
{
	list_init(&q->ready);
	q->count = 0;
	q->min_vruntime = 0;
	q->slice = ticks_per_second / SLICES_PER_SECOND;
	q->wake_bonus = q->slice / 2;
}

static struct sched_entity *entity(struct list_node *n)
{
	return container_of(n, struct sched_entity, node);
}

/* A sleeper comes back at most wake_bonus ahead of the others: sleeping is no savings account. */
static void share_enqueue(struct sched_queue *q, struct sched_entity *e, bool woken)
{
	uint64_t bonus = woken ? u64_min(q->wake_bonus, q->min_vruntime) : 0;
	struct list_node *pos;

	if (!e->started || woken) {
		e->vruntime = u64_max(e->vruntime, q->min_vruntime - bonus);
		e->started = true;
	}
	for (pos = q->ready.prev; pos != &q->ready; pos = pos->prev) {
		if (entity(pos)->vruntime <= e->vruntime) {
			break;
		}
	}
	list_insert_before(pos->next, &e->node);
	e->queued = true;
	q->count++;
}

static void share_dequeue(struct sched_queue *q, struct sched_entity *e)
{
	list_remove(&e->node);
	e->queued = false;
	q->count--;
}

static struct sched_entity *share_pick(struct sched_queue *q)
{
	struct sched_entity *e;

	if (list_empty(&q->ready)) {
		return NULL;
	}
	e = entity(q->ready.next);
	share_dequeue(q, e);
	q->min_vruntime = u64_max(q->min_vruntime, e->vruntime);
	return e;
}

static uint64_t weighted(const struct sched_entity *e, uint64_t ran)
{
	return ran * SCHED_WEIGHT_DEFAULT / e->weight;
}

static void share_charge(struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	uint64_t least;

	e->vruntime += weighted(e, ran);
	least = list_empty(&q->ready) ? e->vruntime
				      : u64_min(e->vruntime, entity(q->ready.next)->vruntime);
	q->min_vruntime = u64_max(q->min_vruntime, least);
}

static void share_migrate(const struct sched_queue *from, const struct sched_queue *to,
			  struct sched_entity *e)
{
	uint64_t lead = e->vruntime > from->min_vruntime ? e->vruntime - from->min_vruntime : 0;

	e->vruntime = to->min_vruntime + lead;
}

static bool share_preempts(const struct sched_queue *q, const struct sched_entity *running,
			   uint64_t ran)
{
	uint64_t now = running->vruntime + weighted(running, ran);
	uint64_t first;

	if (list_empty(&q->ready)) {
		return false;
	}
	first = entity(q->ready.next)->vruntime;
	return ran >= q->slice ? first <= now : first + q->wake_bonus / 2 < now;
}

const struct sched_ops sched_share_ops = {
	.name = "share",
	.init = share_init,
	.enqueue = share_enqueue,
	.dequeue = share_dequeue,
	.pick = share_pick,
	.charge = share_charge,
	.migrate = share_migrate,
	.preempts = share_preempts,
};
