/* SPDX-License-Identifier: BSD-2-Clause */
/* The way out of a virtio NIC: packets from the driver's ring to the switch, on a vCPU's thread, without any */
/* lock; those that wait for a receiver hold up only what is for the same one. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_TX_H
#define DRIVERS_VIRTIO_VIRTIO_NET_TX_H

#include "drivers/net/netport.h"
#include "drivers/virtio/virtio_regs.h"
#include "drivers/virtio/virtq.h"
#include "hv/timer.h"

struct virtio_net;

/*
 * Packets that wait for a receiver. The rest of the ring stays free for others: when so many wait, and some
 * have for so long (ns), one more is lost; until then all wait, so that a burst loses nothing.
 */
#define VIRTIO_NET_PARK	    (VIRTQ_SIZE_MAX - VIRTQ_SIZE_MAX / 8)
#define VIRTIO_NET_PATIENCE 50000000ul

struct virtio_net_parked {
	uint64_t since; /* ns */
	uint64_t dst;	/* MAC address; 0: unknown, and so behind every other one */
	uint16_t head;	/* of its chain, which is looked at anew */
};

struct virtio_net_tx {
	struct virtio_net *nic; /* (c) */
	struct virtq *q;	/* (c) */
	unsigned int pair;	/* (c) */
	struct timer retry;
	/* [devices] */
	uint64_t active; /* ns: when the driver last had something to be sent */
	bool busy;	 /* a thread is at it: owner of what stands below */
	bool again;	 /* and shall look once more */
	bool resend;	 /* also at what waits */
	unsigned int parked;
	uint64_t resend_at;				/* ns: at the latest */
	struct virtio_net_parked park[VIRTIO_NET_PARK]; /* in the driver's order */
	/* [owner] */
	struct netburst burst;
	struct virtq_chain chain;
	uint8_t head[VIRTIO_NET_HDR + NETPKT_HEAD]; /* of the chain: its header, the frame's head */
	struct netseg seg[NETPKT_SEGS_MAX];
	uint8_t *bounce; /* NULL, or what packets of very many pieces are put together in */
};

void virtio_net_tx_init(struct virtio_net_tx *tx, struct virtio_net *nic, unsigned int pair);
/* No thread is at it. */
void virtio_net_tx_destroy(struct virtio_net_tx *tx);
/* Sends what the driver has there, and (resend) what waited. A thread of the VM, no lock held. */
void virtio_net_tx_serve(struct virtio_net_tx *tx, bool resend);
/* Forgets what waits. Devices' lock held. */
void virtio_net_tx_reset(struct virtio_net_tx *tx);

/* ---- saving: heads of what waits, VIRTIO_NET_PARK at most; devices' lock held ---- */

uint16_t virtio_net_tx_save(const struct virtio_net_tx *tx, uint16_t *heads);
/* -EINVAL: the queue does not have so many. */
int virtio_net_tx_load(struct virtio_net_tx *tx, const uint16_t *heads, uint16_t count);

#endif
