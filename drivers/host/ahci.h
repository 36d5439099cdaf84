/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the AHCI driver share: a port, which carries out one command at a time. */
/* For ahci.c and ahci_port.c only. */
#ifndef DRIVERS_HOST_AHCI_H
#define DRIVERS_HOST_AHCI_H

#include "drivers/host/ata_disk.h"
#include "hv/base/lock.h"
#include "hv/mutex.h"

struct thread;

#define AHCI_PORT_SIZE 0x80u /* bytes of registers */

struct ahci_port {
	volatile uint32_t *regs; /* (c) */
	bool wide;		 /* (c) the controller reaches memory above 4 GiB */
	struct mutex busy;	 /* one command at a time: the rest is its holder's */
	uint8_t *buffer;	 /* (c) what DMA reads and writes */
	uint8_t *lists;		 /* (c) a page: command list, received FISes, command table */
	bool down;		 /* it could not be reset: that comes before all else */
	struct spinlock lock;	 /* between holder and interrupt handler: the rest of this */
	struct thread *waiter;	 /* NULL: nothing is under way */
	bool done;		 /* the interrupt came */
	uint32_t cause;		 /* what it was for, */
	uint32_t task_file;	 /* and the disk's status and error then */
};

/*
 * Memory, a disk at the other end, and the port runs: -ENOMEM, -ENODEV (no disk), -ETIMEDOUT. p->regs is
 * set, the controller was reset. On failure ahci_port_free().
 */
int ahci_port_start(struct ahci_port *p);
void ahci_port_free(struct ahci_port *p);
void ahci_port_irq(struct ahci_port *p);
/* As ata_disk.run; p->busy held, or in probe. */
int ahci_port_run(struct ahci_port *p, const struct ata_command *cmd, enum ata_dma dma,
		  uint32_t bytes, const char **why);

#endif
