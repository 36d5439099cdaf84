/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that failed and are to be tried again (on_io_error = "pause"): part of the disk's saved state. */
/* By their heads: what is in them is looked at anew. Devices' lock held. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_RETRY_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_RETRY_H

#include "drivers/virtio/virtio_dev.h"

#define VIRTIO_BLK_RETRIES 16u

struct virtio_blk_retry { /* saved; the first in first */
	uint16_t count;
	struct virtio_blk_retry_one {
		uint16_t queue;
		uint16_t head;
	} one[VIRTIO_BLK_RETRIES];
};
_Static_assert(sizeof(struct virtio_blk_retry) == 66, "saved state");

/* It has room: the caller has no more under way than would fit. */
void virtio_blk_retry_add(struct virtio_blk_retry *r, const struct virtq *q,
			  const struct virtq_chain *c);
/*
 * The first one, which is none of them any more: its queue, and *c is filled. NULL: the device may not
 * touch its queues, or its driver has changed the chain to one that breaks a rule. Count is not 0.
 */
struct virtq *virtio_blk_retry_take(struct virtio_blk_retry *r, struct virtio_dev *d,
				    struct virtq_chain *c);
/* After a load: are they requests that d took and did not complete? */
bool virtio_blk_retry_is_sane(const struct virtio_blk_retry *r, const struct virtio_dev *d);

#endif
