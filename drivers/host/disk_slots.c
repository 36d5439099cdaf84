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
		disk_slots_end(s, i, -ENODEV);
	}
	s->ops->off(s);
}

void disk_slots_go(struct disk_slots *s)
{
	spin_lock(&s->lock);
	s->stopped = false;
	spin_unlock(&s->lock);
}

/* The first who comes does it, the others find it done; false: the controller stays off. */
static bool recover(struct disk_slots *s)
{
	bool on;

	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		mutex_lock(&s->slot[i].busy);
	}
	if (s->stopped && s->ops->on(s) == 0) {
		disk_slots_go(s);
	}
	on = !s->stopped;
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		mutex_unlock(&s->slot[i].busy);
	}
	return on;
}

/* ---- one command ---- */

static struct disk_slot *take(struct disk_slots *s)
{
	unsigned int i = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED) % DISK_SLOTS;

	mutex_lock(&s->slot[i].busy);
	return &s->slot[i];
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

static void fill(uint8_t *to, const struct disk_job *j)
{
	if (j->v == NULL) {
		memset(to, 0, j->bytes);
	}
	for (unsigned int i = 0; i < j->n && !j->reads; i++) {
		memcpy(to, j->v[i].base, j->v[i].len);
		to += j->v[i].len;
	}
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

	if (is_stopped(s)) {
		return -ENODEV;
	}
	fill(slot->buffer, j);
	err = submit(s, slot, j) ? wait(s, slot) : -ENODEV;
	if (err == 0 && j->reads) {
		block_vec_copy(j->v, j->n, 0, slot->buffer, j->bytes);
	}
	if (err == -ETIMEDOUT) {
		spin_lock(&s->lock); /* before somebody else has the buffer */
		disk_slots_stop(s);
		spin_unlock(&s->lock);
	}
	return err;
}

int disk_slots_run(struct disk_slots *s, const struct disk_job *j, const char **why)
{
	bool again = true;
	int err = 0;

	for (unsigned int i = 0; i < TRIES && again; i++) {
		struct disk_slot *slot = take(s);

		err = carry_out(s, slot, j);
		mutex_unlock(&slot->busy);
		again = (err == -ETIMEDOUT || err == -ENODEV) && recover(s);
	}
	*why = err == -EIO ? "the disk reports an error" : "the disk does not answer";
	return err == 0 ? 0 : -EIO;
}
