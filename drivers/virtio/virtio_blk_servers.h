/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of a disk that makes who uses it wait: as many as its requests that are under way at once. */
/* What they do is virtio_blk_serve.c's. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_SERVERS_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_SERVERS_H

#include "hv/vm_worker.h"

#define VIRTIO_BLK_SERVERS 4u /* a controller of the host's has as many commands under way */

struct virtio_blk_servers {
	/* A bounded part, devices' lock held, which it may give up meanwhile. True: there is more. */
	bool (*serve)(struct virtio_blk_servers *s); /* (c) */
	struct virtio_blk_server {
		struct vm_worker worker;
		struct virtio_blk_servers *all; /* (c) */
		bool rests; /* [dev_lock] it has found nothing to do, and was not woken since */
	} server[VIRTIO_BLK_SERVERS];
};

/* In the device's create(); disk: its number, for the threads' names. -ENOMEM: virtio_blk_servers_stop. */
int virtio_blk_servers_start(struct virtio_blk_servers *s, struct vm *vm, unsigned int disk,
			     bool (*serve)(struct virtio_blk_servers *s));
/* In destroy(): as vm_worker_stop. */
void virtio_blk_servers_stop(struct virtio_blk_servers *s);
/* Has one more serve; those who are at it look again anyway before they rest. Devices' lock held. */
void virtio_blk_servers_wake_one(struct virtio_blk_servers *s);
/* Any context. */
void virtio_blk_servers_wake_all(struct virtio_blk_servers *s);

#endif
