/* SPDX-License-Identifier: BSD-2-Clause */
/* The partition tables of the host's disks, for a console that waits for no disk long. */
/* What is in a table is drivers/block/partition's. */
#ifndef HV_MGMT_DISK_TABLE_H
#define HV_MGMT_DISK_TABLE_H

#include "drivers/block/partition.h"

struct host_disk;

/*
 * Reads d's table: 0 and *out; or -Exxx and *why, static text: -ETIMEDOUT after 5 s, or at once while
 * a disk still owes the answer to an earlier call; and as partition_read. The console's thread.
 */
int disk_table_read(struct host_disk *d, struct partition_table *out, const char **why);

#endif
