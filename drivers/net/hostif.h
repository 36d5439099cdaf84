/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own address on an uplink: by DHCP or configured. Answers ping, carries the NAT of all the */
/* segments behind it, and asks DNS servers for them. Its own pings are ping.h's. Offers no TCP. */
#ifndef DRIVERS_NET_HOSTIF_H
#define DRIVERS_NET_HOSTIF_H

#include "drivers/net/dhcpc.h"
#include "drivers/net/dns.h"
#include "drivers/net/ipif.h"
#include "drivers/net/nat.h"
#include "drivers/net/nat_packet.h"

struct natnet;

struct hostif_config {
	uint32_t addr, mask, router; /* addr 0: by DHCP */
	uint32_t dns;		     /* 0: what DHCP says */
	char hostname[DHCP_NAME];
	uint32_t nat_buckets; /* a power of two; 8192 serves 30,000 connections well */
	uint32_t nat_most;    /* connections of all segments together */
};

struct hostif {
	struct ipif outside; /* its port's owner attaches it to the uplink's switch */
	struct nat nat;
	struct spinlock lock;	/* LOCK_NET */
	struct dhcpc dhcpc;	/* [L] */
	struct dns dns;		/* [L] */
	struct list_node nets;	/* [L] struct natnet.node */
	struct list_node pings; /* [L] struct ping.node */
	struct hostif_config c; /* (c) */
	uint64_t conflicts;	/* somebody else claimed our address */
};

/* -ENOMEM. mac is the host's, distinct from the NIC's when guests are bridged to it. */
int hostif_init(struct hostif *h, const char *name, uint64_t mac, const struct hostif_config *c);
/* No natnet and no ping is left, the port is detached. */
void hostif_exit(struct hostif *h);
/* Every second, and once the port is attached: DHCP, ARP, time-outs. Thread context, no lock held. */
void hostif_tick(struct hostif *h, uint64_t now);

/* ---- for natnet ---- */

/* A packet from inside, already ours to send: to the next hop, or back in if it is for our address. */
uint64_t hostif_output(struct hostif *h, struct nat_packet *p);
/* A guest's DNS query (message at msg, which is changed): sent on, or dropped. */
void hostif_dns_ask(struct hostif *h, struct natnet *net, uint32_t client, uint16_t client_port,
		    uint8_t *msg, uint32_t len, uint64_t now);
void hostif_add(struct hostif *h, struct natnet *net);
/* After this nobody in here knows net any more. */
void hostif_remove(struct hostif *h, struct natnet *net);
/* Tells the uplink that a segment has room again. */
void hostif_ready(struct hostif *h);

#endif
