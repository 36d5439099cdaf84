/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional share: the entity with the least weighted run time runs next. */
/* Pure: a simulator in tests/unit runs this very code. */
#include "hv/sched.h"

#define SLICES_PER_SECOND 200u	 /* 5 ms */
#define SURPLUS_SLICES	  2u	 /* behind another CPU by more: it may go there */
#define OWED_SLICES	  20u	 /* a lag behind another CPU that is made good; more is forgotten */
#define CREDIT_SLICES	  1u	 /* of a cap that was not used: are kept */
#define LATE_SLICES	  2u	 /* of a reservation: it may come so late and makes it good */
#define GUARD_PARTS	  50000u /* of a second: what root mode may be deaf for, masked */
#define TURN_PARTS	  64u	 /* of a slice: so long others of a capped group may go first */

static void share_init(struct sched_queue *q, uint64_t ticks_per_second)
{
	*q = (struct sched_queue){ .slice = ticks_per_second / SLICES_PER_SECOND };
	list_init(&q->ready);
	list_init(&q->held);
	q->wake_bonus = q->slice / 2;
	q->guard = ticks_per_second / GUARD_PARTS;
}

static struct sched_entity *entity(struct list_node *n)
{
	return container_of(n, struct sched_entity, node);
}

/* ---- caps: who has used up what its group may run is held ---- */

static bool capped(const struct sched_entity *e)
{
	return e->group != NULL && !e->helper && e->group->cap.percent != 0;
}

static bool over_cap(const struct sched_entity *e, uint64_t now)
{
	return capped(e) && (now < e->not_before || !sched_budget_open(&e->group->cap, now));
}

static void hold(struct sched_queue *q, struct sched_entity *e)
{
	list_push_back(&q->held, &e->node);
	e->queued = true;
	e->held = true;
	__atomic_fetch_add(&e->group->held, 1, __ATOMIC_RELAXED);
}

/* ---- reservations: who has had less than its group is promised comes first ---- */

static bool reserved(const struct sched_entity *e)
{
	return e->group != NULL && !e->helper && e->group->reserve.percent != 0;
}

/* It ran for `ran` ticks that are not charged yet. */
static bool is_urgent(const struct sched_entity *e, uint64_t now, uint64_t ran)
{
	return reserved(e) &&
	       sched_budget_opens(&e->group->reserve) + ran * 100 / e->group->reserve.percent <=
		       now;
}

/* When it must have had a slice more, or it will have had less than promised. */
static uint64_t deadline(const struct sched_queue *q, const struct sched_entity *e)
{
	return sched_budget_opens(&e->group->reserve) + q->slice * 100 / e->group->reserve.percent;
}

/* The earliest deadline first. */
static struct sched_entity *share_urgent(const struct sched_queue *q,
					 bool (*may_go)(struct sched_entity *e, void *arg),
					 void *arg)
{
	struct sched_entity *first = NULL;
	struct list_node *n;

	if (q->reserved == 0) {
		return NULL;
	}
	list_for_each (n, &q->ready) {
		struct sched_entity *e = entity(n);

		if (is_urgent(e, q->now, 0) && (may_go == NULL || may_go(e, arg)) &&
		    (first == NULL || deadline(q, e) < deadline(q, first))) {
			first = e;
		}
	}
	return first;
}

static unsigned int share_urgent_count(const struct sched_queue *q,
				       const struct sched_entity *running, uint64_t ran)
{
	unsigned int count = running != NULL && is_urgent(running, q->now, ran);
	struct list_node *n;

	if (q->reserved == 0) {
		return count;
	}
	list_for_each (n, &q->ready) {
		count += is_urgent(entity(n), q->now, 0);
	}
	return count;
}

/* ---- the queue ---- */

static void insert(struct sched_queue *q, struct sched_entity *e)
{
	struct list_node *pos;

	for (pos = q->ready.prev; pos != &q->ready; pos = pos->prev) {
		if (entity(pos)->vruntime <= e->vruntime) {
			break;
		}
	}
	list_insert_before(pos->next, &e->node);
	e->queued = true;
	q->count++;
	q->reserved += reserved(e);
}

/* A sleeper comes back at most wake_bonus ahead of the others: sleeping is no savings account. */
static void share_enqueue(struct sched_queue *q, struct sched_entity *e, bool woken)
{
	uint64_t bonus = woken ? u64_min(q->wake_bonus, q->min_vruntime) : 0;

	if (!e->started || woken) {
		e->vruntime = u64_max(e->vruntime, q->min_vruntime - bonus);
		e->started = true;
	}
	if (over_cap(e, q->now)) {
		hold(q, e);
	} else {
		insert(q, e);
	}
}

static void share_dequeue(struct sched_queue *q, struct sched_entity *e)
{
	list_remove(&e->node);
	e->queued = false;
	if (e->held) {
		e->held = false;
		__atomic_fetch_sub(&e->group->held, 1, __ATOMIC_RELAXED);
		return;
	}
	q->count--;
	q->reserved -= reserved(e);
}

