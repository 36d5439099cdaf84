/* SPDX-License-Identifier: BSD-2-Clause */
/* The modern PCI transport of a virtio device: what its vdev class passes its calls on to. */
/* Devices use virtio_dev.h and virtq.h besides. */
#ifndef DRIVERS_VIRTIO_VIRTIO_PCI_H
#define DRIVERS_VIRTIO_VIRTIO_PCI_H

#include "drivers/emul/vpci_msix.h"
#include "drivers/virtio/virtio_dev.h"

/* Slots that stay the same whatever else a VM has. Disks and NICs follow. */
#define VIRTIO_SLOT_CONSOLE 3u
#define VIRTIO_SLOT_RNG	    4u
#define VIRTIO_SLOT_BALLOON 5u
#define VIRTIO_SLOT_FREE    6u
#define VIRTIO_SLOT_DISKS   8u	/* the first disk's; the others' follow */
#define VIRTIO_SLOT_NIC	    16u /* the first; the others follow */

#define VIRTIO_PCI_STATE_VERSION 2u

struct virtio_pci_state { /* the first member of the device's saved state */
	uint8_t config[VPCI_CONFIG];
	struct vpci_msix_state msix;
	uint8_t isr;
	uint8_t reserved[7];
	struct virtio_dev_state dev;
};

struct virtio_pci {
	struct virtio_dev d;
	struct vpci_function f;
	struct vpci_msix msix;
	struct virtio_pci_state *s;
	unsigned int cap; /* (c) offset of the capability that is a window to the BARs */
};

static inline struct virtio_pci *virtio_pci_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_pci, d);
}

/*
 * From create(): puts the device into that slot. config (may be NULL) holds its configuration for
 * good. As vpci_add.
 */
int virtio_pci_create(struct virtio_pci *p, struct vm *vm, const struct virtio_dev_class *cls,
		      struct virtio_pci_state *s, uint8_t *config, unsigned int slot);
/* From reset(), after_load() and work() of the vdev class. */
void virtio_pci_reset(struct virtio_pci *p);
int virtio_pci_load(struct virtio_pci *p);

#endif
