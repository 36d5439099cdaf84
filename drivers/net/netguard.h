/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses a port may speak from, and that it is no DHCP server. Learns addresses that a believed */
/* DHCP server gives. Called by the switch, under its lock. */
#ifndef DRIVERS_NET_NETGUARD_H
#define DRIVERS_NET_NETGUARD_H

#include "hv/lib/types.h"

struct netpkt;

enum netguard_flags {
	NETGUARD_MAC = 1, /* only from the port's MAC address, in Ethernet and in ARP */
	NETGUARD_IP = 2,  /* only IPv4 and ARP, only from `ip` and `leased`, and DHCP to get one */
	NETGUARD_SERVER = 4, /* no answers of a DHCP server */
};
#define NETGUARD_ALL	   (NETGUARD_MAC | NETGUARD_IP | NETGUARD_SERVER)
#define NETGUARD_ADDRESSES 4u

struct netguard {
	uint8_t flags; /* enum netguard_flags */
	uint8_t count;
	uint32_t ip[NETGUARD_ADDRESSES]; /* configured */
	uint32_t leased;		 /* by DHCP; 0: none */
};

/*
 * A negative value: it may pass; else the enum netport_drop that says why not. host: the host's own address
 * on that network, which no guarded port has; 0: none.
 */
int netguard_check(const struct netguard *g, const uint8_t mac[6], uint32_t host,
		   const struct netpkt *pkt);
/* Is pkt a DHCP server's acknowledgement of an address? Then which MAC address may use which. */
bool netguard_snoop(const struct netpkt *pkt, uint64_t *mac, uint32_t *ip);

#endif
