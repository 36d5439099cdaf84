/* SPDX-License-Identifier: BSD-2-Clause */
/* What a NIC has been sent and its driver has yet to take: packets in a ring of fixed size, between any */
/* number of senders and one receiver. Copies in; who reads decides how they go out. */
#ifndef DRIVERS_NET_NETQUEUE_H
#define DRIVERS_NET_NETQUEUE_H

#include "drivers/net/netport.h"
#include "hv/base/lock.h"

/* Of pages, 512 KiB: a wire cannot wait, and Linux opens its window to some 311 KB at first. */
#define NETQUEUE_ORDER 7u
#define NETQUEUE_SIZE  (4096u << NETQUEUE_ORDER)

/* In front of each frame in the ring; offload as in struct netpkt. */
struct netqueue_packet {
	uint32_t len; /* of the frame; 0: the ring goes on at its start */
	uint8_t flags;
	uint8_t gso;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint32_t reserved;
	uint8_t frame[];
};
_Static_assert(sizeof(struct netqueue_packet) == 16, "frames are aligned");

struct netqueue {
	struct spinlock lock; /* LOCK_NET_PORT */
	uint8_t *ring;	      /* (c) NETQUEUE_SIZE bytes */
	uint32_t head;	      /* [L] where the next packet goes */
	uint32_t tail;	      /* [L] the oldest */
	uint32_t used;	      /* [L] bytes from tail to head */
	uint32_t packets;     /* [L] read without it as a hint */
	uint32_t reserved;    /* [L] bytes kept for segments that are still being cut */
};

/* -ENOMEM. Thread context. */
int netqueue_init(struct netqueue *q);
void netqueue_exit(struct netqueue *q);

/*
 * Copies pkt in. False: there is no room for it and for pkt->more of its kind, or another packet is being
 * cut into segments for this queue. Any thread.
 */
bool netqueue_put(struct netqueue *q, const struct netpkt *pkt);

/* ---- the receiver's; one thread at a time ---- */

/* The oldest, which stays where it is until netqueue_drop; NULL: none. */
const struct netqueue_packet *netqueue_peek(struct netqueue *q);
void netqueue_drop(struct netqueue *q);
/* Forgets all. */
void netqueue_clear(struct netqueue *q);
static inline bool netqueue_is_empty(const struct netqueue *q)
{
	return __atomic_load_n(&q->packets, __ATOMIC_RELAXED) == 0;
}

#endif
