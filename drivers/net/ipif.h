/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPv4 address of the hypervisor's own on a segment: ARP, fragments, the way to the next hop. The */
/* gateway of a NAT network and the host's address on an uplink are such. What packets mean is their owner's. */
#ifndef DRIVERS_NET_IPIF_H
#define DRIVERS_NET_IPIF_H

#include "drivers/net/arp.h"
#include "drivers/net/frame.h"
#include "drivers/net/ipv4.h"
#include "drivers/net/netport.h"
#include "hv/base/lock.h"

struct ipif;

struct ipif_ops {
	/*
	 * An IPv4 packet, untagged, its header's checksum right, no fragment, for our MAC address or a
	 * group. False: no room, offer it again. Context as netport_ops.receive.
	 */
	bool (*input)(struct ipif *i, const struct netpkt *pkt, const struct frame *f);
	/* NULL or: what ipif_send told to wait may go on. */
	void (*resume)(struct ipif *i);
	/* NULL or: somebody else uses our address (RFC 5227). */
	void (*conflict)(struct ipif *i, uint64_t mac);
};

struct ipif {
	struct netport port;	    /* its owner attaches and detaches it */
	const struct ipif_ops *ops; /* (c) */
	struct spinlock lock;	    /* LOCK_NET */
	uint32_t addr;		    /* [L] 0: none yet */
	uint32_t mask;		    /* [L] */
	uint32_t router;	    /* [L] 0: none */
	uint16_t id;		    /* [L] of the next packet we make */
	struct arp_cache arp;	    /* [L] */
	struct ipv4_frags frags;    /* [L] */
	uint64_t unreachable;	    /* packets without a route, or that nobody took */
};

/* No address. The port is ready to be attached. */
void ipif_init(struct ipif *i, const char *name, uint64_t mac, const struct ipif_ops *ops);
/* After the port was detached. */
void ipif_exit(struct ipif *i);
/* 0, 0, 0: none any more. */
void ipif_set_address(struct ipif *i, uint32_t addr, uint32_t mask, uint32_t router);
/* Tells others that the address is ours (RFC 5227, "Announcing an Address"). */
void ipif_announce(struct ipif *i, uint64_t now);
/* Once a second: asks for addresses again, gives fragments up. */
void ipif_tick(struct ipif *i, uint64_t now);

/*
 * Sends an IPv4 packet to dst by ARP, by way of the router if dst is not on the segment. head is
 * pkt->seg[0], where the Ethernet addresses are filled in. Value as netport_send's; what has to wait
 * for ARP is kept if it is short, else lost. To our own address: it comes in. No lock held.
 */
uint64_t ipif_send(struct ipif *i, const struct netpkt *pkt, uint8_t *head, uint32_t dst);
/*
 * The same for somebody else's packet: cut if it is too long, unless it must not be (IPV4_DF): then it is
 * lost.
 */
uint64_t ipif_forward(struct ipif *i, const struct netpkt *pkt, uint8_t *head, uint32_t dst);
/* The same for a whole frame of our own, cut if it is too long; gives it an identification. */
void ipif_send_frame(struct ipif *i, uint8_t *frame, uint32_t len, uint64_t now, uint32_t dst);
/* To that MAC address, without ARP. */
void ipif_send_to(struct ipif *i, uint8_t *frame, uint32_t len, uint64_t now, uint64_t mac);

/* The packet in one piece on the heap, its transport checksum completed; NULL: no memory. */
uint8_t *ipif_linear(const struct netpkt *pkt);
/*
 * What an endpoint does with a packet to its address that is for none of its services: answers echo
 * requests, resets TCP.
 */
void ipif_answer(struct ipif *i, const struct netpkt *pkt, const struct frame *f);
/* The data of a UDP datagram in a linear frame; NULL: lengths or checksum are wrong. */
const uint8_t *ipif_udp_data(const uint8_t *frame, const struct frame *f, uint32_t *len);

static inline bool ipif_is_broadcast(const struct ipif *i, uint32_t ip)
{
	return ip == IPV4_BROADCAST || (i->addr != 0 && ip == (i->addr | ~i->mask));
}

#endif
