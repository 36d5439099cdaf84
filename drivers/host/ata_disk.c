/* SPDX-License-Identifier: BSD-2-Clause */
/* An ATA disk as a block device: requests become commands, by way of a buffer that DMA reaches. */
/* How a command reaches the disk is its controller's. */
#include "drivers/host/ata_disk.h"

#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

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

static int read_part(struct ata_disk *d, uint64_t off, const struct block_vec *v, unsigned int n,
		     uint32_t bytes)
{
	struct ata_command cmd =
		ata_read_write(&d->id, false, off / BLOCK_SECTOR, bytes / BLOCK_SECTOR);
	int err;

	mutex_lock(d->busy);
	err = run(d, &cmd, ATA_FROM_DISK, bytes, "read");
	if (err == 0) {
		block_vec_copy(v, n, 0, d->buffer, bytes);
	}
	mutex_unlock(d->busy);
	return err;
}

static int write_part(struct ata_disk *d, uint64_t off, const struct block_vec *v, unsigned int n,
		      uint32_t bytes)
{
	struct ata_command cmd =
		ata_read_write(&d->id, true, off / BLOCK_SECTOR, bytes / BLOCK_SECTOR);
	uint8_t *to = d->buffer;
	int err;

	mutex_lock(d->busy);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(to, v[i].base, v[i].len);
		to += v[i].len;
	}
	err = run(d, &cmd, ATA_TO_DISK, bytes, "write");
	mutex_unlock(d->busy);
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
		uint64_t got = block_cursor_take(&c, u64_min(left, ATA_BUFFER), part, &count);

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

static int trim_part(struct ata_disk *d, uint64_t lba, uint32_t sectors)
{
	const struct ata_command cmd = { .code = ATA_DATA_SET_MANAGEMENT,
					 .feature = ATA_FEATURE_TRIM,
					 .count = 1,
					 .wide = true };
	int err;

	mutex_lock(d->busy);
	ata_trim_ranges(d->buffer, lba, sectors);
	err = run(d, &cmd, ATA_TO_DISK, ATA_TRIM_BLOCK, "discard");
	mutex_unlock(d->busy);
	return err;
}

static int disk_discard(struct block_dev *dev, uint64_t off, uint64_t len)
{
	struct ata_disk *d = disk_of(dev);
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
	struct ata_disk *d = disk_of(dev);
	int err = 0;

	while (err == 0 && len > 0) {
		uint32_t part = (uint32_t)u64_min(len, ATA_BUFFER);
		struct ata_command cmd =
			ata_read_write(&d->id, true, off / BLOCK_SECTOR, part / BLOCK_SECTOR);

		mutex_lock(d->busy);
		memset(d->buffer, 0, part);
		err = run(d, &cmd, ATA_TO_DISK, part, "write");
		mutex_unlock(d->busy);
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
