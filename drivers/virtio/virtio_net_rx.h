/* SPDX-License-Identifier: BSD-2-Clause */
/* The way into a virtio NIC: buffers that the driver offers are kept at hand, so that whoever sends to it */
/* copies right into them; who finds none waits, what cannot wait does so in a queue. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_RX_H
#define DRIVERS_VIRTIO_VIRTIO_NET_RX_H

#include "drivers/net/netqueue.h"
#include "drivers/virtio/virtq.h"

struct virtio_net;

#define VIRTIO_NET_BUFFERS                                                                         \
	128u /* at hand; a power of two, less than a ring, so that it is not always empty */
#define VIRTIO_NET_PIECES 512u /* of which they consist; a power of two, more than a chain has */

struct virtio_net_buffer { /* a chain taken from the driver */
	uint16_t head;
	uint16_t pieces;
	uint32_t room; /* bytes; once it was filled, those in use */
};

struct virtio_net_piece {
	gpa_t gpa;
	uint32_t len;
};

/*
 * One of the driver's queues to receive into. Counters run freely: first <= filled <= last. Whoever adds buffers
 * needs no lock: they are there once `last` says so, and their pieces' places are free once `piece` does.
 */
struct virtio_net_rxq {
	struct virtio_net *nic; /* (c) */
	struct virtq *q;	/* (c) */
	unsigned int pair;	/* (c) */
	struct spinlock lock;	/* LOCK_NET_PORT, never with the backlog's */
	uint32_t epoch;		/* [devices] of what is at hand */
	uint32_t first;		/* [L devices] the oldest buffer, full */
	uint32_t filled;	/* [L] the oldest empty one */
	uint32_t last;		/* [devices] stored before last_piece, read behind it */
	uint32_t piece;		/* [L] of empty buffers: the first, */
	uint32_t last_piece;	/* [devices] and behind the last */
	struct virtio_net_buffer buffer[VIRTIO_NET_BUFFERS];
	struct virtio_net_piece pieces[VIRTIO_NET_PIECES];
};

struct virtio_net_rx {
	struct virtio_net *nic; /* (c) */
	struct netqueue
		queue; /* one for all pairs: which of them is seen when a packet leaves it */
	/* [devices] */
	bool busy;    /* a thread is at it: owner of what stands below, and of the queue's end */
	bool again;   /* and shall look once more */
	bool flush;   /* and forget what is in the queue */
	bool settled; /* who waits may find another pair now */
	/* [owner] */
	bool made_room; /* and nobody was told so far */
	/* Packets: atomic. */
	uint64_t direct; /* copied once */
	uint64_t queued; /* copied twice */
	uint64_t lost;	 /* that no buffers were large enough for */
};

/* -ENOMEM */
int virtio_net_rx_init(struct virtio_net_rx *rx, struct virtio_net *nic);
void virtio_net_rxq_init(struct virtio_net_rxq *rx, struct virtio_net *nic, unsigned int pair);
void virtio_net_rx_destroy(struct virtio_net_rx *rx);
/* As netport_ops.receive: any VM's thread, whose memory pkt is in. */
bool virtio_net_rx_receive(struct virtio_net_rx *rx, const struct netpkt *pkt);
/*
 * Tells the driver what has come, takes more buffers, fills them from the queue. A thread of the VM, no
 * lock held.
 */
void virtio_net_rx_serve(struct virtio_net_rx *rx);
/* Forgets buffers and packets. Devices' lock held. */
void virtio_net_rx_reset(struct virtio_net_rx *rx);
/* The buffers at hand are the driver's again, as if they had not been taken. Devices' lock held. */
void virtio_net_rx_put_back(struct virtio_net_rx *rx);
/*
 * After a change of how packets are received: the driver has in its rings all that was received before;
 * what comes from now on is received the new way, by whoever waits, too. Devices' lock held.
 */
void virtio_net_rx_settle(struct virtio_net_rx *rx);

#endif
