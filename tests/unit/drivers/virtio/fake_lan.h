/* SPDX-License-Identifier: BSD-2-Clause */
/* A network of one card, VIRTIO_SLOT_NIC's, that a test plays with fake_driver: what the card sends is kept, */
/* what it shall receive is made here. */
#ifndef TESTS_UNIT_DRIVERS_VIRTIO_FAKE_LAN_H
#define TESTS_UNIT_DRIVERS_VIRTIO_FAKE_LAN_H

#include "drivers/net/netport.h"

struct fake_lan {
	struct netport *port; /* of the NIC created last */
	unsigned int plugged, sent, malformed, ready, bursts;
	uint64_t wait;	    /* what the next send returns, */
	uint8_t full[6];    /* to this address; zero: to any */
	uint64_t rate_wait; /* until when all have to wait */
	struct netpkt last;
	uint8_t frame[NETPKT_LEN_MAX];
	uint32_t leased;
};
extern struct fake_lan lan;

/* Set-up and tear-down of each test. */
int lan_start(void **state);
int lan_stop(void **state);
/* A notification, and what a vCPU's thread does before it enters the guest again. */
void lan_kick(unsigned int queue);
/* Bytes 0, 2, 4 … so that a source address has an even first one. */
void lan_put_frame(uint64_t gpa, uint32_t from, uint32_t len);
void lan_put_header(uint64_t gpa, uint8_t flags, uint8_t gso, uint16_t size, uint16_t at,
		    uint16_t off);
/* Header and frame in one buffer of queue q. */
void lan_offer_frame(unsigned int q, uint16_t head, uint32_t len);
void lan_offer_room(unsigned int q, uint16_t head, uint32_t len);
/* Somebody sends to the NIC, and may wait or not: its port takes it, then a vCPU's thread passes it on. */
bool lan_arrive_as(uint32_t len, uint8_t flags, uint8_t gso, uint16_t more);
bool lan_arrive(uint32_t len, uint8_t flags, uint8_t gso, uint16_t more);

#endif
