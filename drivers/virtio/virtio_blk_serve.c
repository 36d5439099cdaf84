/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of a disk: taken from its queues in turn, carried out without any lock, completed; or, after an error */
/* that pauses the VM, kept for another try. What a request means is virtio_blk_request.c's. */
#include "drivers/virtio/virtio_blk_priv.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define IN_ONE_GO    (256ul * KIB) /* bytes, or what costs as much, before the driver hears of them */
#define REQUEST_COST 4096u

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

/* Each pause is told once, however many requests failed at once. */
static bool is_news(const struct virtio_blk *b, bool paused)
{
	return !b->complained || (paused && b->hold.rests_until == 0);
}

static void note_error(struct virtio_blk *b, int err, bool paused)
{
	const struct vm *vm = b->pci.d.vm;
	char place[VM_PATH_MAX];

	b->disk->errors++;
	if (is_news(b, paused)) {
		b->complained = true;
		log_printf(LOG_HOST, "vm %s: disk %u, %s: %s; %s", vm->cfg.name, b->index,
			   vm_config_disk_place(&vm->cfg.disks[b->index], place, sizeof(place)),
			   errno_text(err),
			   paused ? "it is paused, vm resume tries again"
				  : "its guest sees I/O errors");
	}
}

static void set_waiting(struct virtio_blk *b, uint32_t queues)
{
	__atomic_store_n(&b->waiting, queues, __ATOMIC_RELAXED);
}

/* Who resumes the VM has it tried again. */
static void pause_at(struct virtio_blk *b, const struct virtq *q,
		     const struct virtio_blk_request *r)
{
	note_error(b, r->err, true);
	virtio_blk_retry_add(&b->s.retry, q, &r->chain);
	set_waiting(b, b->waiting | 1u << q->number);
	virtio_blk_hold_rest(&b->hold);
	vm_request_pause(b->pci.d.vm);
}

static void complete(struct virtio_blk *b, struct virtq *q, const struct virtio_blk_request *r)
{
	if (r->err != 0) {
		note_error(b, r->err, false);
	}
	if (r->counted && r->status == VIRTIO_BLK_S_OK) {
		b->disk->requests[r->op]++;
		b->disk->bytes[r->op] += r->bytes;
	}
	virtq_push(q, &r->chain, r->len);
}

/* A new request, from the queues in turn; NULL: there is none, and their driver is asked to notify. */
static struct virtq *pop_request(struct virtio_blk *b, struct virtio_blk_request *r)
{
	const unsigned int queues = b->pci.d.queues;

	for (unsigned int n = 0; n < queues && b->waiting != 0; n++) {
		unsigned int i = (b->turn + n) % queues;

		if ((b->waiting >> i & 1) != 0 && virtq_pop(&b->pci.d.queue[i], &r->chain)) {
			b->turn = i + 1;
			return &b->pci.d.queue[i];
		}
		set_waiting(b, b->waiting & ~(1u << i));
	}
	return NULL;
}

/* The next request that can be carried out, and its queue; NULL: there is none for now. */
static struct virtq *next_request(struct virtio_blk *b, struct virtio_blk_request *r)
{
	struct virtio_dev *d = &b->pci.d;
	struct virtq *q = NULL;

	if (b->s.retry.count > 0) {
		q = virtio_blk_retry_take(&b->s.retry, d, &r->chain);
	} else if (b->busy < VIRTIO_BLK_RETRIES) { /* should all of them fail */
		q = pop_request(b, r);
	}
	if (q != NULL && !virtio_blk_request_is_whole(r)) {
		virtio_dev_broken(d, "queue %u: request of %lu bytes, and %lu for the answer",
				  q->number, r->chain.read_len, r->chain.write_len);
		return NULL;
	}
	return q;
}

/* ---- the queues ---- */

/* Gives the lock up while the disk works. Returns what that cost; UINT64_MAX: the VM ends. */
static uint64_t carry_out(struct virtio_blk *b, struct virtq *q, struct virtio_blk_request *r)
{
	struct vm *vm = b->pci.d.vm;
	bool done;

	virtio_blk_hold_begin(&b->hold, r);
	b->busy++;
	b->disk->at_once = (unsigned int)u64_max(b->disk->at_once, b->busy);
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
	if (r->err != 0 && pauses(b) && r->chain.epoch == q->epoch) {
		pause_at(b, q, r);
		return REQUEST_COST;
	}
	complete(b, q, r);
	return REQUEST_COST + r->bytes;
}

/* Is there another request? If not, the driver is asked to notify of the next. */
static bool more_waits(struct virtio_blk *b)
{
	bool more = b->s.retry.count > 0;

	for (unsigned int i = 0; !more && i < b->pci.d.queues; i++) {
		more = (b->waiting >> i & 1) != 0 && virtq_more(&b->pci.d.queue[i]);
	}
	return more;
}

/* Who pauses the VM waits for what is under way: a slow disk's queue would take long. */
static bool may_begin(const struct virtio_blk *b)
{
	return !b->sleeps || !__atomic_load_n(&b->pci.d.vm->workers_hold, __ATOMIC_SEQ_CST);
}

/* As many as one thread may in one go; false: the VM ends, or nothing is left. */
static bool serve_some(struct virtio_blk *b, struct virtio_blk_request *r)
{
	uint64_t cost = 0;

	while (cost < IN_ONE_GO && may_begin(b)) {
		struct virtq *q = virtio_blk_hold_back(&b->hold) ? NULL : next_request(b, r);
		uint64_t more;

		if (q == NULL) {
			return false;
		}
		if (b->sleeps && more_waits(b)) { /* by another, while this one sleeps */
			virtio_blk_servers_wake_one(&b->servers);
		}
		more = carry_out(b, q, r);
		if (more == UINT64_MAX) {
			return false;
		}
		cost += more;
		if (b->sleeps) { /* the next one may take long */
			virtq_signal(q);
		}
	}
	return true;
}

bool virtio_blk_serve(struct virtio_blk *b)
{
	struct virtio_blk_request *r = take_request(b);
	bool more;

	if (r == NULL) { /* another thread has one, and takes what is in the queues */
		return false;
	}
	more = serve_some(b, r);
	give_request(b, r);
	for (unsigned int i = 0; i < b->pci.d.queues; i++) {
		virtq_signal(&b->pci.d.queue[i]);
	}
	return more;
}

void virtio_blk_ask(struct virtio_blk *b, unsigned int queue)
{
	set_waiting(b, b->waiting | 1u << queue);
	if (b->sleeps) {
		virtio_blk_servers_wake_one(&b->servers);
	} else {
		vdev_request_work(b->pci.d.vm);
	}
}
