/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the block device share: virtio_blk.c is the device, virtio_blk_serve.c its queues. */
/* Nobody else includes it. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_PRIV_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_PRIV_H

#include "drivers/virtio/virtio_blk_hold.h"
#include "drivers/virtio/virtio_blk_request.h"
#include "drivers/virtio/virtio_blk_retry.h"
#include "drivers/virtio/virtio_blk_servers.h"
#include "drivers/virtio/virtio_pci.h"

struct virtio_blk_state {
	struct virtio_pci_state pci;
	struct virtio_blk_retry retry;
	uint8_t reserved[6];
	uint64_t sectors; /* a disk of another size is another disk */
};
_Static_assert(sizeof(struct virtio_blk_state) == sizeof(struct virtio_pci_state) + 80,
	       "saved state, without a gap");

struct virtio_blk {
	struct virtio_pci pci;
	struct vm_disk *disk; /* (c) */
	unsigned int index;   /* (c) */
	struct virtio_blk_target target;
	struct virtio_blk_request *unused; /* the rest of this: [dev_lock] */
	unsigned int busy;		   /* requests under way */
	unsigned int turn;		   /* the queue to be looked at first */
	uint32_t waiting; /* queues, by bit, that were not found empty; read without the lock */
	bool complained;  /* of what lies below, in the log */
	bool sleeps;	  /* (c) the disk makes who uses it wait: the servers */
	struct virtio_blk_hold hold;
	struct virtio_blk_servers servers;
	uint8_t config[VIRTIO_BLK_CONFIG];
	struct virtio_blk_state s;
};

/*
 * Takes requests from the queues and carries them out, all that are there or so much that interrupts, pauses
 * and others' turns do not wait for long. Devices' lock held, but not while the disk works. True: there is more.
 */
bool virtio_blk_serve(struct virtio_blk *b);
/* The queue is to be looked at; lock held. */
void virtio_blk_ask(struct virtio_blk *b, unsigned int queue);

#endif
