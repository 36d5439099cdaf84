/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the AHCI driver share: a port, which carries out commands, several at a time if they */
/* are queued. For ahci.c and ahci_port.c only. */
#ifndef DRIVERS_HOST_AHCI_H
#define DRIVERS_HOST_AHCI_H

#include "drivers/host/ata_disk.h"
#include "drivers/host/disk_slots.h"

#define AHCI_PORT_SIZE 0x80u /* bytes of registers */

struct ahci_port {
	volatile uint32_t *regs; /* (c) */
	bool wide;		 /* (c) the controller reaches memory above 4 GiB */
	bool queues;		 /* (c) and has several commands under way at a disk that can */
	uint8_t *lists;		 /* (c) a page: command list, received FISes, command tables */
	struct disk_slots slots; /* its lock is that of the rest */
	unsigned int unqueued;	 /* atomic: commands that were answered only without the queue */
	bool told;		 /* atomic: that so many were is logged */
	bool alone;		 /* what is under way is not queued */
	uint32_t expected;	 /* of that: bytes that are to come */
};

/*
 * Memory, a disk at the other end, and the port runs: -ENOMEM, -ENODEV (no disk), -ETIMEDOUT. p->regs is
 * set, the controller was reset. On failure ahci_port_free().
 */
int ahci_port_start(struct ahci_port *p);
void ahci_port_free(struct ahci_port *p);
void ahci_port_irq(struct ahci_port *p);
/*
 * Carries out j, whose command is a struct ata_command. queued: together with others; if that fails, by
 * whosever fault, once more alone, but not if the port cannot be reset. 0, or -EIO with *why, a static
 * text. Sleeps.
 */
int ahci_port_run(struct ahci_port *p, const struct disk_job *j, bool queued, const char **why);

#endif
