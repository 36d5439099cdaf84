/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM's configuration to the block device that its guest's disk stands on. */
/* What a format is, is drivers/block's. */
#ifndef HV_MGMT_DISK_H
#define HV_MGMT_DISK_H

#include "drivers/block/block.h"
#include "hv/vm_config.h"

/* Makes VMs find their disks: once, at boot. */
void disk_init(void);

/*
 * Opens what cfg says; user is who others hear has it. 0; or -Exxx and in why, of `size` bytes, one line. A thread, no lock held; the
 * caller closes it by block_close.
 */
int disk_open(const struct vm_disk_config *cfg, const char *user, struct block_dev **out, char *why,
	      size_t size);

#endif
