/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a split virtqueue: "Virtio" 1.2, 2.7. Who uses which descriptor is its user's business. */
/* Trusts nothing that the device writes. No lock. */
#ifndef DRIVERS_HOST_HOST_VRING_H
#define DRIVERS_HOST_HOST_VRING_H

#include "arch/paging.h"
#include "drivers/virtio/virtio_regs.h"

#define HOST_VRING_MAX 128u /* entries: all of it is one page */

struct host_vring {
	uint8_t *mem;  /* (c) a page: descriptors, available ring, used ring */
	uint16_t size; /* (c) entries, a power of two */
	uint16_t avail;
	uint16_t used;
};

/* size: a power of two, up to HOST_VRING_MAX. -ENOMEM. */
int host_vring_init(struct host_vring *r, uint16_t size);
void host_vring_free(struct host_vring *r);
/* Empty again, for a device that was reset. */
void host_vring_restart(struct host_vring *r);
hpa_t host_vring_desc(const struct host_vring *r);
hpa_t host_vring_avail(const struct host_vring *r);
hpa_t host_vring_used(const struct host_vring *r);

/* Descriptor i: `len` bytes at mem; flags: VIRTQ_DESC_WRITE, and NEXT if the chain goes on at `next`. */
void host_vring_put(struct host_vring *r, uint16_t i, const void *mem, uint32_t len, uint16_t flags,
		    uint16_t next);
/* The chain from `head` on is the device's; it is to be notified. */
void host_vring_offer(struct host_vring *r, uint16_t head);

/* Shall the device hear of what was offered? Orders the offers before the question. */
bool host_vring_wants_kick(const struct host_vring *r);

/* No interrupts for what the device is done with, which may come late; */
void host_vring_mute(struct host_vring *r);
/* and again: true if there is something already, for which none will come. */
bool host_vring_listen(struct host_vring *r);

struct host_vring_end {
	uint16_t head; /* below size; whether it was offered is for the user to know */
	uint32_t len;  /* bytes that the device says to have written */
};
/* The next chain that the device is done with: 1; 0: none; -EPROTO: it breaks the rules, reset it. */
int host_vring_collect(struct host_vring *r, struct host_vring_end *out);

#endif
