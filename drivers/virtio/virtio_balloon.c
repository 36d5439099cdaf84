/* SPDX-License-Identifier: BSD-2-Clause */
/* The traditional memory balloon (5.5): page numbers from the driver's queues, a few at a time. */
/* Taking pages away and giving them back is hv/vm_memory's. */
#include "drivers/virtio/virtio_balloon.h"

#include "drivers/virtio/virtio_pci.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include "hv/vm_memory.h"

/* 5.5.2 "Virtqueues" */
enum { INFLATE, DEFLATE, STATS, QUEUES };

#define IN_ONE_GO    12u /* pages before others get their turn: a page is some 800 instructions */
#define FIRST_COST   6u	 /* the first of 2 MiB: a table is split */
#define SEGS_COST    32u /* descriptors that cost as much as a page */
#define STAT_ENTRIES 16u

struct virtio_balloon_state {
	struct virtio_pci_state pci;
	uint8_t config[VIRTIO_BALLOON_CONFIG];
};

struct virtio_balloon {
	struct virtio_pci pci;
	struct virtq_chain chain;   /* the one looked at: none is kept */
	uint64_t done[DEFLATE + 1]; /* page numbers of the queue's next chain that are dealt with */
	bool ask;		    /* the next statistics are to be asked for */
	uint64_t free, available;
	struct virtio_balloon_state s;
};

static struct virtio_balloon *balloon_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_balloon, pci);
}

/* ---- pages ---- */

/*
 * What it costs. 5.5.6: what is no RAM, or in the balloon already, or not in it, is not the device's to
 * complain about.
 */
static unsigned int move_page(struct virtio_balloon *b, unsigned int queue, uint32_t number)
{
	struct vm *vm = b->pci.d.vm;
	gpa_t page = { (uint64_t)number * PAGE_SIZE };
	bool first = gpa_space_is_ram(&vm->mem, page, PAGE_SIZE) &&
		     gpa_balloon_map(&vm->mem, page) == NULL;

	if (queue == INFLATE) {
		(void)vm_memory_take(vm, page);
	} else {
		vm_memory_give(vm, page);
	}
	return first ? FIRST_COST : 1;
}

/* Goes on with the chain; true: it is done with. */
static bool move_pages(struct virtio_balloon *b, unsigned int queue, unsigned int *budget)
{
	uint64_t *done = &b->done[queue], count = b->chain.read_len / 4;
	unsigned int n = 0, got = (unsigned int)u64_min(*budget, count - u64_min(*done, count));
	uint8_t numbers[IN_ONE_GO * 4];

	(void)virtq_read(&b->chain, *done * 4, numbers, got * 4);
	for (; n<got && * budget> 0; n++) {
		*budget -= (unsigned int)u64_min(
			*budget, move_page(b, queue, bytes_get_le32(&numbers[n * 4])));
	}
	*done += n;
	return *done >= count;
}

/*
 * 5.5.6: a chain that is not finished goes back into the queue, so that there is none to be kept over a
 * save; of one that the driver has changed meanwhile some numbers are left out, or done twice.
 */
static void move_chains(struct virtio_balloon *b, struct virtq *q)
{
	unsigned int budget = IN_ONE_GO;

	while (budget > 0 && virtq_pop(q, &b->chain)) {
		budget -= (unsigned int)u64_min(budget - 1, b->chain.walked / SEGS_COST);
		if (!move_pages(b, q->number, &budget)) {
			virtq_put_back(q, &b->chain);
			break;
		}
		b->done[q->number] = 0;
		virtq_push(q, &b->chain, 0);
		budget -= budget > 0;
	}
	virtq_signal(q);
	if (budget == 0) { /* also if none is left: a virtq_pop() that finds none asks for more */
		virtio_dev_again(q->dev, q->number);
	}
}

/* ---- 5.5.6.3 "Memory Statistics" ---- */

static void read_stats(struct virtio_balloon *b)
{
	uint8_t text[STAT_ENTRIES * VIRTIO_BALLOON_STAT_SIZE];
	size_t len = virtq_read(&b->chain, 0, text, sizeof(text));

	for (size_t at = 0; at + VIRTIO_BALLOON_STAT_SIZE <= len; at += VIRTIO_BALLOON_STAT_SIZE) {
		uint16_t tag = bytes_get_le16(&text[at]);
		uint64_t val = bytes_get_le64(&text[at + 2]);

		if (tag == VIRTIO_BALLOON_S_MEMFREE) {
			b->free = val;
		} else if (tag == VIRTIO_BALLOON_S_AVAIL) {
			b->available = val;
		}
	}
}

/* The buffer stays in the queue until it is asked for: then the driver fills it again. */
static void take_stats(struct virtio_balloon *b, struct virtq *q)
{
	if (!virtq_pop(q, &b->chain)) {
		return;
	}
	read_stats(b);
	if (b->ask) {
		b->ask = false;
		virtq_push(q, &b->chain, 0);
		virtq_signal(q);
	} else {
		virtq_put_back(q, &b->chain);
	}
}

/* ---- the virtio class ---- */

