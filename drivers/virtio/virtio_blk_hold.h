/* SPDX-License-Identifier: BSD-2-Clause */
/* When the next request of a disk may begin: its limits, and a rest after one that failed. */
/* Carries none out. Devices' lock held but where it says so. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_HOLD_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_HOLD_H

#include "drivers/virtio/virtio_blk_request.h"
#include "hv/timer.h"

struct spinlock;

struct virtio_blk_hold {
	struct timer timer; /* set: something holds the queue back */
	struct vm_disk_limit *limit;
	uint64_t rests_until; /* ns */
	bool ending;	      /* nothing begins any more */
	void (*look)(struct virtio_blk_hold *h);
};

/* look: the queue may be served again; as a timer's fn. No lock; at the device's creation, and before its end. */
void virtio_blk_hold_init(struct virtio_blk_hold *h, struct vm_disk_limit *limit,
			  void (*look)(struct virtio_blk_hold *h));
void virtio_blk_hold_end(struct virtio_blk_hold *h, struct spinlock *dev_lock);
/* True: the next request is too early; look() comes when it is not. */
bool virtio_blk_hold_back(struct virtio_blk_hold *h);
/* r begins; r has ended, well or not. */
void virtio_blk_hold_begin(struct virtio_blk_hold *h, const struct virtio_blk_request *r);
void virtio_blk_hold_done(struct virtio_blk_hold *h, const struct virtio_blk_request *r);
/* The next one is the same again: not at once. */
void virtio_blk_hold_rest(struct virtio_blk_hold *h);

#endif
