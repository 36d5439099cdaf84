/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client (RFC 2131, 4.4) for the host's own address: asks, renews, gives up. */
/* Pure: messages in, messages out; no lock, no clock. */
#ifndef DRIVERS_NET_DHCPC_H
#define DRIVERS_NET_DHCPC_H

#include "drivers/net/dhcp.h"

enum dhcpc_state {
	DHCPC_SELECTING,
	DHCPC_REQUESTING,
	DHCPC_BOUND,
	DHCPC_RENEWING,
	DHCPC_REBINDING
};

struct dhcpc {
	uint64_t mac;		  /* (c) */
	char hostname[DHCP_NAME]; /* (c) */
	uint8_t state;		  /* enum dhcpc_state */
	unsigned int tries;	  /* messages since the state began */
	uint32_t xid;
	uint64_t began;		  /* ns: of this transaction */
	uint64_t next;		  /* ns: when to act again */
	uint64_t t1, t2, expires; /* ns */
	uint32_t offered, server;
	/* What we have; addr is 0 while that is nothing. */
	uint32_t addr, mask, router, dns;
};

enum dhcpc_way { DHCPC_NOTHING, DHCPC_BROADCAST, DHCPC_TO_SERVER };

void dhcpc_init(struct dhcpc *c, uint64_t mac, const char *hostname);
/* What is due now goes into *o: to all, or from addr to server. May lose the address. Call it often. */
enum dhcpc_way dhcpc_tick(struct dhcpc *c, uint64_t now, struct dhcp_out *o);
/* A message to port 68. True: the address was got, changed, renewed or lost. */
bool dhcpc_input(struct dhcpc *c, const uint8_t *msg, size_t len, uint64_t now);

#endif
