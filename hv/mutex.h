/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock that sleeps: for what threads do to each other over long work. */
/* Never from an interrupt window, a timer or with a spinlock held. */
#ifndef HV_MUTEX_H
#define HV_MUTEX_H

#include "hv/base/lock.h"
#include "hv/lib/list.h"

struct thread;

struct mutex {
	struct spinlock lock;
	struct thread *owner;
	struct list_node waiters;
};

void mutex_init(struct mutex *m);
/* BUG if the caller holds it already. */
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
