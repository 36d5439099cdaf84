/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a thread read each table, which waits for the disk as long as that takes: at most one for each disk. */
/* Keeps no table: a guest may change it at any time. */
#include "hv/mgmt/disk_table.h"

#include "arch/clock.h"
#include "drivers/host/host_disk.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/list.h"
#include "hv/thread.h"

#define ANSWER_NS 5000000000ul

struct reading {
	struct list_node node;
	struct host_disk *disk; /* (c) */
	struct thread *thread;	/* (c) */
	struct thread *console; /* (c) */
	bool done; /* atomic; the rest is the thread's before, the console's after it */
	int err;
	const char *why;
	struct partition_table table;
};

static struct list_node readings = LIST_INIT(readings); /* begun and not ended: the console's */

static bool is_done(const struct reading *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

static void body(void *arg)
{
	struct reading *r = arg;

	r->err = partition_read(&r->disk->dev, &r->table, &r->why);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	thread_unpark(r->console);
}

static struct reading *begin(struct host_disk *d)
{
	struct reading *r = heap_alloc(sizeof(*r));
	const struct thread_params p = { .name = d->name, .body = body, .arg = r };

	if (r == NULL) {
		return NULL;
	}
	r->disk = d;
	r->console = thread_current();
	if (thread_create(&r->thread, &p) != 0) {
		heap_free(r);
		return NULL;
	}
	list_push_back(&readings, &r->node);
	return r;
}

/* It is done. */
static void end(struct reading *r)
{
	thread_join(r->thread);
	list_remove(&r->node);
	heap_free(r);
}

/* Has an earlier reading of d not ended yet? */
static bool owes(const struct host_disk *d)
{
	struct list_node *n;

	list_for_each (n, &readings) {
		struct reading *r = container_of(n, struct reading, node);

		if (r->disk == d && !is_done(r)) {
			return true;
		}
		if (r->disk == d) { /* what it found is old */
			end(r);
			return false;
		}
	}
	return false;
}

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

int disk_table_read(struct host_disk *d, struct partition_table *out, const char **why)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ANSWER_NS);
	struct reading *r;
	int err;

	if (owes(d)) {
		return fail(why, "still no answer", -ETIMEDOUT);
	}
	r = begin(d);
	if (r == NULL) {
		return fail(why, "too little memory", -ENOMEM);
	}
	while (!is_done(r) && clock_now() < deadline) {
		thread_park_until(deadline);
	}
	if (!is_done(r)) {
		return fail(why, "no answer in 5 s", -ETIMEDOUT);
	}
	*out = r->table;
	*why = r->why;
	err = r->err;
	end(r);
	return err;
}
