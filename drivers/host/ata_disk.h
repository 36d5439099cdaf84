/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that understands ATA, whatever controller it is behind. */
/* Finds none: controllers' drivers do. */
#ifndef DRIVERS_HOST_ATA_DISK_H
#define DRIVERS_HOST_ATA_DISK_H

#include "drivers/host/ata.h"
#include "drivers/host/disk_job.h"
#include "drivers/host/host_disk.h"

#define ATA_BUFFER (64ul * KIB) /* most bytes that a command moves */

struct ata_disk {
	struct host_disk disk;
	struct ata_identity id;
	/*
	 * (c) By the controller's driver: carries out j, whose command is a struct ata_command, sleeping until
	 * its end; one that is not answered or came to grief on the way may be tried again. 0, or -EIO with
	 * *why, a static text.
	 */
	int (*run)(struct ata_disk *d, const struct disk_job *j, const char **why);
	void *port;
	unsigned int drive;
};

/*
 * Makes d a block device and lists it, by what IDENTIFY DEVICE answered; -Exxx, logged: it cannot be
 * used. In a driver's probe().
 */
int ata_disk_add(struct ata_disk *d, const uint8_t *raw, const char *kind);

#endif
