/* SPDX-License-Identifier: BSD-2-Clause */
/* A pair of NVMe queues in memory: commands in, completions out, who waits for which. */
/* Knows no command's meaning. "NVM Express Base Specification" 1.4, "Data Structures". */
#include "drivers/host/nvme.h"

#include "arch/clock.h"
#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SQE	      64u
#define CQE	      16u
#define BUFFER_ORDER  4u
#define ANSWER_NS     30000000000ul
#define STATUS_FAILED 0xffffu /* none of the controller's */

_Static_assert(PAGE_SIZE << BUFFER_ORDER == NVME_BUFFER, "its pages fit a list");
_Static_assert(NVME_DEPTH *SQE <= PAGE_SIZE, "a queue is a page");
_Static_assert(NVME_SLOTS < NVME_DEPTH, "never full");

static int init_slot(struct nvme_slot *s)
{
	mutex_init(&s->busy);
	s->buffer = page_alloc(BUFFER_ORDER);
	thread_checkpoint(); /* it comes cleared: that takes long */
	s->prps = page_alloc(0);
	if (s->buffer == NULL || s->prps == NULL) {
		return -ENOMEM;
	}
	for (unsigned int i = 1; i < NVME_BUFFER / PAGE_SIZE; i++) {
		bytes_put_le64(s->prps + 8 * (i - 1), paging_hpa(s->buffer).v + i * PAGE_SIZE);
	}
	return 0;
}

int nvme_queue_init(struct nvme_queue *q)
{
	int err = 0;

	spin_init(&q->lock, LOCK_DISK);
	q->sq = page_alloc(0);
	q->cq = page_alloc(0);
	for (unsigned int i = 0; err == 0 && i < NVME_SLOTS; i++) {
		err = init_slot(&q->slots[i]);
	}
	if (q->sq == NULL || q->cq == NULL || err != 0) {
		return -ENOMEM;
	}
	nvme_queue_restart(q);
	return 0;
}

static void free_pages(void *p, unsigned int order)
{
	if (p != NULL) {
		page_free(p, order);
	}
}

void nvme_queue_free(struct nvme_queue *q)
{
	free_pages(q->sq, 0);
	free_pages(q->cq, 0);
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		free_pages(q->slots[i].buffer, BUFFER_ORDER);
		free_pages(q->slots[i].prps, 0);
	}
}

void nvme_queue_restart(struct nvme_queue *q)
{
	spin_lock(&q->lock);
	memset(q->sq, 0, PAGE_SIZE);
	memset(q->cq, 0, PAGE_SIZE);
	q->tail = q->head = 0;
	q->phase = 1;
	q->stopped = false;
	spin_unlock(&q->lock);
}

/* ---- ends of commands; queue's lock held ---- */

static void end(struct nvme_slot *s, uint16_t status)
{
	if (s->waiter != NULL && !s->done) {
		s->status = status;
		s->done = true;
		thread_unpark(s->waiter);
	}
}

void nvme_queue_stop(struct nvme_queue *q)
{
	spin_lock(&q->lock);
	q->stopped = true;
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		end(&q->slots[i], STATUS_FAILED);
	}
	spin_unlock(&q->lock);
}

/* "Completion Queue Entry": what the last word's phase bit says is new; the id is the slot. */
void nvme_queue_irq(struct nvme_queue *q)
{
	unsigned int taken = 0;

	spin_lock(&q->lock);
	for (; taken < NVME_DEPTH && !q->stopped; taken++) {
		volatile uint32_t *last = (volatile uint32_t *)(q->cq + q->head * CQE) + 3;
		uint32_t word = *last;

		if ((word >> 16 & 1) != q->phase) {
			break;
		}
		if ((word & 0xffff) < NVME_SLOTS) {
			end(&q->slots[word & 0xffff], (uint16_t)(word >> 17));
		}
		q->head = (q->head + 1) % NVME_DEPTH;
		q->phase ^= q->head == 0;
	}
	if (taken > 0) {
		*q->cq_bell = q->head;
	}
	spin_unlock(&q->lock);
}

/* ---- commands ---- */

struct nvme_slot *nvme_queue_take(struct nvme_queue *q)
{
	unsigned int i = __atomic_fetch_add(&q->next, 1, __ATOMIC_RELAXED) % NVME_SLOTS;

	mutex_lock(&q->slots[i].busy);
	return &q->slots[i];
}

void nvme_queue_give(struct nvme_slot *s)
{
	mutex_unlock(&s->busy);
}

/* "Physical Region Page Entry and List": one page, two, or a list of all but the first. */
static uint64_t second_prp(const struct nvme_slot *s, uint32_t bytes)
{
	return bytes <= PAGE_SIZE	? 0
	       : bytes <= 2 * PAGE_SIZE ? paging_hpa(s->buffer).v + PAGE_SIZE
					: paging_hpa(s->prps).v;
}

static void put_entry(const struct nvme_queue *q, const struct nvme_slot *s,
		      const struct nvme_command *c)
{
	uint8_t *e = q->sq + q->tail * SQE;

	memset(e, 0, SQE);
	bytes_put_le32(e, c->opcode | (uint32_t)(s - q->slots) << 16);
	bytes_put_le32(e + 4, c->nsid);
	if (c->prp != 0) {
		bytes_put_le64(e + 24, c->prp);
	} else if (c->bytes != 0) {
		bytes_put_le64(e + 24, paging_hpa(s->buffer).v);
		bytes_put_le64(e + 32, second_prp(s, c->bytes));
	}
	bytes_put_le32(e + 40, c->cdw10);
	bytes_put_le32(e + 44, c->cdw11);
	bytes_put_le32(e + 48, c->cdw12);
}

static bool submit(struct nvme_queue *q, struct nvme_slot *s, const struct nvme_command *c)
{
	bool stopped;

	spin_lock(&q->lock);
	stopped = q->stopped;
	if (!stopped) {
		s->done = false;
		s->waiter = thread_current();
		put_entry(q, s, c);
		q->tail = (q->tail + 1) % NVME_DEPTH;
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the entry is there before the bell */
		*q->sq_bell = q->tail;
	}
	spin_unlock(&q->lock);
	return !stopped;
}

int nvme_queue_run(struct nvme_queue *q, struct nvme_slot *s, const struct nvme_command *c)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ANSWER_NS);
	bool over = false;

	if (!submit(q, s, c)) {
		return -ENODEV;
	}
	while (!over) {
		spin_lock(&q->lock);
		over = s->done || clock_now() >= deadline;
		s->waiter = over ? NULL : s->waiter;
		spin_unlock(&q->lock);
		if (!over) {
			thread_park_until(deadline);
		}
	}
	return !s->done			    ? -ETIMEDOUT
	       : s->status == 0		    ? 0
	       : s->status == STATUS_FAILED ? -ENODEV
					    : -EIO;
}
