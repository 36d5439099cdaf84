/* SPDX-License-Identifier: BSD-2-Clause */
/* A private segment behind a host address: its gateway with DHCP server and DNS forwarder, source NAT for */
/* what leaves. Mode "natnet" has one for several guests, mode "nat" one for each. */
#ifndef DRIVERS_NET_NATNET_H
#define DRIVERS_NET_NATNET_H

#include "drivers/net/dhcps.h"
#include "drivers/net/hostif.h"
#include "drivers/net/ipif.h"
#include "drivers/net/nat.h"

struct natnet_config {
	struct dhcps_config dhcp; /* with the gateway's address and mask */
	uint32_t connections;	  /* at most, of one guest; 10,000 is usual */
};

struct natnet {
	struct ipif inside;  /* its port's owner attaches it to the segment's switch */
	struct hostif *host; /* (c) */
	struct nat_realm realm;
	struct spinlock lock;  /* LOCK_NET */
	struct dhcps dhcp;     /* [L] */
	struct list_node node; /* in host->nets */
	/* Counted since the beginning. */
	uint64_t foreign;    /* packets from addresses that are not of this segment */
	uint64_t prohibited; /* refused connections that were told so */
};

/* mac: the gateway's. -EINVAL, -ENOMEM. */
int natnet_init(struct natnet *n, const char *name, uint64_t mac, struct hostif *host,
		const struct natnet_config *c);
/* After the port was detached. Thread context. */
void natnet_exit(struct natnet *n);
/* From now on it has these addresses. -EBUSY: a guest has one that it had; -EINVAL, -ENOMEM. Thread context. */
int natnet_move(struct natnet *n, const struct dhcps_config *c, uint64_t now);
/* Every second. Thread context, no lock held. */
void natnet_tick(struct natnet *n, uint64_t now);

/* tcp or udp: the host's address and out_port lead to in_ip and in_port. Errors as nat_forward_add. */
int natnet_forward_add(struct natnet *n, uint8_t proto, uint16_t out_port, uint32_t in_ip,
		       uint16_t in_port);
int natnet_forward_remove(struct natnet *n, uint8_t proto, uint16_t out_port);
/* As dhcps_reserve and dhcps_unreserve. */
uint32_t natnet_reserve(struct natnet *n, uint64_t mac, uint32_t want);
void natnet_unreserve(struct natnet *n, uint64_t mac);
/* Copies the lease at *cursor (which begins with 0) that is in use, and moves on; false: no more. */
bool natnet_next_lease(struct natnet *n, unsigned int *cursor, uint64_t now,
		       struct dhcps_lease *out);

/* ---- for hostif ---- */

/* A translated packet for a guest. Value as netport_send's. */
uint64_t natnet_deliver(struct natnet *n, struct nat_packet *p);
/* A DNS answer for a guest. */
void natnet_dns_answer(struct natnet *n, uint32_t client, uint16_t port, const uint8_t *msg,
		       uint32_t len, uint64_t now);

#endif
