/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads in two queues: those that want in, and those that wait for a change. */
/* First come, first served; nothing is known about what they do inside. */
#include "drivers/block/monitor.h"

#include "hv/base/panic.h"
#include "hv/thread.h"

struct sleeper {
	struct list_node node;
	struct thread *thread;
};

void monitor_init(struct monitor *m)
{
	spin_init(&m->lock, LOCK_MUTEX);
	m->owner = NULL;
	list_init(&m->entering);
	list_init(&m->waiting);
}

static void sleep_until_owner(struct monitor *m, struct thread *self)
{
	while (__atomic_load_n(&m->owner, __ATOMIC_ACQUIRE) != self) {
		thread_park();
	}
}

void monitor_enter(struct monitor *m)
{
	struct sleeper s = { .thread = thread_current() };

	BUG_ON(m->owner == s.thread);
	spin_lock(&m->lock);
	if (m->owner == NULL) {
		m->owner = s.thread;
		spin_unlock(&m->lock);
		return;
	}
	list_push_back(&m->entering, &s.node);
	spin_unlock(&m->lock);
	sleep_until_owner(m, s.thread);
}

/* Makes the first that wants in the owner; with `then` queued behind all that are in front of it. */
static void hand_over(struct monitor *m, struct sleeper *waiter)
{
	struct thread *next = NULL;

	BUG_ON(m->owner != thread_current());
	spin_lock(&m->lock);
	if (waiter != NULL) {
		list_push_back(&m->waiting, &waiter->node);
	}
	if (!list_empty(&m->entering)) {
		struct sleeper *s = container_of(m->entering.next, struct sleeper, node);

		next = s->thread;
		list_remove(&s->node);
	}
	__atomic_store_n(&m->owner, next, __ATOMIC_RELEASE);
	spin_unlock(&m->lock);
	if (next != NULL) {
		thread_unpark(next);
	}
}

void monitor_leave(struct monitor *m)
{
	hand_over(m, NULL);
}

void monitor_wait(struct monitor *m)
{
	struct sleeper s = { .thread = thread_current() };

	hand_over(m, &s);
	sleep_until_owner(m, s.thread);
}

void monitor_wake_all(struct monitor *m)
{
	struct list_node *it, *tmp;

	BUG_ON(m->owner != thread_current());
	spin_lock(&m->lock);
	list_for_each_safe (it, tmp, &m->waiting) {
		list_remove(it);
		list_push_back(&m->entering, it);
	}
	spin_unlock(&m->lock);
}
