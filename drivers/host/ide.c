/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE controllers with bus-master DMA (PIIX and its like): finds their disks and makes them block */
/* devices. Registers of a channel are ide_channel.c's; CD drives stay alone. */
#include "drivers/host/ide.h"

#include "arch/irq.h"
#include "drivers/host/host_disk.h"
#include "drivers/host/host_pci.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

/* "PCI IDE Controller Specification" 1.0 */
#define CLASS_IDE	 0x0101u
#define INTERFACE_MASTER 0x80u
#define CHANNELS	 2u
#define BAR_BM		 4u
#define BM_SIZE		 8u
#define COMMAND_SIZE	 8u
#define CONTROL_OFFSET	 2u

static const struct {
	uint16_t command;
	uint16_t control;
	uint8_t irq;
} legacy[CHANNELS] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };

struct ide_disk {
	struct host_disk disk;
	struct ide_channel *channel;
	unsigned int drive;
	struct ata_identity id;
};

static struct ide_disk *disk_of(struct block_dev *d)
{
	return container_of(d, struct ide_disk, disk.dev);
}

/* ---- the block device ---- */

/* One command, channel held. */
static int run(struct ide_disk *d, const struct ata_command *cmd, enum ide_dma dma, uint32_t bytes,
	       const char *what)
{
	const char *why;
	int err = ide_channel_run(d->channel, d->drive, cmd, dma, bytes, &why);

	if (err != 0) {
		host_disk_failed(&d->disk, what, cmd->lba * BLOCK_SECTOR, why);
	}
	return err;
}

static int read_part(struct ide_disk *d, uint64_t off, const struct block_vec *v, unsigned int n,
		     uint32_t bytes)
{
	struct ata_command cmd =
		ata_read_write(&d->id, false, off / BLOCK_SECTOR, bytes / BLOCK_SECTOR);
	int err;

	mutex_lock(&d->channel->busy);
	err = run(d, &cmd, IDE_FROM_DISK, bytes, "read");
	if (err == 0) {
		block_vec_copy(v, n, 0, d->channel->buffer, bytes);
	}
	mutex_unlock(&d->channel->busy);
	return err;
}

static int write_part(struct ide_disk *d, uint64_t off, const struct block_vec *v, unsigned int n,
		      uint32_t bytes)
{
	struct ata_command cmd =
		ata_read_write(&d->id, true, off / BLOCK_SECTOR, bytes / BLOCK_SECTOR);
	uint8_t *to = d->channel->buffer;
	int err;

	mutex_lock(&d->channel->busy);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to, v[i].base, v[i].len);
		to += v[i].len;
	}
	err = run(d, &cmd, IDE_TO_DISK, bytes, "write");
	mutex_unlock(&d->channel->busy);
	return err;
}

static int transfer(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n,
		    bool write)
{
	struct block_cursor c = { .v = v, .n = n };
	uint64_t left = block_vec_bytes(v, n);
	int err = 0;

	while (err == 0 && left > 0) {
		struct block_vec part[BLOCK_SLICE];
		unsigned int count;
		uint64_t got = block_cursor_take(&c, u64_min(left, IDE_BUFFER), part, &count);

		err = (write ? write_part : read_part)(disk_of(dev), off, part, count,
						       (uint32_t)got);
		off += got;
		left -= got;
		thread_checkpoint();
	}
	return err;
}

static int disk_read(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return transfer(dev, off, v, n, false);
}

static int disk_write(struct block_dev *dev, uint64_t off, const struct block_vec *v,
		      unsigned int n)
{
	return transfer(dev, off, v, n, true);
}

static int disk_flush(struct block_dev *dev)
{
	struct ide_disk *d = disk_of(dev);
	struct ata_command cmd = ata_flush(&d->id);
	int err;

	if (!d->id.cache) {
		return 0;
	}
	mutex_lock(&d->channel->busy);
	err = run(d, &cmd, IDE_NO_DATA, 0, "flush");
	mutex_unlock(&d->channel->busy);
	return err;
}

static int trim_part(struct ide_disk *d, uint64_t lba, uint32_t sectors)
{
	const struct ata_command cmd = { .code = ATA_DATA_SET_MANAGEMENT,
					 .feature = ATA_FEATURE_TRIM,
					 .count = 1,
					 .wide = true };
	int err;

	mutex_lock(&d->channel->busy);
	ata_trim_ranges(d->channel->buffer, lba, sectors);
	err = run(d, &cmd, IDE_TO_DISK, ATA_TRIM_BLOCK, "discard");
	mutex_unlock(&d->channel->busy);
	return err;
}

static int disk_discard(struct block_dev *dev, uint64_t off, uint64_t len)
{
	struct ide_disk *d = disk_of(dev);
	uint64_t lba = off / BLOCK_SECTOR, left = d->id.trim ? len / BLOCK_SECTOR : 0;
	int err = 0;

	while (err == 0 && left > 0) {
		uint32_t part = (uint32_t)u64_min(left, ATA_TRIM_MAX);

		err = trim_part(d, lba, part);
		lba += part;
		left -= part;
		thread_checkpoint();
	}
	return err;
}

