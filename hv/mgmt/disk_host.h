/* SPDX-License-Identifier: BSD-2-Clause */
/* Who uses which part of the host's disks; partitions and whole disks as block devices. */
/* What a VM's disk is made of is hv/mgmt/disk's. */
#ifndef HV_MGMT_DISK_HOST_H
#define HV_MGMT_DISK_HOST_H

#include "drivers/block/block.h"
#include "drivers/block/partition.h"

struct host_disk;

/* Once, at boot. */
void disk_host_init(void);

struct disk_host_params {
	const char *disk;	/* "ide0" */
	unsigned int partition; /* 0: the whole disk */
	bool readonly;
	const char *user; /* who, for others' errors: copied */
};

/*
 * 0 and the device, which block_close gives back; or -Exxx and one line in why: -ENOENT (no such disk or
 * partition), -EBUSY (who uses it also writes, or p would), -EROFS (the disk is read-only, p is not), and
 * what reading the table returned. A thread.
 */
int disk_host_open(const struct disk_host_params *p, struct block_dev **out, char *why,
		   size_t size);

/* Who has something within [off, off + size) of d open: a name, or "" for nobody. */
void disk_host_user(const struct host_disk *d, uint64_t off, uint64_t size, char *name,
		    size_t name_size);

#endif
