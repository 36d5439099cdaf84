/* SPDX-License-Identifier: BSD-2-Clause */
/* A port as the switch handles it: counting, delivering. */
/* Owners of ports see netport.h only. */
#ifndef DRIVERS_NET_NETPORT_PRIV_H
#define DRIVERS_NET_NETPORT_PRIV_H

#include "drivers/net/netport.h"

static inline void netport_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline void netport_drop(struct netport *p, enum netport_drop why)
{
	netport_count(&p->stats.drops[why], 1);
}

/*
 * Gives pkt to p in the form that p takes. False: no room, nothing of it was taken. True: done; if p
 * lost it, that is counted. p is held by a use; no lock.
 */
bool netport_deliver(struct netport *p, const struct netpkt *pkt);

#endif
