/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional share: the entity with the least weighted run time runs next. */
/* Pure: a simulator in tests/unit runs this very code. */
#include "hv/sched.h"

#define SLICES_PER_SECOND 200u /* 5 ms */
#define SURPLUS_SLICES	  2u   /* behind another CPU by more: it may go there */
#define OWED_SLICES	  20u  /* a lag behind another CPU that is made good; more is forgotten */

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
	uint32_t sharers = 1;

	if (e->group == NULL) {
		return ran * SCHED_WEIGHT_DEFAULT / e->weight;
	}
	sharers = __atomic_load_n(&e->group->runnable, __ATOMIC_RELAXED);
	return ran * SCHED_WEIGHT_DEFAULT * (sharers != 0 ? sharers : 1) / e->group->weight;
}

static void share_charge(struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	uint64_t least;

	e->vruntime += weighted(e, ran);
	least = list_empty(&q->ready) ? e->vruntime
				      : u64_min(e->vruntime, entity(q->ready.next)->vruntime);
	q->min_vruntime = u64_max(q->min_vruntime, least);
}

/* It is owed at most so much there that the others wait for OWED_SLICES. */
static void share_migrate(const struct sched_queue *to, struct sched_entity *e)
{
	uint64_t owed = u64_min(OWED_SLICES * to->slice, to->min_vruntime);

	e->vruntime = u64_max(e->vruntime, to->min_vruntime - owed);
}

static uint64_t share_level(const struct sched_queue *q, const struct sched_entity *running,
			    uint64_t ran)
{
	uint64_t level = UINT64_MAX;

	if (running != NULL) {
		level = running->vruntime + weighted(running, ran);
	}
	if (!list_empty(&q->ready)) {
		level = u64_min(level, entity(q->ready.next)->vruntime);
	}
	return level != UINT64_MAX ? level : q->min_vruntime;
}

static struct sched_entity *share_surplus(const struct sched_queue *q, uint64_t level,
					  bool (*may_go)(struct sched_entity *e, void *arg),
					  void *arg)
{
	struct list_node *n;

	list_for_each (n, &q->ready) {
		if (entity(n)->vruntime + SURPLUS_SLICES * q->slice >= level) {
			return NULL; /* nor do those behind it lag enough */
		}
		if (may_go == NULL || may_go(entity(n), arg)) {
			return entity(n);
		}
	}
	return NULL;
}

static void share_catch_up(struct sched_queue *q, struct sched_entity *running, uint64_t ran,
			   uint64_t level)
{
	uint64_t owed = share_level(q, running, ran) + OWED_SLICES * q->slice;
	struct list_node *n;

	if (level <= owed) {
		return;
	}
	list_for_each (n, &q->ready) {
		entity(n)->vruntime += level - owed;
	}
	if (running != NULL) {
		running->vruntime += level - owed;
	}
	q->min_vruntime += level - owed;
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
	.level = share_level,
	.surplus = share_surplus,
	.catch_up = share_catch_up,
	.preempts = share_preempts,
};