static int disk_write_zeroes(struct block_dev *dev, uint64_t off, uint64_t len, bool unmap UNUSED)
{
	struct ide_disk *d = disk_of(dev);
	int err = 0;

	while (err == 0 && len > 0) {
		uint32_t part = (uint32_t)u64_min(len, IDE_BUFFER);
		struct ata_command cmd =
			ata_read_write(&d->id, true, off / BLOCK_SECTOR, part / BLOCK_SECTOR);

		mutex_lock(&d->channel->busy);
		memset(d->channel->buffer, 0, part);
		err = run(d, &cmd, IDE_TO_DISK, part, "write");
		mutex_unlock(&d->channel->busy);
		off += part;
		len -= part;
		thread_checkpoint();
	}
	return err;
}

static const struct block_dev_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
	.write_zeroes = disk_write_zeroes,
	.close = disk_flush,
};

/* ---- probing ---- */

static void add_disk(struct host_pci_dev *pci, struct ide_channel *ch, unsigned int drive)
{
	struct ide_disk *d = heap_alloc(sizeof(*d));
	uint8_t raw[ATA_IDENTIFY_SIZE];
	int err = -ENOMEM;

	if (d == NULL || !ide_channel_identify(ch, drive, raw)) {
		heap_free(d);
		return;
	}
	err = ata_identify(raw, &d->id, &d->disk);
	if (err != 0) {
		log_printf(LOG_HOST, "ide: %s is not usable: %s", d->disk.model, errno_text(err));
		heap_free(d);
		return;
	}
	d->channel = ch;
	d->drive = drive;
	d->disk.pci = pci;
	d->disk.trims = d->id.trim;
	d->disk.dev = (struct block_dev){
		.ops = &disk_ops,
		.size = d->id.sectors * BLOCK_SECTOR,
		.granularity = BLOCK_SECTOR,
	};
	host_disk_add(&d->disk, "ide");
}

static bool is_native(const struct host_pci_dev *pci, unsigned int channel)
{
	return (pci->class >> (2 * channel) & 1) != 0;
}

static int find_ports(const struct host_pci_dev *pci, unsigned int i, struct ide_channel *ch)
{
	struct host_pci_bar bm, command, control;
	int err = host_pci_bar(pci, BAR_BM, &bm);

	if (err != 0 || !bm.io || bm.size < CHANNELS * BM_SIZE) {
		return -ENODEV;
	}
	ch->bm = (uint16_t)(bm.base + i * BM_SIZE);
	ch->command = legacy[i].command;
	ch->control = legacy[i].control;
	if (is_native(pci, i)) {
		if (host_pci_bar(pci, 2 * i, &command) != 0 ||
		    host_pci_bar(pci, 2 * i + 1, &control) != 0 || !command.io || !control.io) {
			return -ENODEV;
		}
		ch->command = (uint16_t)command.base;
		ch->control = (uint16_t)(control.base + CONTROL_OFFSET);
	}
	return 0;
}

static int connect(struct host_pci_dev *pci, unsigned int i, struct ide_channel *ch)
{
	if (is_native(pci, i)) {
		return host_pci_irq_request(pci, ide_channel_irq, ch);
	}
	int err = irq_connect_isa(legacy[i].irq, ide_channel_irq, ch);

	pci->irq = err == 0 ? HOST_PCI_ISA : pci->irq;
	return err;
}

static int probe_channel(struct host_pci_dev *pci, unsigned int i)
{
	struct ide_channel *ch = heap_alloc(sizeof(*ch));
	int err = ch != NULL ? find_ports(pci, i, ch) : -ENOMEM;

	if (err == 0) {
		err = ide_channel_init(ch);
	}
	host_pci_enable(pci);
	if (err == 0) {
		err = connect(pci, i, ch);
	}
	if (err == 0 && ide_channel_reset(ch) == 0) {
		for (unsigned int drive = 0; drive < IDE_DRIVES; drive++) {
			add_disk(pci, ch, drive);
		}
	}
	return err;
}

/* A channel without drives is in order; the other one may have some. */
static int ide_probe(struct host_pci_dev *pci)
{
	int err = 0;

	for (unsigned int i = 0; i < CHANNELS; i++) {
		int e = probe_channel(pci, i);

		err = e != 0 ? e : err;
	}
	return err;
}

static bool ide_match(const struct host_pci_dev *pci)
{
	return pci->class >> 8 == CLASS_IDE && (pci->class & INTERFACE_MASTER) != 0;
}

static const struct host_pci_driver ide_driver = {
	.name = "ide",
	.match = ide_match,
	.probe = ide_probe,
};
HOST_PCI_REGISTER(ide_driver);
