/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card of the machine's: a port that sends at once and receives on its own thread. */
/* "Virtio" 1.2, 5.1: one pair of queues, and the control queue for what it filters. */
#ifndef DRIVERS_HOST_HOST_VIRTIO_NET_H
#define DRIVERS_HOST_HOST_VIRTIO_NET_H

#include "drivers/host/host_virtio.h"
#include "drivers/host/host_vring.h"
#include "drivers/net/netport.h"
#include "hv/mutex.h"

struct thread;

#define HOST_VIRTIO_NET_RING	  128u /* descriptors, each with a buffer of its own */
#define HOST_VIRTIO_NET_BUFFER	  2048u
#define HOST_VIRTIO_NET_BUF_ORDER 6u
_Static_assert(HOST_VIRTIO_NET_RING *HOST_VIRTIO_NET_BUFFER == 4096u << HOST_VIRTIO_NET_BUF_ORDER &&
		       HOST_VIRTIO_NET_RING <= HOST_VRING_MAX,
	       "a buffer each");

enum { HOST_VIRTIO_NET_RX, HOST_VIRTIO_NET_TX, HOST_VIRTIO_NET_CTRL }; /* 5.1.2 "Virtqueues" */

struct host_virtio_net {
	struct netport port;
	struct host_virtio v;
	struct thread *thread; /* (c) NULL until the port was offered; atomic */
	bool woken;	       /* by the interrupt; atomic */
	bool broken;	       /* it broke the rules of a ring, and was reset for good; atomic */
	uint64_t interrupts;
	uint64_t rx_errors; /* what is no packet; both atomic */

	/* Receiving: the thread's own. */
	struct host_vring rx;
	uint8_t *rx_buf;
	volatile uint8_t *rx_bell;

	struct spinlock lock; /* LOCK_NET_PORT */
	struct host_vring tx; /* [L] */
	uint8_t *tx_buf;
	volatile uint8_t *tx_bell;
	uint8_t tx_chain
		[HOST_VIRTIO_NET_RING];	    /* [L] descriptors of the packet that begins there */
	bool tx_done[HOST_VIRTIO_NET_RING]; /* [L] and the device has done with it */
	uint16_t tx_next, tx_clean;	    /* [L] the next packet's; the oldest packet's */
	unsigned int tx_free;		    /* [L] descriptors */
	bool tx_wanted;			    /* [L] the switch waits for room */

	struct mutex ctrl_mutex;
	struct host_vring ctrl; /* [ctrl_mutex] */
	uint8_t *ctrl_buf;	/* [ctrl_mutex] a page */
	volatile uint8_t *ctrl_bell;
	bool ctrl_usable; /* [ctrl_mutex] */
};

/* It broke the rules: from now on it is not asked for anything. Any context. */
void host_virtio_net_break(struct host_virtio_net *n);

/* ---- host_virtio_net_tx.c ---- */

/* port.ops->receive and ->flush: what the switch has for the wire, and that the device is to hear of it. */
bool host_virtio_net_tx_receive(struct netport *p, const struct netpkt *pkt);
void host_virtio_net_tx_flush(struct netport *p);
/* Takes back what was sent; true if the switch waits for room and there is now enough. */
bool host_virtio_net_tx_reclaim(struct host_virtio_net *n);

/* ---- host_virtio_net_rx.c ---- */

/* Gives all buffers to the device, which is not told yet. */
void host_virtio_net_rx_start(struct host_virtio_net *n);
/* Hands up to `most` packets to the switch: how many. Thread context, no lock held. */
unsigned int host_virtio_net_rx_poll(struct host_virtio_net *n, unsigned int most);

/* ---- host_virtio_net_ctrl.c ---- */

/* netnic_ops.set_promiscuous: a device that cannot be told shows what it likes to. */
void host_virtio_net_ctrl_promiscuous(struct netport *p, bool on);

#endif
