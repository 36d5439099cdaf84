/* SPDX-License-Identifier: BSD-2-Clause */
/* The block device (5.2): what it says of itself, its life, and who serves its queues: a vCPU in the exit, */
/* or threads of its own if the disk makes them sleep. Serving is virtio_blk_serve.c's. */
#include "drivers/virtio/virtio_blk_priv.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define QUEUE_SIZE 256u
#define QUEUES_MAX 8u
#define SECTOR_EXP 3u /* a physical block is 4 KiB */

static struct virtio_blk *blk_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_blk, pci);
}

/* ---- who serves ---- */

static bool serve_for(struct virtio_blk_servers *s)
{
	return virtio_blk_serve(container_of(s, struct virtio_blk, servers));
}

/* On a vCPU's thread, in the exit. */
static void serve(void *dev)
{
	struct virtio_blk *b = dev;
	struct vm *vm = b->pci.d.vm;

	if (b->sleeps || __atomic_load_n(&b->waiting, __ATOMIC_RELAXED) == 0) {
		return;
	}
	spin_lock(&vm->dev_lock);
	if (virtio_blk_serve(b)) {
		vdev_request_work(vm);
	}
	spin_unlock(&vm->dev_lock);
}

static void on_hold_end(struct virtio_blk_hold *h)
{
	struct virtio_blk *b = container_of(h, struct virtio_blk, hold);

	if (b->sleeps) {
		virtio_blk_servers_wake_all(&b->servers);
	} else {
		vdev_request_work(b->pci.d.vm);
	}
}

/* ---- the virtio class ---- */

static void blk_notify(struct virtio_dev *d, unsigned int queue)
{
	virtio_blk_ask(blk_of(d), queue);
}

static void blk_reset(struct virtio_dev *d)
{
	struct virtio_blk *b = blk_of(d);

	__atomic_store_n(&b->waiting, 0, __ATOMIC_RELAXED);
	b->s.retry.count = 0;
}

static bool blk_is_busy(const struct virtio_dev *d)
{
	return container_of(d, const struct virtio_blk, pci.d)->busy > 0;
}

static const struct virtio_dev_class blk_class = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000, /* "SCSI bus controller", as drivers and firmware know it */
	.features = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
		    BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY),
	.queue_size = QUEUE_SIZE,
	.config_size = VIRTIO_BLK_CONFIG,
	.notify = blk_notify,
	.reset = blk_reset,
	.is_busy = blk_is_busy,
};

/* 5.2.4 "Device configuration layout" */
static void fill_config(struct virtio_blk *b)
{
	const struct block_dev *dev = b->disk->dev;
	uint8_t *c = b->config;

	bytes_put_le64(c + VIRTIO_BLK_CAPACITY, b->s.sectors);
	bytes_put_le32(c + VIRTIO_BLK_SEG_MAX, QUEUE_SIZE - 2); /* header and status */
	bytes_put_le32(c + VIRTIO_BLK_BLK_SIZE, BLOCK_SECTOR);
	c[VIRTIO_BLK_PHYSICAL_EXP] = SECTOR_EXP;
	bytes_put_le16(c + VIRTIO_BLK_MIN_IO, 1u << SECTOR_EXP);
	bytes_put_le16(c + VIRTIO_BLK_NUM_QUEUES, b->pci.d.queues);
	bytes_put_le32(c + VIRTIO_BLK_MAX_DISCARD, VIRTIO_BLK_RANGE_MAX);
	bytes_put_le32(c + VIRTIO_BLK_MAX_DISCARD_SEG, VIRTIO_BLK_RANGES_MAX);
	bytes_put_le32(c + VIRTIO_BLK_DISCARD_ALIGN, dev->granularity / BLOCK_SECTOR);
	bytes_put_le32(c + VIRTIO_BLK_MAX_ZEROES, VIRTIO_BLK_RANGE_MAX);
	bytes_put_le32(c + VIRTIO_BLK_MAX_ZEROES_SEG, VIRTIO_BLK_RANGES_MAX);
	c[VIRTIO_BLK_ZEROES_MAY_UNMAP] = 1;
}

/* ---- the vdev class ---- */

static unsigned int count(const struct vm_config *cfg)
{
	return cfg->disk_count;
}

static int create(struct vm *vm, void *dev, unsigned int i)
{
	struct virtio_blk *b = dev;
	char id[VIRTIO_BLK_ID_BYTES + 1] = { 0 };
	int err;

	b->index = i;
	b->disk = &vm->disk[i];
	virtio_blk_hold_init(&b->hold, &b->disk->limit, on_hold_end);
	b->target.dev = b->disk->dev;
	fmt_snprintf(id, sizeof(id), "disk%u-%.14s", i, vm->cfg.name);
	memcpy(b->target.id, id, sizeof(b->target.id));
	b->pci.d.features = b->target.dev->readonly
				    ? BIT(VIRTIO_BLK_F_RO)
				    : BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	b->pci.d.queues = (uint16_t)u64_min(vm->cfg.cpus, QUEUES_MAX);
	b->pci.d.features |= b->pci.d.queues > 1 ? BIT(VIRTIO_BLK_F_MQ) : 0;
	b->s.sectors = b->target.dev->size / BLOCK_SECTOR;
	fill_config(b);
	err = virtio_pci_create(&b->pci, vm, &blk_class, &b->s.pci, b->config,
				VIRTIO_SLOT_DISKS + i);
	if (err != 0) {
		return err;
	}
	b->unused = heap_alloc(sizeof(*b->unused));
	if (b->unused == NULL) {
		return -ENOMEM;
	}
	b->sleeps = !b->target.dev->immediate;
	return b->sleeps ? virtio_blk_servers_start(&b->servers, vm, i, serve_for) : 0;
}

static void reset(void *dev)
{
	virtio_pci_reset(&((struct virtio_blk *)dev)->pci);
}

static void work(void *dev)
{
	virtio_dev_work(&((struct virtio_blk *)dev)->pci.d);
}

static void destroy(void *dev)
{
	struct virtio_blk *b = dev;

	virtio_blk_hold_end(&b->hold, &b->pci.d.vm->dev_lock);
	virtio_blk_servers_stop(&b->servers);
	while (b->unused != NULL) {
		struct virtio_blk_request *next = b->unused->next;

		heap_free(b->unused->bounce);
		heap_free(b->unused);
		b->unused = next;
	}
}

static int after_load(void *dev)
{
	struct virtio_blk *b = dev;
	bool same = b->s.sectors == b->target.dev->size / BLOCK_SECTOR;

	b->s.sectors = b->target.dev->size / BLOCK_SECTOR;
	if (!same || !virtio_blk_retry_is_sane(&b->s.retry, &b->pci.d)) {
		b->s.retry.count = 0;
		return -EINVAL;
	}
	return virtio_pci_load(&b->pci);
}

static const struct vdev_class virtio_blk_class = {
	.name = "virtio-blk",
	.stage = VDEV_CHIP,
	.size = sizeof(struct virtio_blk),
	.count = count,
	.create_nth = create,
	.reset = reset,
	.work = work,
	.serve = serve,
	.destroy = destroy,
	.state_offset = offsetof(struct virtio_blk, s),
	.state_size = sizeof(struct virtio_blk_state),
	.state_version = VIRTIO_PCI_STATE_VERSION + 2,
	.after_load = after_load,
};
VDEV_REGISTER(virtio_blk_class);