static void balloon_notify(struct virtio_dev *d, unsigned int queue)
{
	struct virtio_balloon *b = balloon_of(d);

	if (queue == STATS) {
		take_stats(b, &d->queue[queue]);
	} else {
		move_chains(b, &d->queue[queue]);
	}
}

/* What was given away comes back when it is touched; the target stays. */
static void balloon_reset(struct virtio_dev *d)
{
	struct virtio_balloon *b = balloon_of(d);

	memset(b->done, 0, sizeof(b->done));
	b->ask = false;
	b->free = b->available = VIRTIO_BALLOON_UNKNOWN;
	bytes_put_le32(&b->s.config[VIRTIO_BALLOON_ACTUAL], 0);
}

/* 5.5.4: only `actual` is the driver's; 4.1.3.1: written whole. */
static void balloon_config_written(struct virtio_dev *d, unsigned int off, unsigned int size,
				   uint32_t val)
{
	if (off == VIRTIO_BALLOON_ACTUAL && size == 4) {
		bytes_put_le32(&balloon_of(d)->s.config[VIRTIO_BALLOON_ACTUAL], val);
	}
}

static const struct virtio_dev_class balloon_class = {
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.pci_class = 0x00ff00,
	.features = BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST) | BIT(VIRTIO_BALLOON_F_STATS_VQ) |
		    BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM),
	.queues = QUEUES,
	.queue_size = 64,
	.config_size = VIRTIO_BALLOON_CONFIG,
	.notify = balloon_notify,
	.reset = balloon_reset,
	.config_written = balloon_config_written,
};

/* ---- the vdev class ---- */

static bool wanted(const struct vm_config *cfg)
{
	return cfg->balloon;
}

static int create(struct vm *vm, void *dev)
{
	struct virtio_balloon *b = dev;

	return virtio_pci_create(&b->pci, vm, &balloon_class, &b->s.pci, b->s.config,
				 VIRTIO_SLOT_BALLOON);
}

static void reset(void *dev)
{
	struct virtio_balloon *b = dev;

	virtio_pci_reset(&b->pci);
	memset(b->s.config, 0, sizeof(b->s.config));
}

static void work(void *dev)
{
	virtio_dev_work(&((struct virtio_balloon *)dev)->pci.d);
}

static uint64_t pages_of(const struct vm *vm)
{
	return vm->mem.size / PAGE_SIZE;
}

static int after_load(void *dev)
{
	struct virtio_balloon *b = dev;

	if (bytes_get_le32(&b->s.config[VIRTIO_BALLOON_NUM_PAGES]) > pages_of(b->pci.d.vm)) {
		return -EINVAL;
	}
	return virtio_pci_load(&b->pci);
}

static const struct vdev_class virtio_balloon_class = {
	.name = "virtio-balloon",
	.stage = VDEV_CHIP,
	.size = sizeof(struct virtio_balloon),
	.wanted = wanted,
	.create = create,
	.reset = reset,
	.work = work,
	.state_offset = offsetof(struct virtio_balloon, s),
	.state_size = sizeof(struct virtio_balloon_state),
	.state_version = VIRTIO_PCI_STATE_VERSION,
	.after_load = after_load,
};
VDEV_REGISTER(virtio_balloon_class);

/* ---- for the administration ---- */

static struct virtio_balloon *find(const struct vm *vm)
{
	struct list_node *n;

	list_for_each (n, &vm->devices) {
		const struct vdev *d = container_of(n, struct vdev, node);

		if (d->cls == &virtio_balloon_class) {
			return d->dev;
		}
	}
	return NULL;
}

int virtio_balloon_look(struct vm *vm, struct virtio_balloon_info *out)
{
	struct virtio_balloon *b = find(vm);

	if (b == NULL) {
		return -ENODEV;
	}
	spin_lock(&vm->dev_lock);
	*out = (struct virtio_balloon_info){
		.driver = virtio_dev_is_live(&b->pci.d),
		.target = bytes_get_le32(&b->s.config[VIRTIO_BALLOON_NUM_PAGES]),
		.actual = bytes_get_le32(&b->s.config[VIRTIO_BALLOON_ACTUAL]),
		.free = b->free,
		.available = b->available,
	};
	if (out->driver) {
		b->ask = true;
		virtio_dev_again(&b->pci.d, STATS);
	}
	spin_unlock(&vm->dev_lock);
	out->target = vm->mem.size - u64_min(out->target, pages_of(vm)) * PAGE_SIZE;
	out->actual = vm->mem.size - u64_min(out->actual, pages_of(vm)) * PAGE_SIZE;
	return 0;
}

int virtio_balloon_set_target(struct vm *vm, uint64_t bytes)
{
	struct virtio_balloon *b = find(vm);
	int err = 0;

	if (b == NULL) {
		return -ENODEV;
	}
	spin_lock(&vm->dev_lock);
	if (!virtio_dev_is_live(&b->pci.d)) {
		err = -ENODEV;
	} else if (bytes > vm->mem.size) {
		err = -EINVAL;
	} else {
		bytes_put_le32(&b->s.config[VIRTIO_BALLOON_NUM_PAGES],
			       (uint32_t)((vm->mem.size - bytes) / PAGE_SIZE));
		virtio_dev_config_changed(&b->pci.d);
	}
	spin_unlock(&vm->dev_lock);
	return err;
}
