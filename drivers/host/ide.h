/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the IDE driver share: a channel, which carries out one command at a time. */
/* For ide.c and ide_channel.c only. */
#ifndef DRIVERS_HOST_IDE_H
#define DRIVERS_HOST_IDE_H

#include "drivers/host/ata_disk.h"
#include "hv/base/lock.h"
#include "hv/mutex.h"

struct thread;

#define IDE_DRIVES 2u

enum ata_dma { ATA_NO_DATA, ATA_FROM_DISK, ATA_TO_DISK };

struct ide_channel {
	uint16_t command;      /* (c) ports: the command block, */
	uint16_t control;      /* (c) the control register, */
	uint16_t bm;	       /* (c) the bus master's registers of this channel */
	struct mutex busy;     /* one command at a time: the rest is its holder's */
	uint8_t *buffer;       /* (c) what DMA reads and writes */
	uint32_t *prd;	       /* (c) the bus master's table */
	struct spinlock lock;  /* between holder and interrupt handler: the rest of this */
	struct thread *waiter; /* NULL: nothing is under way */
	bool done;	       /* the interrupt came */
	uint8_t status;	       /* as it was then: the drive's, its error register, */
	uint8_t error;
	uint8_t bm_status; /* and the bus master's */
};

/* Memory for DMA, locks; the ports are set. -ENOMEM: ide_channel_free. */
int ide_channel_init(struct ide_channel *ch);
/* Of a channel that no command was given. */
void ide_channel_free(struct ide_channel *ch);
/* The channel's interrupt. */
void ide_channel_irq(void *arg);
/* Resets both drives and waits until they are ready; -ETIMEDOUT. Channel held, or in probe. */
int ide_channel_reset(struct ide_channel *ch);
/* IDENTIFY DEVICE, without an interrupt; false: there is no disk there. */
bool ide_channel_identify(struct ide_channel *ch, unsigned int drive,
			  uint8_t raw[ATA_IDENTIFY_SIZE]);
/*
 * Carries out cmd on a drive, with `bytes` of ch->buffer, and sleeps until its end; channel held. A command
 * that is not answered, or came to grief on the way, is tried again once after a reset. 0, or -EIO with *why,
 * a static text.
 */
int ide_channel_run(struct ide_channel *ch, unsigned int drive, const struct ata_command *cmd,
		    enum ata_dma dma, uint32_t bytes, const char **why);

#endif
