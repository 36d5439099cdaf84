/* SPDX-License-Identifier: BSD-2-Clause */
/* A namespace of an NVMe controller as a block device: requests become commands of its I/O queue. */
/* "NVM Command Set". Finds none: nvme.c does. */
#include "drivers/host/disk_pieces.h"
#include "drivers/host/host_disk.h"
#include "drivers/host/nvme.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/string.h"

enum nvme_io { IO_FLUSH = 0x00, IO_WRITE = 0x01, IO_READ = 0x02, IO_ZEROES = 0x08, IO_DSM = 0x09 };
#define DSM_DEALLOCATE 4u
#define DSM_RANGE      16u				     /* bytes */
#define DSM_MAX	       (UINT32_MAX * (uint64_t)BLOCK_SECTOR) /* bytes of one range */
#define ZEROES_MAX     (65536ul * BLOCK_SECTOR)		     /* of one command */

struct nvme_disk {
	struct host_disk disk;
	struct nvme *n;
	uint32_t nsid;
};

static struct nvme_disk *disk_of(struct block_dev *d)
{
	return container_of(d, struct nvme_disk, disk.dev);
}

static int run(struct nvme_disk *d, const struct disk_job *j, uint64_t off, const char *what)
{
	const char *why;
	int err = disk_slots_run(&d->n->io.slots, j, &why);

	if (err != 0) {
		host_disk_failed(&d->disk, what, off, why);
	}
	return err;
}

/* "Starting LBA" and "Number of Logical Blocks", one less. */
static struct nvme_command over(const struct nvme_disk *d, uint8_t opcode,
				const struct disk_piece *p)
{
	uint64_t lba = p->off / BLOCK_SECTOR;

	return (struct nvme_command){ .opcode = opcode,
				      .nsid = d->nsid,
				      .cdw10 = (uint32_t)lba,
				      .cdw11 = (uint32_t)(lba >> 32),
				      .cdw12 = (uint32_t)(p->len / BLOCK_SECTOR - 1) };
}

static int move(struct block_dev *dev, const struct disk_piece *p)
{
	struct nvme_disk *d = disk_of(dev);
	const struct nvme_command c = over(d, p->write ? IO_WRITE : IO_READ, p);
	const struct disk_job j = {
		.command = &c, .v = p->v, .n = p->n, .bytes = (uint32_t)p->len, .reads = !p->write
	};

	return run(d, &j, p->off, p->write ? "write" : "read");
}

static int disk_read(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, false, disk_of(dev)->n->transfer_max, move);
}

static int disk_write(struct block_dev *dev, uint64_t off, const struct block_vec *v,
		      unsigned int n)
{
	return disk_pieces_move(dev, off, v, n, true, disk_of(dev)->n->transfer_max, move);
}

static int disk_flush(struct block_dev *dev)
{
	struct nvme_disk *d = disk_of(dev);
	const struct nvme_command c = { .opcode = IO_FLUSH, .nsid = d->nsid };
	const struct disk_job j = { .command = &c };

	return d->n->cache ? run(d, &j, 0, "flush") : 0;
}

static int discard_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct nvme_disk *d = disk_of(dev);
	uint8_t range[DSM_RANGE] = { 0 };
	const struct block_vec v = { range, sizeof(range) };
	const struct nvme_command c = { .opcode = IO_DSM,
					.nsid = d->nsid,
					.cdw11 = DSM_DEALLOCATE };
	const struct disk_job j = { .command = &c, .v = &v, .n = 1, .bytes = DSM_RANGE };

	bytes_put_le32(range + 4, (uint32_t)(p->len / BLOCK_SECTOR));
	bytes_put_le64(range + 8, p->off / BLOCK_SECTOR);
	return run(d, &j, p->off, "discard");
}

static int disk_discard(struct block_dev *dev, uint64_t off, uint64_t len)
{
	return disk_of(dev)->n->dsm ? disk_pieces_range(dev, off, len, DSM_MAX, discard_piece) : 0;
}

/* By the disk, or as data. */
static int zero_piece(struct block_dev *dev, const struct disk_piece *p)
{
	struct nvme_disk *d = disk_of(dev);
	bool by_itself = d->n->zeroes;
	const struct nvme_command c = over(d, by_itself ? IO_ZEROES : IO_WRITE, p);
	const struct disk_job j = { .command = &c, .bytes = by_itself ? 0 : (uint32_t)p->len };

	return run(d, &j, p->off, "write");
}

static int disk_write_zeroes(struct block_dev *dev, uint64_t off, uint64_t len, bool unmap UNUSED)
{
	const struct nvme *n = disk_of(dev)->n;

	return disk_pieces_range(dev, off, len, n->zeroes ? ZEROES_MAX : n->transfer_max,
				 zero_piece);
}

static const struct block_dev_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
	.write_zeroes = disk_write_zeroes,
	.close = disk_flush,
};

_Static_assert(sizeof(((struct nvme *)0)->model) == sizeof(((struct host_disk *)0)->model),
	       "copied");
_Static_assert(sizeof(((struct nvme *)0)->serial) == sizeof(((struct host_disk *)0)->serial),
	       "copied");

void nvme_disk_add(struct nvme *n, uint32_t nsid, uint64_t sectors)
{
	struct nvme_disk *d = heap_alloc(sizeof(*d));

	if (d == NULL) {
		return;
	}
	d->n = n;
	d->nsid = nsid;
	memcpy(d->disk.model, n->model, sizeof(n->model));
	memcpy(d->disk.serial, n->serial, sizeof(n->serial));
	d->disk.pci = n->pci;
	d->disk.trims = n->dsm;
	d->disk.dev = (struct block_dev){
		.ops = &disk_ops,
		.size = sectors * BLOCK_SECTOR,
		.granularity = PAGE_SIZE,
	};
	host_disk_add(&d->disk, "nvme");
}
