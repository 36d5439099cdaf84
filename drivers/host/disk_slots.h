/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands under way at a controller that takes several: a buffer for each, who waits for its end, how long, */
/* and what becomes of all when one is not answered. How a command is told and ends is the driver's. */
#ifndef DRIVERS_HOST_DISK_SLOTS_H
#define DRIVERS_HOST_DISK_SLOTS_H

#include "drivers/host/disk_job.h"
#include "hv/base/lock.h"
#include "hv/mutex.h"

struct thread;

#define DISK_SLOTS	 4u
#define DISK_SLOT_BUFFER (64ul * KIB)

struct disk_slot {
	struct mutex busy;     /* the rest is its holder's, but: */
	uint8_t *buffer;       /* (c) DISK_SLOT_BUFFER bytes in a row, for DMA */
	struct thread *waiter; /* [slots' lock] NULL: nothing is under way */
	bool done;	       /* [slots' lock] */
	int result;	       /* [slots' lock] */
};

struct disk_slots {
	struct spinlock lock; /* also for what the driver's submit and its interrupt share */
	const struct disk_slots_ops *ops; /* (c) */
	bool stopped;			  /* [lock] the controller is off, nothing is submitted */
	unsigned int next;		  /* slot to try; atomic */
	struct disk_slot slot[DISK_SLOTS];
};

struct disk_slots_ops {
	/* Tells the controller of it: slot 0 if it is to be alone. Slots' lock held, no sleep. */
	void (*submit)(struct disk_slots *s, unsigned int slot, const struct disk_job *j);
	/* Begins to: it touches no memory any more when on() has succeeded. Slots' lock held, no sleep. */
	void (*off)(struct disk_slots *s);
	/* Off and on again, sleeping a bounded time; nobody has a slot. 0 or -Exxx: it stays off. */
	int (*on)(struct disk_slots *s);
};

/* Memory, and not stopped. -ENOMEM: disk_slots_free. */
int disk_slots_init(struct disk_slots *s, const struct disk_slots_ops *ops);
void disk_slots_free(struct disk_slots *s);

/*
 * Carries j out, asleep until its end. What is not answered in 30 s turns the controller off and on, and is
 * tried once more, as are others' commands that were under way. 0; -EIO and *why, a static text.
 */
int disk_slots_run(struct disk_slots *s, const struct disk_job *j, const char **why);
/*
 * The same, tried but once: 0; what disk_slots_end() said; -ETIMEDOUT; -EAGAIN: others' trouble stopped it;
 * -ENODEV: the controller stays off.
 */
int disk_slots_try(struct disk_slots *s, const struct disk_job *j);
/* Of such an error, a static text. */
const char *disk_slots_why(int err);
/*
 * A command ended: 0, -EIO (the disk reports an error), -EPROTO (less data than asked for). Slots' lock held;
 * ignored if there is no such command.
 */
void disk_slots_end(struct disk_slots *s, unsigned int slot, int result);
/* Off, with all that is under way, and on again by who comes next. Slots' lock held. */
void disk_slots_stop(struct disk_slots *s);
/* It was set up anew by somebody else than who carries a job out. A thread. */
void disk_slots_go(struct disk_slots *s);

#endif
