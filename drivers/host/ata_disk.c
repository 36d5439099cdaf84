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

/* One command, d->busy held. */
static int run(struct ata_disk *d, const struct ata_command *cmd, enum ata_dma dma, uint32_t bytes,
	       const char *what)
{
	const char *why;
	int err = d->run(d, cmd, dma, bytes, &why);

	if (err != 0) {
		host_disk_failed(&d->disk, what, cmd->lba * BLOCK_SECTOR, why);
	}
	return err;
}

static struct ata_command over(const struct ata_disk *d, const struct disk_piece *p)
{
	return ata_read_write(&d->id, p->write, p->off / BLOCK_SECTOR,
			      (uint32_t)(p->len / BLOCK_SECTOR));
}

static int read_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = over(d, p);
	int err;

	mutex_lock(d->busy);
	err = run(d, &cmd, ATA_FROM_DISK, (uint32_t)p->len, "read");
	if (err == 0) {
		block_vec_copy(p->v, p->n, 0, d->buffer, p->len);
	}
	mutex_unlock(d->busy);
	return err;
}

/* Data, or zeros. */
static int write_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = over(d, p);
	uint8_t *to = d->buffer;
	int err;

	mutex_lock(d->busy);
	for (unsigned int i = 0; i < p->n; i++) {
		memcpy(to, p->v[i].base, p->v[i].len);
		to += p->v[i].len;
	}
	if (p->v == NULL) {
		memset(to, 0, p->len);
	}
	err = run(d, &cmd, ATA_TO_DISK, (uint32_t)p->len, "write");
	mutex_unlock(d->busy);
	return err;
}

static int disk_read(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, false, ATA_BUFFER, read_piece);
}

static int disk_write(struct block_dev *dev, uint64_t off, const struct block_vec *v,
		      unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, true, ATA_BUFFER, write_piece);
}

static int disk_flush(struct block_dev *dev)
{
	struct ata_disk *d = disk_of(dev);
	struct ata_command cmd = ata_flush(&d->id);
	int err;

	if (!d->id.cache) {
		return 0;
	}
	mutex_lock(d->busy);
	err = run(d, &cmd, ATA_NO_DATA, 0, "flush");
	mutex_unlock(d->busy);
	return err;
}

static int trim_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct ata_disk *d = disk_of(dev);
	const struct ata_command cmd = { .code = ATA_DATA_SET_MANAGEMENT,
					 .feature = ATA_FEATURE_TRIM,
					 .count = 1,
					 .wide = true };
	int err;

	mutex_lock(d->busy);
	ata_trim_ranges(d->buffer, p->off / BLOCK_SECTOR, (uint32_t)(p->len / BLOCK_SECTOR));
	err = run(d, &cmd, ATA_TO_DISK, ATA_TRIM_BLOCK, "discard");
	mutex_unlock(d->busy);
	return err;
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
	return disk_pieces_range(dev, off, len, ATA_BUFFER, write_piece);
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
