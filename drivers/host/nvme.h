/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the NVMe driver share: a controller, with a queue for itself and one for its disks. */
/* For nvme.c and nvme_disk.c only. */
#ifndef DRIVERS_HOST_NVME_H
#define DRIVERS_HOST_NVME_H

#include "drivers/host/nvme_queue.h"

struct host_pci_dev;

struct nvme {
	struct host_pci_dev *pci;
	volatile uint8_t *regs;
	struct nvme_queue admin, io;
	char model[41], serial[21];
	uint32_t transfer_max; /* bytes */
	bool cache, dsm, zeroes;
};

/* Makes a namespace of that many sectors of 512 bytes a disk, and lists it. No memory: it is left alone. */
void nvme_disk_add(struct nvme *n, uint32_t nsid, uint64_t sectors);

#endif
