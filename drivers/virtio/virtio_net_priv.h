/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the network device as they see each other: device, sending, receiving, control. */
/* Others see virtio_net.h only. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_PRIV_H
#define DRIVERS_VIRTIO_VIRTIO_NET_PRIV_H

#include "drivers/virtio/virtio_net_filter.h"
#include "drivers/virtio/virtio_net_rx.h"
#include "drivers/virtio/virtio_net_steer.h"
#include "drivers/virtio/virtio_net_tx.h"
#include "drivers/virtio/virtio_pci.h"

/* 5.1.2 "Virtqueues": pairs, and behind the last one that the driver may use the control queue. */
enum { VIRTIO_NET_RX, VIRTIO_NET_TX };
#define VIRTIO_NET_PAIRS_MAX 8u
_Static_assert(2 * VIRTIO_NET_PAIRS_MAX + 1 <= VIRTIO_DEV_QUEUES, "all queues are there");

struct virtio_net_parked_state { /* packets taken from the driver and not yet sent, */
	uint16_t count;
	uint16_t head[VIRTIO_NET_PARK]; /* by head of their chain */
};

struct virtio_net_state {
	struct virtio_pci_state pci;
	uint64_t offloads; /* what the driver takes now, as features; atomic */
	struct virtio_net_filter_state filter;
	uint32_t leased; /* the address that its network's DHCP server has given it */
	uint16_t active; /* pairs that the driver receives from; atomic */
	uint8_t unplugged;
	uint8_t announce; /* the driver is asked to tell its addresses to its network */
	struct virtio_net_parked_state parked[VIRTIO_NET_PAIRS_MAX];
};
_Static_assert(sizeof(struct virtio_net_state) ==
		       sizeof(struct virtio_pci_state) + 408 +
			       VIRTIO_NET_PAIRS_MAX * sizeof(struct virtio_net_parked_state),
	       "saved state, without a gap");

struct virtio_net_pair {
	struct virtio_net_rxq rx;
	struct virtio_net_tx tx;
};

struct virtio_net {
	struct virtio_pci pci;
	struct netport port;
	struct virtio_net_rx rx;
	struct virtio_net_filter filter;
	struct virtio_net_pair *pair[VIRTIO_NET_PAIRS_MAX];
	unsigned int pairs;	  /* (c) */
	unsigned int usable;	  /* [devices] of them, with the features that the driver has */
	struct virtq_chain chain; /* [devices] for what is taken and completed in one go */
	uint32_t asked;		  /* what is to be done in serve(): VIRTIO_NET_ASK_; atomic */
	bool plugged;		  /* port is in its network */
	uint8_t config[VIRTIO_NET_CONFIG];
	struct virtio_net_steer steer;
	struct virtio_net_state s;
};

/* Pairs among which received packets are spread. Any thread. */
static inline unsigned int virtio_net_active(const struct virtio_net *n)
{
	return __atomic_load_n(&n->s.active, __ATOMIC_RELAXED);
}

#define VIRTIO_NET_ASK_RX	1u
#define VIRTIO_NET_ASK_RESEND	2u /* of all pairs */
#define VIRTIO_NET_ASK_ANNOUNCE 4u
#define VIRTIO_NET_ASK_TX(pair) (8u << (pair))
/* Any thread, and timers; another VM's lock of devices held, or none. */
void virtio_net_ask(struct virtio_net *n, uint32_t what);

/* ---- life; devices' lock held ---- */

/* DRIVER_OK is set; or was, before a load: a device that is broken then keeps what it has until its reset. */
void virtio_net_begin(struct virtio_net *n, uint64_t offloads);
/* Those that the driver may switch on and off. */
uint64_t virtio_net_possible_offloads(const struct virtio_net *n);
/* In its configuration only: telling the driver is left to the caller. */
void virtio_net_ask_to_announce(struct virtio_net *n);
/* As struct vdev_class says. */
void virtio_net_before_save(void *dev);
int virtio_net_after_load(void *dev);

/* ---- what the driver sets by its control queue; devices' lock held, -EINVAL: it may not have that ---- */

int virtio_net_set_mac(struct virtio_net *n, const uint8_t mac[6]);
int virtio_net_set_pairs(struct virtio_net *n, unsigned int pairs);
int virtio_net_set_offloads(struct virtio_net *n, uint64_t offloads);
void virtio_net_announced(struct virtio_net *n);

#endif
