/* SPDX-License-Identifier: BSD-2-Clause */
/* The block device (5.2): takes requests from its queue, has them carried out without any lock (by a */
/* vCPU, or a worker if the disk makes it sleep), completes them. What a request means is virtio_blk_request.c's. */
#include "drivers/virtio/virtio_blk_hold.h"
#include "drivers/virtio/virtio_blk_request.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include "hv/vm_worker.h"

#define QUEUE_SIZE   256u
#define IN_ONE_GO    (256ul * KIB) /* bytes, or what costs as much, before the driver hears of them */
#define REQUEST_COST 4096u
#define SECTOR_EXP   3u /* a physical block is 4 KiB */

struct virtio_blk_state {
	struct virtio_pci_state pci;
	uint64_t sectors; /* a disk of another size is another disk */
};

struct virtio_blk {
	struct virtio_pci pci;
	struct vm_disk *disk; /* (c) */
	unsigned int index;   /* (c) */
	struct virtio_blk_target target;
	struct virtio_blk_request *unused; /* the rest of this: [dev_lock] */
	unsigned int busy;		   /* requests under way */
	bool waiting;			   /* the queue is to be looked at; read without the lock */
	bool complained;		   /* of what lies below, in the log */
	bool sleeps;			   /* (c) the disk makes who uses it wait: the worker */
	struct virtio_blk_hold hold;
	struct vm_worker worker;
	uint8_t config[VIRTIO_BLK_CONFIG];
	struct virtio_blk_state s;
};

static struct virtio_blk *blk_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_blk, pci);
}

/* ---- requests; devices' lock held but where it says so ---- */

static struct virtio_blk_request *take_request(struct virtio_blk *b)
{
	struct virtio_blk_request *r = b->unused;

	if (r == NULL) {
		return heap_alloc(sizeof(*r));
	}
	b->unused = r->next;
	return r;
}

static void give_request(struct virtio_blk *b, struct virtio_blk_request *r)
{
	r->next = b->unused;
	b->unused = r;
}

static bool pauses(const struct virtio_blk *b)
{
	return b->pci.d.vm->cfg.disks[b->index].on_io_error == VM_DISK_PAUSE;
}

static void note_error(struct virtio_blk *b, int err)
{
	const struct vm *vm = b->pci.d.vm;
	char place[VM_PATH_MAX];

	b->disk->errors++;
	if (!b->complained || pauses(b)) {
		b->complained = true;
		log_printf(LOG_HOST, "vm %s: disk %u, %s: %s; %s", vm->cfg.name, b->index,
			   vm_config_disk_place(&vm->cfg.disks[b->index], place, sizeof(place)),
			   errno_text(err),
			   pauses(b) ? "it is paused, vm resume tries again"
				     : "its guest sees I/O errors");
	}
}

/* As if it had not been taken: who resumes the VM has it tried again. Nobody else serves the queue. */
static void pause_at(struct virtio_blk *b, struct virtq *q, const struct virtio_blk_request *r)
{
	note_error(b, r->err);
	virtq_put_back(q, &r->chain);
	virtio_blk_hold_rest(&b->hold);
	vm_request_pause(b->pci.d.vm);
}

static void complete(struct virtio_blk *b, struct virtq *q, const struct virtio_blk_request *r)
{
	if (r->err != 0) {
		note_error(b, r->err);
	}
	if (r->counted && r->status == VIRTIO_BLK_S_OK) {
		b->disk->requests[r->op]++;
		b->disk->bytes[r->op] += r->bytes;
	}
	virtq_push(q, &r->chain, r->len);
}

/* The next request that can be carried out; false: there is none for now. */
static bool next_request(struct virtio_dev *d, struct virtq *q, struct virtio_blk_request *r)
{
	if (!virtq_pop(q, &r->chain)) {
		return false;
	}
	if (!virtio_blk_request_is_whole(r)) {
		virtio_dev_broken(d, "queue %u: request of %lu bytes, and %lu for the answer",
				  q->number, r->chain.read_len, r->chain.write_len);
		return false;
	}
	return true;
}

