/* SPDX-License-Identifier: BSD-2-Clause */
/* Lends the host's disks and partitions: to one who writes, or to any number who only read. */
/* Tables of partitions are read anew each time: a guest may have changed them. */
#include "hv/mgmt/disk_host.h"

#include "drivers/block/window.h"
#include "drivers/host/host_disk.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/list.h"
#include "hv/lib/string.h"
#include "hv/mutex.h"
#include "hv/vm_config.h"

/* A part of a disk that somebody has open. */
struct loan {
	struct list_node node;
	const struct host_disk *disk;
	uint64_t off;
	uint64_t size;
	bool readonly;
	char user[VM_NAME_MAX];
};

static struct mutex mutex;
static struct list_node loans = LIST_INIT(loans); /* [mutex] */

void disk_host_init(void)
{
	mutex_init(&mutex);
}

/* A loan that has a byte of the range; two that only read do not mind each other. Mutex held. */
static const struct loan *overlapping(const struct host_disk *d, uint64_t off, uint64_t size,
				      bool readonly)
{
	struct list_node *n;

	list_for_each (n, &loans) {
		const struct loan *l = container_of(n, struct loan, node);

		if (l->disk == d && off < l->off + l->size && l->off < off + size &&
		    !(readonly && l->readonly)) {
			return l;
		}
	}
	return NULL;
}

void disk_host_user(const struct host_disk *d, uint64_t off, uint64_t size, char *name,
		    size_t name_size)
{
	const struct loan *l;

	mutex_lock(&mutex);
	l = overlapping(d, off, size, false);
	string_copy(name, l != NULL ? l->user : "", name_size);
	mutex_unlock(&mutex);
}

static void give_back(void *arg)
{
	struct loan *l = arg;

	mutex_lock(&mutex);
	list_remove(&l->node);
	mutex_unlock(&mutex);
	heap_free(l);
}

/* Enters l into the list; -EBUSY and who has it. */
static int lend(struct loan *l, char *user, size_t size)
{
	const struct loan *other;

	mutex_lock(&mutex);
	other = overlapping(l->disk, l->off, l->size, l->readonly);
	if (other != NULL) {
		string_copy(user, other->user, size);
	} else {
		list_push_back(&loans, &l->node);
	}
	mutex_unlock(&mutex);
	return other == NULL ? 0 : -EBUSY;
}

static int find_partition(struct host_disk *d, unsigned int number, struct loan *l, char *why,
			  size_t size)
{
	struct partition_table *t = heap_alloc(sizeof(*t));
	const struct partition *p;
	const char *damage;
	int err = t != NULL ? partition_read(&d->dev, t, &damage) : -ENOMEM;

	if (t == NULL) {
		fmt_snprintf(why, size, "%s: too little memory to open it", d->name);
		return err;
	}
	p = err == 0 ? partition_find(t, number) : NULL;
	if (err != 0) {
		fmt_snprintf(why, size, "%s: its partition table: %s", d->name, damage);
	} else if (p == NULL) {
		fmt_snprintf(why, size, "%s has no partition %u; disk list shows what it has",
			     d->name, number);
		err = -ENOENT;
	} else {
		l->off = p->off;
		l->size = p->size;
	}
	heap_free(t);
	return err;
}

static int open_loan(struct loan *l, struct host_disk *d, const struct disk_host_params *p,
		     struct block_dev **out, char *why, size_t size)
{
	char user[VM_NAME_MAX];
	int err = 0;

	l->disk = d;
	l->size = d->dev.size;
	l->readonly = p->readonly;
	string_copy(l->user, p->user, sizeof(l->user));
	if (d->dev.readonly && !p->readonly) {
		fmt_snprintf(why, size, "%s is read-only: its guest needs readonly = true there",
			     d->name);
		return -EROFS;
	}
	if (p->partition != 0) {
		err = find_partition(d, p->partition, l, why, size);
	}
	if (err != 0) {
		return err;
	}
	err = lend(l, user, sizeof(user));
	if (err != 0) {
		fmt_snprintf(why, size, "%s%s is in use by %s",
			     p->partition != 0 ? "that part of " : "", d->name, user);
		return err;
	}
	const struct window_params w = {
		.base = &d->dev,
		.off = l->off,
		.size = l->size,
		.readonly = l->readonly,
		.closed = give_back,
		.arg = l,
	};

	*out = window_open(&w);
	return *out != NULL ? 0 : -ENOMEM;
}

int disk_host_open(const struct disk_host_params *p, struct block_dev **out, char *why, size_t size)
{
	struct host_disk *d = host_disk_find(p->disk);
	struct loan *l = heap_alloc(sizeof(*l));
	int err;

	*out = NULL;
	if (d == NULL) {
		heap_free(l);
		fmt_snprintf(why, size, "this machine has no disk %s; disk list shows those it has",
			     p->disk);
		return -ENOENT;
	}
	if (l == NULL) {
		fmt_snprintf(why, size, "%s: too little memory to open it", p->disk);
		return -ENOMEM;
	}
	list_init(&l->node);
	err = open_loan(l, d, p, out, why, size);
	if (err == -ENOMEM) {
		fmt_snprintf(why, size, "%s: too little memory to open it", p->disk);
	}
	if (err != 0) {
		give_back(l);
	}
	return err;
}
