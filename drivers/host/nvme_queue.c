/* SPDX-License-Identifier: BSD-2-Clause */
/* A pair of NVMe queues in memory: entries, bells, the phase of completions. */
/* Knows no command's meaning. "NVM Express Base Specification" 1.4, "Data Structures". */
#include "drivers/host/nvme_queue.h"

#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define SQE 64u
#define CQE 16u

_Static_assert(NVME_DEPTH *SQE <= PAGE_SIZE, "a queue is a page");
_Static_assert(DISK_SLOTS < NVME_DEPTH, "never full");
_Static_assert(DISK_SLOT_BUFFER / PAGE_SIZE * 8 <= PAGE_SIZE, "a list is a page");

static int init_list(struct nvme_queue *q, unsigned int slot)
{
	uint8_t *list = page_alloc(0);

	q->prps[slot] = list;
	for (unsigned int i = 1; list != NULL && i < DISK_SLOT_BUFFER / PAGE_SIZE; i++) {
		bytes_put_le64(list + 8 * (size_t)(i - 1),
			       paging_hpa(q->slots.slot[slot].buffer).v + i * PAGE_SIZE);
	}
	return list != NULL ? 0 : -ENOMEM;
}

int nvme_queue_init(struct nvme_queue *q, const struct disk_slots_ops *ops)
{
	int err = disk_slots_init(&q->slots, ops);

	q->sq = page_alloc(0);
	q->cq = page_alloc(0);
	for (unsigned int i = 0; err == 0 && i < DISK_SLOTS; i++) {
		err = init_list(q, i);
	}
	if (q->sq == NULL || q->cq == NULL || err != 0) {
		return -ENOMEM;
	}
	nvme_queue_restart(q);
	return 0;
}

static void free_page(void *p)
{
	if (p != NULL) {
		page_free(p, 0);
	}
}

void nvme_queue_free(struct nvme_queue *q)
{
	disk_slots_free(&q->slots);
	free_page(q->sq);
	free_page(q->cq);
	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		free_page(q->prps[i]);
	}
}

void nvme_queue_restart(struct nvme_queue *q)
{
	spin_lock(&q->slots.lock);
	memset(q->sq, 0, PAGE_SIZE);
	memset(q->cq, 0, PAGE_SIZE);
	q->tail = q->head = 0;
	q->phase = 1;
	spin_unlock(&q->slots.lock);
}

/* "Completion Queue Entry": what the last word's phase bit says is new; the id is the slot. */
void nvme_queue_irq(struct nvme_queue *q)
{
	unsigned int taken = 0;

	spin_lock(&q->slots.lock);
	for (; taken < NVME_DEPTH && !q->slots.stopped; taken++) {
		volatile uint32_t *last = (volatile uint32_t *)(q->cq + q->head * CQE) + 3;
		uint32_t word = *last;

		if ((word >> 16 & 1) != q->phase) {
			break;
		}
		disk_slots_end(&q->slots, word & 0xffff, word >> 17 == 0 ? 0 : -EIO);
		q->head = (q->head + 1) % NVME_DEPTH;
		q->phase ^= q->head == 0;
	}
	if (taken > 0) {
		*q->cq_bell = q->head;
	}
	spin_unlock(&q->slots.lock);
}

/* "Physical Region Page Entry and List": one page, two, or a list of all but the first. */
static uint64_t second_prp(const struct nvme_queue *q, unsigned int slot, uint32_t bytes)
{
	return bytes <= PAGE_SIZE	? 0
	       : bytes <= 2 * PAGE_SIZE ? paging_hpa(q->slots.slot[slot].buffer).v + PAGE_SIZE
					: paging_hpa(q->prps[slot]).v;
}

static void put_entry(const struct nvme_queue *q, unsigned int slot, const struct disk_job *j)
{
	const struct nvme_command *c = j->command;
	uint8_t *e = q->sq + (size_t)q->tail * SQE;

	memset(e, 0, SQE);
	bytes_put_le32(e, c->opcode | slot << 16);
	bytes_put_le32(e + 4, c->nsid);
	if (c->prp != 0) {
		bytes_put_le64(e + 24, c->prp);
	} else if (j->bytes != 0) {
		bytes_put_le64(e + 24, paging_hpa(q->slots.slot[slot].buffer).v);
		bytes_put_le64(e + 32, second_prp(q, slot, j->bytes));
	}
	bytes_put_le32(e + 40, c->cdw10);
	bytes_put_le32(e + 44, c->cdw11);
	bytes_put_le32(e + 48, c->cdw12);
}

void nvme_queue_submit(struct disk_slots *s, unsigned int slot, const struct disk_job *j)
{
	struct nvme_queue *q = container_of(s, struct nvme_queue, slots);

	put_entry(q, slot, j);
	q->tail = (q->tail + 1) % NVME_DEPTH;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the entry is there before the bell */
	*q->sq_bell = q->tail;
}