static void look_again(struct virtio_blk *b)
{
	__atomic_store_n(&b->waiting, true, __ATOMIC_RELAXED);
	if (b->sleeps) {
		vm_worker_wake(&b->worker);
	} else {
		vdev_request_work(b->pci.d.vm);
	}
}

static void on_hold_end(struct virtio_blk_hold *h)
{
	look_again(container_of(h, struct virtio_blk, hold));
}

/* ---- the queue ---- */

/* Gives the lock up while the disk works. Returns what that cost; UINT64_MAX: the VM ends. */
static uint64_t carry_out(struct virtio_blk *b, struct virtq *q, struct virtio_blk_request *r)
{
	struct vm *vm = b->pci.d.vm;
	bool done;

	virtio_blk_hold_begin(&b->hold, r);
	b->busy++;
	b->target.features = b->pci.d.s->driver_features;
	spin_unlock(&vm->dev_lock);
	done = virtio_blk_request_run(r, &b->target);
	thread_checkpoint();
	spin_lock(&vm->dev_lock);
	b->busy--;
	if (!done) {
		return UINT64_MAX;
	}
	virtio_blk_hold_done(&b->hold, r);
	if (r->err != 0 && pauses(b)) {
		pause_at(b, q, r);
		return REQUEST_COST;
	}
	complete(b, q, r);
	return REQUEST_COST + r->bytes;
}

/* All of the queue, or so much that interrupts, pauses and others' turns do not wait for long. */
static void serve_queue(struct virtio_blk *b, struct virtq *q, struct virtio_blk_request *r)
{
	uint64_t cost = 0;

	while (cost < IN_ONE_GO && !virtio_blk_hold_back(&b->hold) &&
	       next_request(&b->pci.d, q, r)) {
		uint64_t more = carry_out(b, q, r);

		if (more == UINT64_MAX) {
			return;
		}
		cost += more;
		if (b->sleeps) { /* the next one may take long */
			virtq_signal(q);
		}
	}
	virtq_signal(q);
	if (cost >= IN_ONE_GO) { /* an empty queue, too: only then the driver is asked to notify */
		look_again(b);
	}
}

static void serve_waiting(struct virtio_blk *b)
{
	struct vm *vm = b->pci.d.vm;
	struct virtio_blk_request *r;

	if (!__atomic_load_n(&b->waiting, __ATOMIC_RELAXED)) {
		return;
	}
	spin_lock(&vm->dev_lock);
	__atomic_store_n(&b->waiting, false, __ATOMIC_RELAXED);
	r = pauses(b) && b->busy > 0 ? NULL : take_request(b);
	if (r != NULL) { /* else another thread has one, and takes what is in the queue */
		serve_queue(b, &b->pci.d.queue[0], r);
		give_request(b, r);
	}
	spin_unlock(&vm->dev_lock);
}

/* On a vCPU's thread, in the exit. */
static void serve(void *dev)
{
	struct virtio_blk *b = dev;

	if (!b->sleeps) {
		serve_waiting(b);
	}
}

static void work_for_queue(void *dev)
{
	serve_waiting(dev);
}

/* ---- the virtio class ---- */

static void blk_notify(struct virtio_dev *d, unsigned int queue UNUSED)
{
	look_again(blk_of(d));
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
	.queues = 1,
	.queue_size = QUEUE_SIZE,
	.config_size = VIRTIO_BLK_CONFIG,
	.notify = blk_notify,
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
	bytes_put_le16(c + VIRTIO_BLK_NUM_QUEUES, 1);
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

static int start_worker(struct virtio_blk *b, struct vm *vm)
{
	char name[12];

	fmt_snprintf(name, sizeof(name), "disk%u", b->index);
	return vm_worker_start(&b->worker, vm, name, work_for_queue, b);
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
	return b->sleeps ? start_worker(b, vm) : 0;
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
	vm_worker_stop(&b->worker);
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
	return same ? virtio_pci_load(&b->pci) : -EINVAL;
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
	.state_version = VIRTIO_PCI_STATE_VERSION,
	.after_load = after_load,
};
VDEV_REGISTER(virtio_blk_class);
