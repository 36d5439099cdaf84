/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a disk's threads rests is known under the devices' lock: no wake-up is lost, none is for nothing. */
/* Knows no request. */
#include "drivers/virtio/virtio_blk_servers.h"

#include "hv/base/lock.h"
#include "hv/lib/fmt.h"
#include "hv/vm.h"

static void work(void *arg)
{
	struct virtio_blk_server *me = arg;
	struct spinlock *lock = &me->worker.vm->dev_lock;
	bool more;

	spin_lock(lock);
	me->rests = false;
	more = me->all->serve(me->all);
	me->rests = !more;
	spin_unlock(lock);
	if (more) {
		vm_worker_wake(&me->worker);
	}
}

int virtio_blk_servers_start(struct virtio_blk_servers *s, struct vm *vm, unsigned int disk,
			     bool (*serve)(struct virtio_blk_servers *s))
{
	int err = 0;

	s->serve = serve;
	for (unsigned int i = 0; err == 0 && i < VIRTIO_BLK_SERVERS; i++) {
		struct virtio_blk_server *one = &s->server[i];
		char name[16];

		fmt_snprintf(name, sizeof(name), "disk%u.%u", disk, i);
		one->all = s;
		one->rests = true;
		err = vm_worker_start(&one->worker, vm, name, work, one);
	}
	return err;
}

void virtio_blk_servers_stop(struct virtio_blk_servers *s)
{
	for (unsigned int i = 0; i < VIRTIO_BLK_SERVERS; i++) {
		vm_worker_stop(&s->server[i].worker);
	}
}

void virtio_blk_servers_wake_one(struct virtio_blk_servers *s)
{
	for (unsigned int i = 0; i < VIRTIO_BLK_SERVERS; i++) {
		struct virtio_blk_server *one = &s->server[i];

		if (one->rests) {
			one->rests = false;
			vm_worker_wake(&one->worker);
			return;
		}
	}
}

void virtio_blk_servers_wake_all(struct virtio_blk_servers *s)
{
	for (unsigned int i = 0; i < VIRTIO_BLK_SERVERS; i++) {
		vm_worker_wake(&s->server[i].worker);
	}
}
