/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets in a ring, each in one piece: what does not fit behind the last one goes to the start. */
/* Waits for nobody. */
#include "drivers/net/netqueue.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"

int netqueue_init(struct netqueue *q)
{
	*q = (struct netqueue){ .ring = page_alloc(NETQUEUE_ORDER) };
	spin_init(&q->lock, LOCK_NET_PORT);
	return q->ring != NULL ? 0 : -ENOMEM;
}

void netqueue_exit(struct netqueue *q)
{
	if (q->ring != NULL) {
		page_free(q->ring, NETQUEUE_ORDER);
	}
	q->ring = NULL;
}

static uint32_t record_size(uint32_t len)
{
	return (uint32_t)(sizeof(struct netqueue_packet) + len + 15) & ~15u;
}

static struct netqueue_packet *at(const struct netqueue *q, uint32_t off)
{
	return (struct netqueue_packet *)(q->ring + off);
}

/* [L] Room for n of that size, wherever they fall: going to the start costs less than one more. */
static bool has_room(const struct netqueue *q, uint32_t size, uint32_t n)
{
	return (uint64_t)size * (n + 1ul) <= NETQUEUE_SIZE - q->used;
}

/* [L] A lone packet may be longer than half of the ring. */
static void begin_anew(struct netqueue *q)
{
	if (q->packets == 0) {
		q->head = q->tail = q->used = 0;
	}
}

/* [L] A place of `size` bytes in one piece; NULL: there is none. */
static struct netqueue_packet *reserve(struct netqueue *q, uint32_t size)
{
	uint32_t to_end = NETQUEUE_SIZE - q->head;
	uint32_t skip = q->head >= q->tail && size > to_end ? to_end : 0;
	struct netqueue_packet *p;

	if (size + skip > NETQUEUE_SIZE - q->used) {
		return NULL;
	}
	if (skip != 0) {
		at(q, q->head)->len = 0;
		q->head = 0;
		q->used += skip;
	}
	p = at(q, q->head);
	q->head = (q->head + size) % NETQUEUE_SIZE;
	q->used += size;
	return p;
}

static void fill(struct netqueue_packet *p, const struct netpkt *pkt)
{
	p->len = pkt->len;
	p->flags = pkt->flags;
	p->gso = pkt->gso;
	p->gso_size = pkt->gso_size;
	p->csum_start = pkt->csum_start;
	p->csum_offset = pkt->csum_offset;
	netpkt_copy(pkt, 0, p->frame, pkt->len);
}

bool netqueue_put(struct netqueue *q, const struct netpkt *pkt)
{
	uint32_t size = record_size(pkt->len);
	struct netqueue_packet *p = NULL;

	spin_lock(&q->lock);
	begin_anew(q);
	if (pkt->more == 0 || has_room(q, size, pkt->more + 1u)) {
		p = reserve(q, size);
	}
	if (p != NULL) {
		fill(p, pkt);
		__atomic_store_n(&q->packets, q->packets + 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&q->lock);
	return p != NULL;
}

const struct netqueue_packet *netqueue_peek(struct netqueue *q)
{
	struct netqueue_packet *p = NULL;

	spin_lock(&q->lock);
	if (q->packets != 0) {
		if (at(q, q->tail)->len == 0) {
			q->used -= NETQUEUE_SIZE - q->tail;
			q->tail = 0;
		}
		p = at(q, q->tail);
	}
	spin_unlock(&q->lock);
	return p;
}

void netqueue_drop(struct netqueue *q)
{
	uint32_t size;

	BUG_ON(q->packets == 0);
	spin_lock(&q->lock);
	size = record_size(at(q, q->tail)->len);
	q->tail = (q->tail + size) % NETQUEUE_SIZE;
	q->used -= size;
	__atomic_store_n(&q->packets, q->packets - 1, __ATOMIC_RELAXED);
	spin_unlock(&q->lock);
}

void netqueue_clear(struct netqueue *q)
{
	spin_lock(&q->lock);
	__atomic_store_n(&q->packets, 0, __ATOMIC_RELAXED);
	begin_anew(q);
	spin_unlock(&q->lock);
}
