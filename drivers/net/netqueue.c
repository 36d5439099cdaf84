/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets in a ring, each in one piece: what does not fit behind the last one goes to the start. */
/* Waits for nobody. */
#include "drivers/net/netqueue.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"

int netqueue_init(struct netqueue *q)
{
	*q = (struct netqueue){ .ring = page_alloc_dirty(NETQUEUE_ORDER) };
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

/* [L] A lone packet may be longer than half of the ring. */
static void begin_anew(struct netqueue *q)
{
	if (q->packets == 0) {
		q->head = q->tail = q->used = 0;
	}
}

/* [L] A place of `size` bytes in one piece, with so much left free; NULL: there is none. */
static struct netqueue_packet *reserve(struct netqueue *q, uint32_t size, uint32_t free)
{
	uint32_t to_end = NETQUEUE_SIZE - q->head;
	uint32_t skip = q->head >= q->tail && size > to_end ? to_end : 0;
	struct netqueue_packet *p;

	if ((uint64_t)size + skip + free > NETQUEUE_SIZE - q->used) {
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
	p->flags = pkt->flags & (uint8_t) ~(NETPKT_CUT | NETPKT_NOW);
	p->gso = pkt->gso;
	p->gso_size = pkt->gso_size;
	p->csum_start = pkt->csum_start;
	p->csum_offset = pkt->csum_offset;
	netpkt_copy(pkt, 0, p->frame, pkt->len);
}

/* [L] A packet alone: leaves what is kept. */
static struct netqueue_packet *place_one(struct netqueue *q, uint32_t size)
{
	return reserve(q, size, q->reserved);
}

/*
 * [L] The first of several segments, if there is room for all: it is kept for the rest, for others' packets
 * may come in between. Going to the start of the ring costs less than one more of them.
 */
static struct netqueue_packet *place_first(struct netqueue *q, uint32_t size, uint32_t more)
{
	uint64_t rest = (uint64_t)size * (more + 1ul);
	struct netqueue_packet *p;

	if (q->reserved != 0 || size + rest > NETQUEUE_SIZE - q->used) {
		return NULL;
	}
	p = reserve(q, size, size * more);
	q->reserved = (uint32_t)u64_min(rest, NETQUEUE_SIZE - q->used);
	return p;
}

/* [L] One of the rest, none of which is longer than the first. */
static struct netqueue_packet *place_next(struct netqueue *q, uint32_t size, uint32_t more)
{
	q->reserved = more != 0 ? q->reserved - (uint32_t)u64_min(q->reserved, size) : 0;
	return reserve(q, size, q->reserved);
}

static struct netqueue_packet *place(struct netqueue *q, const struct netpkt *pkt)
{
	uint32_t size = record_size(pkt->len);

	if (pkt->flags & NETPKT_CUT) {
		return place_next(q, size, pkt->more);
	}
	return pkt->more != 0 ? place_first(q, size, pkt->more) : place_one(q, size);
}

bool netqueue_put(struct netqueue *q, const struct netpkt *pkt)
{
	struct netqueue_packet *p;

	spin_lock(&q->lock);
	begin_anew(q);
	p = place(q, pkt);
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
	q->reserved = 0;
	begin_anew(q);
	spin_unlock(&q->lock);
}
