/* SPDX-License-Identifier: BSD-2-Clause */
/* One timer for whatever holds a disk's queue back. */
/* What a request means is not known here. */
#include "drivers/virtio/virtio_blk_hold.h"

#include "arch/clock.h"
#include "hv/base/lock.h"

#define SECOND 1000000000ul

static uint64_t now_ns(void)
{
	return clock_ticks_to_ns(clock_now());
}

static void on_timer(struct timer *t)
{
	struct virtio_blk_hold *h = container_of(t, struct virtio_blk_hold, timer);

	h->look(h);
}

void virtio_blk_hold_init(struct virtio_blk_hold *h, struct vm_disk_limit *limit,
			  void (*look)(struct virtio_blk_hold *h))
{
	h->limit = limit;
	h->look = look;
	timer_init(&h->timer, on_timer);
}

void virtio_blk_hold_end(struct virtio_blk_hold *h, struct spinlock *dev_lock)
{
	spin_lock(dev_lock);
	h->ending = true;
	spin_unlock(dev_lock);
	timer_destroy(&h->timer);
}

/* Limits may be others by the time: it is looked at them every second. */
bool virtio_blk_hold_back(struct virtio_blk_hold *h)
{
	uint64_t now, until;

	if (h->ending || (!vm_disk_limit_is_set(h->limit) && h->rests_until == 0)) {
		return h->ending;
	}
	now = now_ns();
	until = u64_max(vm_disk_limit_wait(h->limit, now), h->rests_until);
	if (until <= now) {
		h->rests_until = 0;
		return false;
	}
	timer_set(&h->timer, clock_now() + 1 + clock_ns_to_ticks(u64_min(until - now, SECOND)));
	return true;
}

/* By the length of its buffers: before it begins, as the time that it takes is to earn nothing twice. */
void virtio_blk_hold_begin(struct virtio_blk_hold *h, const struct virtio_blk_request *r)
{
	if (vm_disk_limit_is_set(h->limit)) {
		vm_disk_limit_charge(h->limit, 1,
				     r->chain.read_len - VIRTIO_BLK_HEADER + r->chain.write_len - 1,
				     now_ns());
	}
}

/* What it zeroed stands in no buffer's length. */
void virtio_blk_hold_done(struct virtio_blk_hold *h, const struct virtio_blk_request *r)
{
	if (r->zeroed != 0) {
		vm_disk_limit_charge(h->limit, 0, r->zeroed, now_ns());
	}
}

void virtio_blk_hold_rest(struct virtio_blk_hold *h)
{
	h->rests_until = now_ns() + SECOND;
}
