/* SPDX-License-Identifier: BSD-2-Clause */
/* An ATA disk as a block device: requests become commands, by way of a buffer that DMA reaches. */
/* How a command reaches the disk is its controller's. */
#include "drivers/host/ata_disk.h"

#include "drivers/host/disk_pieces.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

static struct ata_disk *disk_of(struct block_dev *d)
{
	return container_of(d, struct ata_disk, disk.dev);
}

static int run(struct ata_disk *d, const struct disk_job *j, const char *what)
{
	const struct ata_command *cmd = j->command;
	const char *why;
	int err = d->run(d, j, &why);

	if (err != 0) {
		host_disk_failed(&d->disk, what, cmd->lba * BLOCK_SECTOR, why);
	}
	return err;
}

/* Data, or zeros to write. */
static int move(struct block_dev *dev, const struct disk_piece *p)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = ata_read_write(&d->id, p->write, p->off / BLOCK_SECTOR,
						      (uint32_t)(p->len / BLOCK_SECTOR));
	const struct disk_job j = {
		.command = &cmd, .v = p->v, .n = p->n, .bytes = (uint32_t)p->len, .reads = !p->write
	};

	return run(d, &j, p->write ? "write" : "read");
}

static int disk_read(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, false, ATA_BUFFER, move);
}

static int disk_write(struct block_dev *dev, uint64_t off, const struct block_vec *v,
		      unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, true, ATA_BUFFER, move);
}

static int disk_flush(struct block_dev *dev)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = ata_flush(&d->id);
	const struct disk_job j = { .command = &cmd };

	return d->id.cache ? run(d, &j, "flush") : 0;
}

static int trim_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = { .code = ATA_DATA_SET_MANAGEMENT,
					 .feature = ATA_FEATURE_TRIM,
					 .count = 1,
					 .wide = true };
	uint8_t ranges[ATA_TRIM_BLOCK];
	const struct block_vec v = { ranges, sizeof(ranges) };
	const struct disk_job j = { .command = &cmd, .v = &v, .n = 1, .bytes = sizeof(ranges) };

	ata_trim_ranges(ranges, p->off / BLOCK_SECTOR, (uint32_t)(p->len / BLOCK_SECTOR));
	return run(d, &j, "discard");
}

static int disk_discard(struct block_dev *dev, uint64_t off, uint64_t len)
{
	return disk_of(dev)->id.trim
		       ? disk_pieces_range(dev, off, len, (uint64_t)ATA_TRIM_MAX * BLOCK_SECTOR,
					   trim_piece)
		       : 0;
}

static int disk_write_zeroes(struct block_dev *dev, uint64_t off, uint64_t len, bool unmap UNUSED)
{
	return disk_pieces_range(dev, off, len, ATA_BUFFER, move);
}

static const struct block_dev_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
	.write_zeroes = disk_write_zeroes,
	.close = disk_flush,
};

int ata_disk_add(struct ata_disk *d, const uint8_t *raw, const char *kind)
{
	int err = ata_identify(raw, &d->id, &d->disk);

	if (err != 0) {
		log_printf(LOG_HOST, "%s: %s is not usable: %s", kind, d->disk.model,
			   errno_text(err));
		return err;
	}
	d->disk.trims = d->id.trim;
	d->disk.dev = (struct block_dev){
		.ops = &disk_ops,
		.size = d->id.sectors * BLOCK_SECTOR,
		.granularity = BLOCK_SECTOR,
	};
	host_disk_add(&d->disk, kind);
	return 0;
}