static void share_advance(struct sched_queue *q, uint64_t now)
{
	struct list_node *n, *next;

	q->now = u64_max(q->now, now);
	for (n = q->held.next; n != &q->held; n = next) {
		struct sched_entity *e = entity(n);

		next = n->next;
		if (!over_cap(e, q->now)) {
			share_dequeue(q, e);
			share_enqueue(q, e, true);
		}
	}
}

static struct sched_entity *share_pick(struct sched_queue *q)
{
	struct sched_entity *e;

	for (;;) {
		if (list_empty(&q->ready)) {
			return NULL;
		}
		e = share_urgent(q, NULL, NULL);
		if (e == NULL) {
			e = entity(q->ready.next);
		}
		share_dequeue(q, e);
		if (!over_cap(e, q->now)) {
			return e;
		}
		hold(q, e); /* another of its group was faster */
	}
}

/* What it may run of its cap is spent at once: no two of a group run on the same allowance. */
static void share_begin(struct sched_queue *q, struct sched_entity *e)
{
	uint64_t first = list_empty(&q->ready) ? e->vruntime : entity(q->ready.next)->vruntime;

	q->min_vruntime = u64_max(q->min_vruntime, u64_min(e->vruntime, first));
	if (capped(e)) {
		e->granted = q->slice;
		sched_budget_spend(&e->group->cap, q->now, e->granted, CREDIT_SLICES * q->slice);
	}
}

static uint64_t share_until(const struct sched_queue *q, const struct sched_entity *running,
			    uint64_t since)
{
	uint64_t until = UINT64_MAX;
	struct list_node *n;

	if (running != NULL && (q->count > 0 || running->granted != 0)) {
		until = since + q->slice;
	}
	list_for_each (n, &q->held) {
		until = u64_min(until, u64_max(sched_budget_opens(&entity(n)->group->cap),
					       entity(n)->not_before));
	}
	return until;
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

static void charge_cap(const struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	sched_budget_refund(&e->group->cap, (int64_t)(e->granted - ran));
	e->granted = 0;
	if (__atomic_load_n(&e->group->held, __ATOMIC_RELAXED) > 0) {
		e->not_before =
			u64_max(sched_budget_opens(&e->group->cap), q->now) + q->slice / TURN_PARTS;
	}
}

/* What it had by its reservation is more than its share: that is no debt to the others. */
static void charge_reserve(const struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	sched_budget_spend(&e->group->reserve, q->now - u64_min(ran, q->now), ran,
			   LATE_SLICES * q->slice);
	e->vruntime = u64_min(e->vruntime, q->min_vruntime + OWED_SLICES * q->slice);
}

static void share_charge(struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	uint64_t least;

	e->vruntime += weighted(e, ran);
	if (capped(e)) {
		charge_cap(q, e, ran);
	}
	if (reserved(e)) {
		charge_reserve(q, e, ran);
	}
	least = list_empty(&q->ready) ? e->vruntime
				      : u64_min(e->vruntime, entity(q->ready.next)->vruntime);
	q->min_vruntime = u64_max(q->min_vruntime, least);
}

static void share_help(struct sched_queue *q, struct sched_entity *e, struct sched_group *g)
{
	e->group = g;
	e->helper = g != NULL;
	e->vruntime = u64_min(e->vruntime, q->min_vruntime + q->slice);
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
	bool urgent = is_urgent(running, q->now, ran);
	uint64_t first;

	if (list_empty(&q->ready)) {
		return false;
	}
	if (q->reserved > 0 && share_urgent(q, NULL, NULL) != NULL) {
		return !urgent || ran >= q->slice;
	}
	if (urgent) {
		return false;
	}
	first = entity(q->ready.next)->vruntime;
	return ran >= q->slice ? first <= now : first + q->wake_bonus / 2 < now;
}

/* Else two that give their turns to each other would be the only ones to run. */
static bool share_favours(const struct sched_queue *q, const struct sched_entity *e)
{
	const struct sched_entity *urgent = share_urgent(q, NULL, NULL);

	return (urgent == NULL || urgent == e) &&
	       e->vruntime <= entity(q->ready.next)->vruntime + weighted(e, q->slice);
}

const struct sched_ops sched_share_ops = {
	.name = "share",
	.init = share_init,
	.advance = share_advance,
	.enqueue = share_enqueue,
	.dequeue = share_dequeue,
	.pick = share_pick,
	.begin = share_begin,
	.charge = share_charge,
	.help = share_help,
	.until = share_until,
	.migrate = share_migrate,
	.level = share_level,
	.surplus = share_surplus,
	.catch_up = share_catch_up,
	.urgent_count = share_urgent_count,
	.urgent = share_urgent,
	.favours = share_favours,
	.preempts = share_preempts,
};
