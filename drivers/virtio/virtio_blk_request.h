/* SPDX-License-Identifier: BSD-2-Clause */
/* One request to a block device (5.2.6): what it asks for, carried out over the guest's own buffers. */
/* Where it came from and who hears of its end is virtio_blk_serve.c's. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_REQUEST_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_REQUEST_H

#include "drivers/block/block.h"
#include "drivers/virtio/virtio_regs.h"
#include "drivers/virtio/virtq.h"
#include "hv/vm_disk.h"

#define VIRTIO_BLK_RANGES_MAX 32u		       /* of one discard or write-zeroes request */
#define VIRTIO_BLK_RANGE_MAX  (2 * GIB / BLOCK_SECTOR) /* sectors of one of them */

struct virtio_blk_request {
	struct virtio_blk_request *next; /* of those that nobody uses */
	uint8_t *bounce;		 /* NULL or a page, for pieces that are no whole sectors */
	struct virtq_chain chain;
	/* What came of it: */
	uint8_t status;
	enum vm_disk_op op;
	bool counted;	 /* as an op */
	uint64_t bytes;	 /* moved, discarded or zeroed */
	uint64_t zeroed; /* of these */
	uint32_t len;	 /* filled from the start of the writable part */
	int err;	 /* 0, or what went wrong below: -Exxx */
};

struct virtio_blk_target {
	struct block_dev *dev;
	uint64_t features; /* offered and accepted */
	char id[VIRTIO_BLK_ID_BYTES];
};

/* Has it room for a header and a status? If not, the driver broke a rule. */
bool virtio_blk_request_is_whole(const struct virtio_blk_request *r);
/*
 * Carries out what r->chain asks for and writes the status. On a thread of the VM, no lock held; sleeps
 * if the device does, and takes long, with checkpoints. False: the VM ends, it was given up.
 */
bool virtio_blk_request_run(struct virtio_blk_request *r, const struct virtio_blk_target *t);

#endif
