/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo requests from the host's address on an uplink (RFC 792; RFC 1122, 3.2.2.6), any number of pings side */
/* by side. When to send and how long to wait is the caller's. */
#ifndef DRIVERS_NET_PING_H
#define DRIVERS_NET_PING_H

#include "drivers/net/frame.h"
#include "drivers/net/netport.h"
#include "hv/lib/list.h"

struct hostif;

struct ping {
	struct list_node node; /* [hostif.lock] hostif.pings */
	struct hostif *h;      /* (c) */
	uint32_t dst;	       /* (c) */
	uint16_t id;	       /* (c) reserved in the NAT: no guest's query has it */
	uint16_t seq;	       /* [hostif.lock] of the last request */
	uint64_t sent;	       /* [hostif.lock] ns: when that was */
	uint64_t took;	       /* [hostif.lock] ns until its answer came; 0: not yet */
};

/* h must stay. -ENODEV: the host has no address there; -EBUSY, -ENOMEM: no identifier for it. */
int ping_open(struct ping *p, struct hostif *h, uint32_t dst);
/* Sends a request; from now on only its answer counts. Thread context, no lock held, as all of these. */
void ping_send(struct ping *p, uint64_t now);
/* ns from the last request to its answer; 0: none has come. */
uint64_t ping_took(const struct ping *p);
void ping_close(struct ping *p);

/* ---- for hostif ---- */

/* An echo reply to the host's address. */
void ping_input(struct hostif *h, const struct netpkt *pkt, const struct frame *f);

#endif
