/* SPDX-License-Identifier: BSD-2-Clause */
/* The sleeping lock: ownership is handed to the first that waits. */
/* No priority inheritance: holders are the administration's threads. */
#include "hv/mutex.h"

#include "hv/base/panic.h"
#include "hv/thread.h"

struct waiter {
	struct list_node node;
	struct thread *thread;
};

void mutex_init(struct mutex *m)
{
	spin_init(&m->lock, LOCK_MUTEX);
	m->owner = NULL;
	list_init(&m->waiters);
}

void mutex_lock(struct mutex *m)
{
	struct waiter w = { .thread = thread_current() };

	BUG_ON(m->owner == w.thread);
	spin_lock(&m->lock);
	if (m->owner == NULL) {
		m->owner = w.thread;
		spin_unlock(&m->lock);
		return;
	}
	list_push_back(&m->waiters, &w.node);
	spin_unlock(&m->lock);
	while (__atomic_load_n(&m->owner, __ATOMIC_ACQUIRE) != w.thread) {
		thread_park();
	}
}

void mutex_unlock(struct mutex *m)
{
	struct thread *next = NULL;

	BUG_ON(m->owner != thread_current());
	spin_lock(&m->lock);
	if (!list_empty(&m->waiters)) {
		struct waiter *w = container_of(m->waiters.next, struct waiter, node);

		next = w->thread;
		list_remove(&w->node);
	}
	__atomic_store_n(&m->owner, next, __ATOMIC_RELEASE);
	if (next != NULL) {
		thread_unpark(
			next); /* locked: once it knows, it may be gone before we have looked */
	}
	spin_unlock(&m->lock);
}
