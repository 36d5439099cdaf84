/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes a slot, fills its buffer, waits; turns the controller off and on when an answer does not come. */
/* Knows no command's meaning. */
#include "drivers/host/disk_slots.h"

#include "arch/clock.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define BUFFER_ORDER 4u
#define ANSWER_NS    30000000000ul
#define TRIES	     2u

_Static_assert(PAGE_SIZE << BUFFER_ORDER == DISK_SLOT_BUFFER, "pages in a row");

int disk_slots_init(struct disk_slots *s, const struct disk_slots_ops *ops)
{
	bool all = true;

	spin_init(&s->lock, LOCK_DISK);
	s->ops = ops;
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		mutex_init(&s->slot[i].busy);
		s->slot[i].buffer = page_alloc(BUFFER_ORDER);
		thread_checkpoint(); /* it comes cleared: that takes long */
		all = all && s->slot[i].buffer != NULL;
	}
	return all ? 0 : -ENOMEM;
}

void disk_slots_free(struct disk_slots *s)
{
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		if (s->slot[i].buffer != NULL) {
			page_free(s->slot[i].buffer, BUFFER_ORDER);
		}
	}
}

/* ---- ends ---- */

void disk_slots_end(struct disk_slots *s, unsigned int slot, int result)
{
	struct disk_slot *at = slot < DISK_SLOTS ? &s->slot[slot] : NULL;

	if (at != NULL && at->waiter != NULL && !at->done) {
		at->result = result;
		at->done = true;
		thread_unpark(at->waiter);
	}
}

void disk_slots_stop(struct disk_slots *s)
{
	s->stopped = true;
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		disk_slots_end(s, i, -EAGAIN);
	}
	s->ops->off(s);
}

void disk_slots_go(struct disk_slots *s)
{
	spin_lock(&s->lock);
	s->stopped = false;
	spin_unlock(&s->lock);
}

/* Each in its turn: who has one never waits for another but here. */
static void take_all(struct disk_slots *s)
{
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		mutex_lock(&s->slot[i].busy);
	}
}

static void give_all(struct disk_slots *s)
{
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		mutex_unlock(&s->slot[i].busy);
	}
}

/* Not while the controller may go on with what was there before. */
static bool is_stopped(struct disk_slots *s)
{
	bool stopped;

	spin_lock(&s->lock);
	stopped = s->stopped;
	spin_unlock(&s->lock);
	return stopped;
}

/* All slots are ours. -ENODEV: it stays off. */
static int turn_on(struct disk_slots *s)
{
	if (!is_stopped(s)) {
		return 0;
	}
	if (s->ops->on(s) != 0) {
		return -ENODEV;
	}
	disk_slots_go(s);
	return 0;
}

/* The first who comes does it, the others find it done. */
static int recover(struct disk_slots *s)
{
	int err;

	take_all(s);
	err = turn_on(s);
	give_all(s);
	return err;
}

/* ---- one command ---- */

/* The next slot, or all of them: the first is used then. */
static struct disk_slot *take(struct disk_slots *s, bool all)
{
	unsigned int i = all ? 0 : __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED) % DISK_SLOTS;

	if (all) {
		take_all(s);
	} else {
		mutex_lock(&s->slot[i].busy);
	}
	return &s->slot[i];
}

static void give(struct disk_slots *s, struct disk_slot *slot, bool all)
{
	if (all) {
		give_all(s);
	} else {
		mutex_unlock(&slot->busy);
	}
}

/*
 * What j needs: one, or all if it is to be alone, and where the controller was stopped: then it is on again
 * before somebody else comes who stops it. -ENODEV: it stays off, and none is taken.
 */
static int take_for(struct disk_slots *s, const struct disk_job *j, struct disk_slot **slot,
		    bool *all)
{
	int err;

	*all = j->alone || is_stopped(s);
	*slot = take(s, *all);
	if (!*all && is_stopped(s)) { /* meanwhile */
		give(s, *slot, false);
		*all = true;
		*slot = take(s, true);
	}
	err = *all ? turn_on(s) : 0;
	if (err != 0) {
		give(s, *slot, *all);
	}
	return err;
}

static bool submit(struct disk_slots *s, struct disk_slot *slot, const struct disk_job *j)
{
	bool stopped;

	spin_lock(&s->lock);
	stopped = s->stopped;
	if (!stopped) {
		slot->done = false;
		slot->waiter = thread_current();
		s->ops->submit(s, (unsigned int)(slot - s->slot), j);
	}
	spin_unlock(&s->lock);
	return !stopped;
}

static int wait(struct disk_slots *s, struct disk_slot *slot)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ANSWER_NS);
	bool over = false;

	while (!over) {
		spin_lock(&s->lock);
		over = slot->done || clock_now() >= deadline;
		slot->waiter = over ? NULL : slot->waiter;
		spin_unlock(&s->lock);
		if (!over) {
			thread_park_until(deadline);
		}
	}
	return slot->done ? slot->result : -ETIMEDOUT;
}

static int carry_out(struct disk_slots *s, struct disk_slot *slot, const struct disk_job *j)
{
	int err;

	disk_job_fill(j, slot->buffer);
	err = submit(s, slot, j) ? wait(s, slot) : -EAGAIN;
	if (err == 0) {
		disk_job_take(j, slot->buffer);
	}
	if (err == -ETIMEDOUT) {
		spin_lock(&s->lock); /* before somebody else has the buffer */
		disk_slots_stop(s);
		spin_unlock(&s->lock);
	}
	return err;
}

/* Another try may help. */
static bool is_lost(int err)
{
	return err == -ETIMEDOUT || err == -EAGAIN || err == -EPROTO;
}

int disk_slots_try(struct disk_slots *s, const struct disk_job *j)
{
	struct disk_slot *slot;
	bool all;
	int err = take_for(s, j, &slot, &all);

	if (err != 0) {
		return err;
	}
	err = carry_out(s, slot, j);
	give(s, slot, all);
	return is_lost(err) && recover(s) != 0 ? -ENODEV : err;
}

const char *disk_slots_why(int err)
{
	return err == -EIO	? "the disk reports an error"
	       : err == -EPROTO ? "the disk gave too little"
	       : err == -EAGAIN ? "the link or the controller failed"
				: "the disk does not answer";
}

int disk_slots_run(struct disk_slots *s, const struct disk_job *j, const char **why)
{
	int err = -EAGAIN;

	for (unsigned int i = 0; i < TRIES && is_lost(err); i++) {
		err = disk_slots_try(s, j);
	}
	*why = disk_slots_why(err);
	return err == 0 ? 0 : -EIO;
}
