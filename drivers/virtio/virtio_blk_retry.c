/* SPDX-License-Identifier: BSD-2-Clause */
/* A short queue of heads. */
/* When they are tried again is virtio_blk_serve.c's. */
#include "drivers/virtio/virtio_blk_retry.h"

#include "hv/base/panic.h"
#include "hv/lib/string.h"

void virtio_blk_retry_add(struct virtio_blk_retry *r, const struct virtq *q,
			  const struct virtq_chain *c)
{
	BUG_ON(r->count >= VIRTIO_BLK_RETRIES);
	r->one[r->count++] = (struct virtio_blk_retry_one){ q->number, c->head };
}

struct virtq *virtio_blk_retry_take(struct virtio_blk_retry *r, struct virtio_dev *d,
				    struct virtq_chain *c)
{
	struct virtq *q = &d->queue[r->one[0].queue];

	if (!virtq_retake(q, r->one[0].head, c)) {
		return NULL;
	}
	r->count--;
	memmove(&r->one[0], &r->one[1], r->count * sizeof(r->one[0]));
	return q;
}

bool virtio_blk_retry_is_sane(const struct virtio_blk_retry *r, const struct virtio_dev *d)
{
	uint16_t taken[VIRTIO_DEV_QUEUES];

	for (unsigned int i = 0; i < d->queues; i++) {
		taken[i] = (uint16_t)(d->s->queue[i].next - d->s->queue[i].used);
	}
	if (r->count > VIRTIO_BLK_RETRIES) {
		return false;
	}
	for (unsigned int i = 0; i < r->count; i++) {
		const struct virtio_blk_retry_one *one = &r->one[i];

		if (one->queue >= d->queues || taken[one->queue]-- == 0 ||
		    one->head >= d->s->queue[one->queue].size) {
			return false;
		}
	}
	return true;
}
