/* SPDX-License-Identifier: BSD-2-Clause */
/* One pairing heap of timers per CPU, its root the next to fire. */
/* The hardware alarm is arch/clock. */
#include "hv/timer.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "hv/base/lock.h"
#include "hv/base/panic.h"
#include "hv/thread.h"

#define FIRE_MAX 64u /* callbacks in one alarm; what is left fires in the next window */

struct timer_cpu {
	struct spinlock lock;
	struct timer *root; /* [lock] */
	uint64_t next;	    /* its deadline, CLOCK_NEVER without one; written under lock, atomic */
	bool firing;	    /* [O] timer_alarm runs and arms the clock at its end */
};

static struct timer_cpu cpus[CPU_MAX];

/* The root's memory is its owner's, who may cancel and free it: others read its deadline here. */
static void set_root(struct timer_cpu *c, struct timer *root)
{
	c->root = root;
	__atomic_store_n(&c->next, root != NULL ? root->deadline : CLOCK_NEVER, __ATOMIC_RELAXED);
}

void timer_init_cpu(void)
{
	struct timer_cpu *c = &cpus[cpu_id()];

	spin_init(&c->lock, LOCK_TIMER);
	set_root(c, c->root);
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

static struct timer *merge(struct timer *a, struct timer *b)
{
	if (a == NULL || b == NULL) {
		return a != NULL ? a : b;
	}
	if (b->deadline < a->deadline) {
		struct timer *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL) {
		a->child->prev = b;
	}
	a->child = b;
	return a;
}

/* The two passes that make one heap of a list of siblings. */
static struct timer *merge_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first != NULL) {
		struct timer *a = first;
		struct timer *b = a->next;

		first = b != NULL ? b->next : NULL;
		a->next = NULL;
		a->prev = NULL;
		if (b != NULL) {
			b->next = NULL;
			b->prev = NULL;
		}
		a = merge(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct timer *next = pairs->next;

		pairs->next = NULL;
		root = merge(root, pairs);
		pairs = next;
	}
	return root;
}

/* Takes t out of the heap. [c->lock] */
static void unlink_timer(struct timer_cpu *c, struct timer *t)
{
	struct timer *children = merge_siblings(t->child);

	if (c->root == t) {
		set_root(c, children);
	} else {
		if (t->prev->child == t) {
			t->prev->child = t->next;
		} else {
			t->prev->next = t->next;
		}
		if (t->next != NULL) {
			t->next->prev = t->prev;
		}
		set_root(c, merge(c->root, children));
	}
	t->child = NULL;
	t->next = NULL;
	t->prev = NULL;
	t->queued = false;
}

bool timer_cancel(struct timer *t)
{
	struct timer_cpu *c = &cpus[t->cpu];
	bool was_set;

	if (!t->queued) {
		return false;
	}
	spin_lock(&c->lock);
	was_set = t->queued;
	if (was_set) {
		unlink_timer(c, t);
	}
	spin_unlock(&c->lock);
	return was_set;
}

void timer_set(struct timer *t, uint64_t deadline)
{
	struct timer_cpu *c = &cpus[cpu_id()];
	bool first;

	timer_cancel(t);
	spin_lock(&c->lock);
	t->deadline = deadline;
	t->cpu = cpu_id();
	t->queued = true;
	set_root(c, merge(c->root, t));
	first = c->root == t;
	spin_unlock(&c->lock);
	if (first && !c->firing) {
		clock_arm(deadline);
	}
}

/* Queued, or its callback runs: both change under the lock, from the one to the other and back. */
static bool is_live(const struct timer *t)
{
	struct timer_cpu *c = &cpus[t->cpu];
	bool live;

	spin_lock(&c->lock);
	live = t->queued || __atomic_load_n(&t->running, __ATOMIC_ACQUIRE) != 0;
	spin_unlock(&c->lock);
	return live;
}

/* fn may set the timer again while it is waited for: a periodic one does. */
void timer_destroy(struct timer *t)
{
	timer_cancel(t);
	while (is_live(t)) {
		thread_checkpoint();
		timer_cancel(t);
	}
}

uint64_t timer_next(void)
{
	return __atomic_load_n(&cpus[cpu_id()].next, __ATOMIC_RELAXED);
}

const uint64_t *timer_next_of(unsigned int cpu)
{
	return &cpus[cpu].next;
}

/* Takes out the root if it is due. */
static struct timer *take_due(struct timer_cpu *c, uint64_t now)
{
	struct timer *t;

	spin_lock(&c->lock);
	t = c->root;
	if (t != NULL && t->deadline <= now) {
		unlink_timer(c, t);
		__atomic_fetch_add(&t->running, 1, __ATOMIC_RELAXED);
	} else {
		t = NULL;
	}
	spin_unlock(&c->lock);
	return t;
}

void timer_alarm(void)
{
	struct timer_cpu *c = &cpus[cpu_id()];
	uint64_t now = clock_now();
	struct timer *t;

	c->firing = true;
	for (unsigned int i = 0; i < FIRE_MAX && (t = take_due(c, now)) != NULL; i++) {
		t->fn(t);
		__atomic_fetch_sub(&t->running, 1, __ATOMIC_RELEASE);
	}
	c->firing = false;
	clock_arm(timer_next());
}
