/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the network device as they see each other: device, sending, receiving. */
/* Others see virtio_net.h only. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_PRIV_H
#define DRIVERS_VIRTIO_VIRTIO_NET_PRIV_H

#include "drivers/virtio/virtio_net_rx.h"
#include "drivers/virtio/virtio_net_tx.h"
#include "drivers/virtio/virtio_pci.h"

/* 5.1.2 "Virtqueues" */
enum { VIRTIO_NET_RX, VIRTIO_NET_TX, VIRTIO_NET_QUEUES };

struct virtio_net_state {
	struct virtio_pci_state pci;
	uint32_t leased; /* the address that its network's DHCP server has given it */
	uint8_t unplugged;
	uint8_t reserved;
	uint16_t
		parked; /* packets taken from the driver and not yet sent, by head of their chain */
	uint16_t park[VIRTIO_NET_PARK];
};

struct virtio_net {
	struct virtio_pci pci;
	struct netport port;
	struct virtio_net_tx tx;
	struct virtio_net_rx rx;
	uint32_t asked; /* what is to be done in serve(): enum virtio_net_ask; atomic */
	bool plugged;	/* port is in its network */
	uint8_t config[VIRTIO_NET_CONFIG];
	struct virtio_net_state s;
};

enum virtio_net_ask {
	VIRTIO_NET_ASK_RX = 1u << VIRTIO_NET_RX,
	VIRTIO_NET_ASK_TX = 1u << VIRTIO_NET_TX,
	VIRTIO_NET_ASK_RESEND = 1u << VIRTIO_NET_QUEUES,
};
/* Any thread, and timers; another VM's lock of devices held, or none. */
void virtio_net_ask(struct virtio_net *n, uint32_t what);

#endif
