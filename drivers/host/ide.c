/* SPDX-License-Identifier: BSD-2-Clause */
/* IDE controllers with bus-master DMA (PIIX and its like): finds their channels and the disks on */
/* them. Registers of a channel are ide_channel.c's; CD drives stay alone. */
#include "drivers/host/ide.h"

#include "arch/irq.h"
#include "drivers/host/host_pci.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"

/* "PCI IDE Controller Specification" 1.0 */
#define CLASS_IDE	 0x0101u
#define INTERFACE_MASTER 0x80u
#define CHANNELS	 2u
#define BAR_BM		 4u
#define BM_SIZE		 8u
#define CONTROL_OFFSET	 2u

static const struct {
	uint16_t command;
	uint16_t control;
	uint8_t irq;
} legacy[CHANNELS] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };

/* ---- probing ---- */

static int run_on_channel(struct ata_disk *d, const struct disk_job *j, const char **why)
{
	struct ide_channel *ch = d->port;
	enum ata_dma dma = j->bytes == 0 ? ATA_NO_DATA : j->reads ? ATA_FROM_DISK : ATA_TO_DISK;
	int err;

	mutex_lock(&ch->busy);
	disk_job_fill(j, ch->buffer);
	err = ide_channel_run(ch, d->drive, j->command, dma, j->bytes, why);
	if (err == 0) {
		disk_job_take(j, ch->buffer);
	}
	mutex_unlock(&ch->busy);
	return err;
}

static void add_disk(struct host_pci_dev *pci, struct ide_channel *ch, unsigned int drive)
{
	struct ata_disk *d = heap_alloc(sizeof(*d));
	uint8_t raw[ATA_IDENTIFY_SIZE];

	if (d == NULL || !ide_channel_identify(ch, drive, raw)) {
		heap_free(d);
		return;
	}
	d->run = run_on_channel;
	d->port = ch;
	d->drive = drive;
	d->disk.pci = pci;
	if (ata_disk_add(d, raw, "ide") != 0) {
		heap_free(d);
	}
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

static int set_up(struct host_pci_dev *pci, unsigned int i, struct ide_channel *ch)
{
	int err = find_ports(pci, i, ch);

	if (err == 0) {
		err = ide_channel_init(ch);
	}
	host_pci_enable(pci);
	return err == 0 ? connect(pci, i, ch) : err;
}

static int probe_channel(struct host_pci_dev *pci, unsigned int i)
{
	struct ide_channel *ch = heap_alloc(sizeof(*ch));
	int err;

	if (ch == NULL) {
		return -ENOMEM;
	}
	err = set_up(pci, i, ch);
	if (err != 0) {
		ide_channel_free(ch);
		heap_free(ch);
		return err;
	}
	if (ide_channel_reset(ch) == 0) { /* which its interrupt may be called for: ch stays */
		for (unsigned int drive = 0; drive < IDE_DRIVES; drive++) {
			add_disk(pci, ch, drive);
		}
	}
	return 0;
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
