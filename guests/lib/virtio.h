/* SPDX-License-Identifier: BSD-2-Clause */
/* A minimal driver of one virtio device over PCI: BARs, negotiation, one split ring in own memory. */
/* Asks nothing of the device's type; whoever breaks rules does it through the same functions. */
#ifndef GUESTS_LIB_VIRTIO_H
#define GUESTS_LIB_VIRTIO_H

#include "drivers/virtio/virtio_regs.h"

#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_RING 256u /* most entries of the ring */

struct virtio_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct virtio {
	unsigned int slot;
	uintptr_t common, msix, isr; /* where the structures are mapped */
	unsigned int msix_cap;	     /* offset of that capability */
	uint16_t notify, stride;     /* port of queue 0, and from one to the next */
	unsigned int queue, size;
	uint16_t avail; /* our index */
};

/* The ring, shared by all users: one device at a time. Available and used rings are 16-bit words. */
extern struct virtio_desc virtio_desc[VIRTIO_RING];
extern volatile uint16_t virtio_avail[4 + VIRTIO_RING];
extern volatile uint16_t virtio_used[4 + 4 * VIRTIO_RING];

uint32_t virtio_config_read(unsigned int slot, unsigned int off);
void virtio_config_write(unsigned int slot, unsigned int off, uint32_t val);

/* Finds the device by type, places its BARs and looks up its structures. False if there is none. */
bool virtio_find(struct virtio *v, unsigned int type);
/* Common configuration registers, of 1, 2 or 4 bytes. */
uint32_t virtio_get(const struct virtio *v, unsigned int off, unsigned int size);
void virtio_set(const struct virtio *v, unsigned int off, unsigned int size, uint32_t val);
uint8_t virtio_status(const struct virtio *v);
/* Reset to FEATURES_OK; true if the device agrees. */
bool virtio_negotiate(const struct virtio *v, uint64_t features);
/* Resets the device; the most entries that it offers for this queue. */
unsigned int virtio_queue_max(const struct virtio *v, unsigned int queue);
/* Sets the queue up with the ring's memory and enables it; an empty ring. */
void virtio_queue(struct virtio *v, unsigned int queue, unsigned int size);
/* All of it, up to DRIVER_OK. */
void virtio_start(struct virtio *v, unsigned int queue, unsigned int size, uint64_t features);
/* MSI-X: vector i of the table sends `first` + i to this CPU; the queue uses vector 1. */
void virtio_msix(const struct virtio *v, unsigned int vectors, unsigned int first);
/* Puts a chain into the available ring; makes it visible; notifies. */
void virtio_offer(struct virtio *v, uint16_t head);
void virtio_kick(const struct virtio *v);

#endif
