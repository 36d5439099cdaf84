/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed time windows: in each major frame a VM runs in its own window and at no other time. */
/* Pure. What has no window (the hypervisor's threads) runs where no VM that has one wants to. */
#include "hv/base/panic.h"
#include "hv/sched.h"

static const struct sched_ops *const share = &sched_share_ops;

static struct sched_entity *entity(struct list_node *n)
{
	return container_of(n, struct sched_entity, node);
}

static bool windowed(const struct sched_entity *e)
{
	return e->group != NULL && !e->helper && e->group->window.frame != 0;
}

/* How far into e's window `now` is, or into its frame behind it. */
static uint64_t phase(const struct sched_entity *e, uint64_t now)
{
	const struct sched_window *w = &e->group->window;

	return (now + SCHED_WINDOW_LEAD + w->frame - w->start) % w->frame;
}

static bool in_window(const struct sched_entity *e, uint64_t now)
{
	return phase(e, now) < e->group->window.length;
}

static uint64_t window_end(const struct sched_entity *e, uint64_t now)
{
	return now - phase(e, now) + e->group->window.length;
}

static uint64_t next_start(const struct sched_entity *e, uint64_t now)
{
	return now - phase(e, now) + e->group->window.frame;
}

/* When the first of the held windows begins; UINT64_MAX: none. */
static uint64_t first_start(const struct sched_queue *q)
{
	uint64_t first = UINT64_MAX;
	struct list_node *n;

	list_for_each (n, &q->held) {
		if (windowed(entity(n))) {
			first = u64_min(first, next_start(entity(n), q->now));
		}
	}
	return first;
}

/* A thread without a window may run: no window begins so soon that it could be late. */
static bool clear_of_windows(const struct sched_queue *q)
{
	uint64_t first = first_start(q);

	return first == UINT64_MAX || q->now + q->guard < first;
}

static bool may_run(const struct sched_queue *q, const struct sched_entity *e)
{
	return windowed(e) ? in_window(e, q->now) : clear_of_windows(q);
}

static void hold(struct sched_queue *q, struct sched_entity *e)
{
	list_push_back(&q->held, &e->node);
	e->queued = true;
	e->held = true;
}

static void window_init(struct sched_queue *q, uint64_t ticks_per_second)
{
	share->init(q, ticks_per_second);
}

static void window_dequeue(struct sched_queue *q, struct sched_entity *e)
{
	if (!e->held) {
		share->dequeue(q, e);
		return;
	}
	list_remove(&e->node);
	e->queued = false;
	e->held = false;
}

/* Who was held for both would go back and forth for ever: hv/vm_share refuses such a VM. */
static bool has_budget(const struct sched_group *g)
{
	return g != NULL && (g->cap.percent != 0 || g->reserve.percent != 0);
}

static void window_enqueue(struct sched_queue *q, struct sched_entity *e, bool woken)
{
	BUG_ON(has_budget(e->group));
	if (may_run(q, e)) {
		share->enqueue(q, e, woken);
	} else {
		hold(q, e);
	}
}

/* Those whose window is over are held first: they say when the next begins. */
static void hold_ended(struct sched_queue *q)
{
	struct list_node *n, *next;

	for (n = q->ready.next; n != &q->ready; n = next) {
		struct sched_entity *e = entity(n);

		next = n->next;
		if (!may_run(q, e)) {
			window_dequeue(q, e);
			hold(q, e);
		}
	}
}

static void window_advance(struct sched_queue *q, uint64_t now)
{
	struct list_node *n, *next;

	q->now = u64_max(q->now, now);
	hold_ended(q);
	for (n = q->held.next; n != &q->held; n = next) {
		struct sched_entity *e = entity(n);

		next = n->next;
		if (may_run(q, e)) {
			window_dequeue(q, e);
			share->enqueue(q, e, true);
		}
	}
}

/* The owner of the window, else one without. */
static struct sched_entity *first_ready(const struct sched_queue *q)
{
	struct list_node *n;

	list_for_each (n, &q->ready) {
		if (windowed(entity(n))) {
			return entity(n);
		}
	}
	return list_empty(&q->ready) ? NULL : entity(q->ready.next);
}

static struct sched_entity *window_pick(struct sched_queue *q)
{
	struct sched_entity *e = first_ready(q);

	if (e != NULL) {
		window_dequeue(q, e);
	}
	return e;
}

static uint64_t window_until(const struct sched_queue *q, const struct sched_entity *running,
			     uint64_t since)
{
	uint64_t first = first_start(q), until = first;

	if (running != NULL && q->count > 0) {
		until = u64_min(until, since + q->slice);
	}
	if (running != NULL && windowed(running)) {
		until = u64_min(until, window_end(running, since));
	} else if (running != NULL && first != UINT64_MAX) {
		until = u64_min(until, first - u64_min(first, q->guard));
	}
	return until;
}

static bool window_preempts(const struct sched_queue *q, const struct sched_entity *running,
			    uint64_t ran)
{
	const struct sched_entity *first = first_ready(q);

	if (first == NULL) {
		return false;
	}
	if (windowed(first) != windowed(running)) {
		return windowed(first);
	}
	return share->preempts(q, running, ran);
}

static void window_begin(struct sched_queue *q, struct sched_entity *e)
{
	share->begin(q, e);
}

static void window_charge(struct sched_queue *q, struct sched_entity *e, uint64_t ran)
{
	share->charge(q, e, ran);
}

static void window_help(struct sched_queue *q, struct sched_entity *e, struct sched_group *g)
{
	share->help(q, e, g);
}

static void window_migrate(const struct sched_queue *to, struct sched_entity *e)
{
	share->migrate(to, e);
}

static uint64_t window_level(const struct sched_queue *q, const struct sched_entity *running,
			     uint64_t ran)
{
	return share->level(q, running, ran);
}

static struct sched_entity *window_surplus(const struct sched_queue *q, uint64_t level,
					   bool (*may_go)(struct sched_entity *e, void *arg),
					   void *arg)
{
	return share->surplus(q, level, may_go, arg);
}

static void window_catch_up(struct sched_queue *q, struct sched_entity *running, uint64_t ran,
			    uint64_t level)
{
	share->catch_up(q, running, ran, level);
}

/* Windows are the reservations here. */
static unsigned int window_urgent_count(const struct sched_queue *q UNUSED,
					const struct sched_entity *running UNUSED,
					uint64_t ran UNUSED)
{
	return 0;
}

static struct sched_entity *window_urgent(const struct sched_queue *q UNUSED,
					  bool (*may_go)(struct sched_entity *e, void *arg) UNUSED,
					  void *arg UNUSED)
{
	return NULL;
}

static bool window_favours(const struct sched_queue *q, const struct sched_entity *e)
{
	return windowed(e) == windowed(first_ready(q)) && share->favours(q, e);
}

const struct sched_ops sched_window_ops = {
	.name = "window",
	.init = window_init,
	.advance = window_advance,
	.enqueue = window_enqueue,
	.dequeue = window_dequeue,
	.pick = window_pick,
	.begin = window_begin,
	.charge = window_charge,
	.help = window_help,
	.until = window_until,
	.migrate = window_migrate,
	.level = window_level,
	.surplus = window_surplus,
	.catch_up = window_catch_up,
	.urgent_count = window_urgent_count,
	.urgent = window_urgent,
	.favours = window_favours,
	.preempts = window_preempts,
};
