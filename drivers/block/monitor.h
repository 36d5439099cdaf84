/* SPDX-License-Identifier: BSD-2-Clause */
/* A monitor: one thread at a time is inside, also while it sleeps on I/O, and may wait there for */
/* another to change something. What it guards is its owner's to say. */
#ifndef DRIVERS_BLOCK_MONITOR_H
#define DRIVERS_BLOCK_MONITOR_H

#include "hv/base/lock.h"
#include "hv/lib/list.h"

struct thread;

struct monitor {
	struct spinlock lock;
	struct thread *owner;	   /* [L] or NULL; handed over to the first in `entering` */
	struct list_node entering; /* [L] */
	struct list_node waiting;  /* [L] in monitor_wait, until monitor_wake_all */
};

void monitor_init(struct monitor *m);
/* Thread context, no spinlock held; BUG if the caller is inside. */
void monitor_enter(struct monitor *m);
void monitor_leave(struct monitor *m);
/* Leaves, sleeps until monitor_wake_all, and enters again. The caller looks again at what it waits for. */
void monitor_wait(struct monitor *m);
/* The caller is inside. */
void monitor_wake_all(struct monitor *m);

#endif
