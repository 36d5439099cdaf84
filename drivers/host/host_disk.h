/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's disks by name (ide0, ahci1 ...), as their drivers found them. */
/* Who uses one, and its partitions, is hv/mgmt/disk_host's. */
#ifndef DRIVERS_HOST_HOST_DISK_H
#define DRIVERS_HOST_HOST_DISK_H

#include "drivers/block/block.h"
#include "hv/lib/types.h"

struct host_pci_dev;

struct host_disk {
	struct host_disk *next; /* in the order in which they were added */
	char name[12];
	char model[41]; /* as the disk says; printable */
	char serial[21];
	const struct host_pci_dev *pci; /* (c) the function that it is behind */
	struct block_dev dev;		/* (c) never closed; its calls sleep */
	bool trims;			/* (c) discards reach the disk */
	uint64_t errors;		/* requests that failed since boot; atomic */
};

/* Names it KIND and the least free number and lists it for good. In a driver's probe(). */
void host_disk_add(struct host_disk *d, const char *kind);
/* The one after d, or the first if d is NULL; NULL at the end. After host_pci_wait. */
struct host_disk *host_disk_next(struct host_disk *d);
/* NULL: there is none of that name. */
struct host_disk *host_disk_find(const char *name);
/* A request failed: counts it, and logs the first one of this disk with what, off and why. */
void host_disk_failed(struct host_disk *d, const char *what, uint64_t off, const char *why);

#endif
