/* SPDX-License-Identifier: BSD-2-Clause */
/* The balloon of a VM, for the administration: what its guest is asked for, what it gave. */
/* What a page given away means is hv/vm_memory's. */
#ifndef DRIVERS_VIRTIO_VIRTIO_BALLOON_H
#define DRIVERS_VIRTIO_VIRTIO_BALLOON_H

#include "hv/lib/types.h"

struct vm;

#define VIRTIO_BALLOON_UNKNOWN UINT64_MAX

struct virtio_balloon_info {	  /* bytes */
	bool driver;		  /* the guest drives the device */
	uint64_t target;	  /* the RAM that the guest is to have */
	uint64_t actual;	  /* that it has, as its driver says */
	uint64_t free, available; /* as it said when it was last asked, or UNKNOWN: 5.5.6.3 */
};

/*
 * Both: of a VM that is up, the list locked by the caller; take the devices' lock. Asking for the
 * figures lets the guest bring them up to date for the next time. -ENODEV: it has no balloon.
 */
int virtio_balloon_look(struct vm *vm, struct virtio_balloon_info *out);
/* Asks the guest to have that much RAM. -ENODEV also if no driver answers; -EINVAL: it cannot. */
int virtio_balloon_set_target(struct vm *vm, uint64_t bytes);

#endif
