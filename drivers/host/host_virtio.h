/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device of the machine's behind PCI, of any type: where its structures are, features, queues, reset. */
/* "Virtio" 1.2, 4.1; no legacy interface. Threads but for host_virtio_kick, _off and _irq. */
#ifndef DRIVERS_HOST_HOST_VIRTIO_H
#define DRIVERS_HOST_HOST_VIRTIO_H

#include "hv/lib/types.h"

struct host_pci_dev;
struct host_vring;

struct host_virtio {
	struct host_pci_dev *pci;
	volatile uint8_t *common, *isr, *notify, *device; /* (c) mapped; device: NULL, or */
	uint32_t device_len;				  /* so many bytes of configuration */
	uint32_t notify_len, notify_step;		  /* (c) */
	uint64_t features;				  /* agreed upon */
};

/* Maps its structures. Before host_pci_enable. -ENODEV: it has no modern interface. */
int host_virtio_find(struct host_virtio *v, struct host_pci_dev *pci);
/*
 * Resets it and agrees upon those of `wanted` that it offers; VIRTIO_F_VERSION_1 is asked for in any case.
 * -ETIMEDOUT: it does not come out of reset; -ENOTSUP: it does not agree.
 */
int host_virtio_begin(struct host_virtio *v, uint64_t wanted);
/*
 * Gives it a queue, whose ring it takes over, and its interrupt (MSI-X: vector 0 for all). Behind begin, and
 * host_pci_irq_request. *bell: for host_virtio_kick. -ENODEV: no such queue, or smaller than the ring.
 */
int host_virtio_queue(const struct host_virtio *v, uint16_t queue, const struct host_vring *r,
		      volatile uint8_t **bell);
/* It may begin. */
void host_virtio_ready(const struct host_virtio *v);
/* Any context: tells it of what was offered; begins a reset. */
void host_virtio_kick(volatile uint8_t *bell, uint16_t queue);
void host_virtio_off(const struct host_virtio *v);
/* In its interrupt: may it be this device's? */
bool host_virtio_irq(const struct host_virtio *v);

/* Its own configuration: size 1, 2 or 4; 0 where it has none. */
uint32_t host_virtio_config(const struct host_virtio *v, unsigned int off, unsigned int size);
uint64_t host_virtio_config64(const struct host_virtio *v, unsigned int off);

#endif
