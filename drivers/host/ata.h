/* SPDX-License-Identifier: BSD-2-Clause */
/* ATA as every controller speaks it: commands, status bits, what IDENTIFY DEVICE says. */
/* How a command reaches a disk is ide's and ahci's. */
#ifndef DRIVERS_HOST_ATA_H
#define DRIVERS_HOST_ATA_H

#include "hv/lib/types.h"

struct host_disk;

/* "ATA/ATAPI Command Set - 2", "Command code usage" */
enum ata_command_code {
	ATA_DATA_SET_MANAGEMENT = 0x06,
	ATA_READ_DMA_EXT = 0x25,
	ATA_WRITE_DMA_EXT = 0x35,
	ATA_READ_FPDMA_QUEUED = 0x60,
	ATA_WRITE_FPDMA_QUEUED = 0x61,
	ATA_READ_DMA = 0xc8,
	ATA_WRITE_DMA = 0xca,
	ATA_FLUSH_CACHE = 0xe7,
	ATA_FLUSH_CACHE_EXT = 0xea,
	ATA_IDENTIFY_DEVICE = 0xec,
};

#define ATA_STATUS_ERR	  0x01u
#define ATA_STATUS_DRQ	  0x08u
#define ATA_STATUS_DF	  0x20u /* device fault */
#define ATA_STATUS_BSY	  0x80u
#define ATA_DEVICE_LBA	  0x40u
#define ATA_FEATURE_TRIM  0x01u
#define ATA_IDENTIFY_SIZE 512u
#define ATA_TRIM_BLOCK	  512u	 /* bytes of ranges in one TRIM command */
#define ATA_TRIM_RANGE	  65535u /* sectors of one range */
#define ATA_TRIM_MAX	  (ATA_TRIM_BLOCK / 8 * ATA_TRIM_RANGE) /* sectors of one command */

/* One command, whatever carries it. */
struct ata_command {
	uint8_t code;
	uint8_t feature;
	uint64_t lba;	/* in sectors */
	uint32_t count; /* sectors; of 65536 and 256 the register holds 0 */
	bool wide;	/* 48-bit address */
};

struct ata_identity {
	uint64_t sectors;
	bool wide;  /* LBA48 */
	bool cache; /* has a flush command */
	bool trim;
	unsigned int queue; /* commands that it takes at once (NCQ); 0: it has no queue */
};

/*
 * Takes the 512 bytes of IDENTIFY DEVICE apart: *out, and d's model and serial. -ENOTSUP: a disk
 * without LBA and DMA, or with sectors of another size than 512; -EINVAL: of size 0, or more than fits.
 */
int ata_identify(const uint8_t *raw, struct ata_identity *out, struct host_disk *d);
/* Fills a block with the ranges of a TRIM of at most ATA_TRIM_MAX sectors. */
void ata_trim_ranges(uint8_t *block, uint64_t lba, uint32_t sectors);

struct ata_command ata_read_write(const struct ata_identity *id, bool write, uint64_t lba,
				  uint32_t count);
struct ata_command ata_flush(const struct ata_identity *id);

#endif
