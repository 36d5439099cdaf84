/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pair of queues receives a flow: the one that its driver sends it on. */
/* Puts nothing into a queue. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_STEER_H
#define DRIVERS_VIRTIO_VIRTIO_NET_STEER_H

#include "hv/lib/types.h"

struct netpkt;

#define VIRTIO_NET_FLOWS 256u

/* Of flows that share one of these, too. All atomic: any thread sends and receives. */
struct virtio_net_flow {
	uint64_t last;	  /* received (ticks) */
	uint8_t sent_on;  /* 1 + pair; 0: never sent */
	uint8_t comes_on; /* 1 + pair; 0: never received */
};

struct virtio_net_steer {
	struct virtio_net_flow flow[VIRTIO_NET_FLOWS];
};

void virtio_net_steer_reset(struct virtio_net_steer *s);
/* The driver has sent pkt on that pair. */
void virtio_net_steer_sent(struct virtio_net_steer *s, const struct netpkt *pkt, unsigned int pair);
/*
 * The pair, one of the first `active`, that receives pkt now. Virtio 1.2, 5.1.6.5.5 "Automatic receive
 * steering in multiqueue mode".
 */
unsigned int virtio_net_steer_pick(struct virtio_net_steer *s, const struct netpkt *pkt,
				   unsigned int active);

#endif
