/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks by name: switches and gateways as the configuration wants them, which NICs are plugged into. */
/* Has no thread and no clock: whoever owns them calls network_tick. */
#ifndef DRIVERS_NET_NETWORK_H
#define DRIVERS_NET_NETWORK_H

#include "drivers/net/natnet.h"
#include "drivers/net/netswitch.h"
#include "drivers/net/network_config.h"

#define NETWORK_NAT_MOST 10000u /* connections of one guest */

struct uplink;

/*
 * The guests that reach each other, and their gateway: a network has one, but one for each NIC of nat, and
 * all that bridge to an uplink share the uplink's.
 */
struct network_segment {
	const struct network *net; /* (c) NULL: an uplink's */
	struct list_node node;	   /* [list] in order of id */
	uint64_t id;		   /* (c) from 1 on */
	uint32_t users;		   /* [list] */
	struct netswitch sw;
	struct natnet *gateway;	      /* (c) NULL: none */
	struct network_subnet subnet; /* the gateway's; whoever ticks changes it */
	bool collides;		      /* with the host's own network, which has been said */
};

/* The gateway that a forward is open at. */
struct network_open {
	struct network_segment *segment; /* NULL: its VM is not plugged in */
	uint64_t mac;			 /* of the VM's NIC */
	uint32_t want; /* the address that it must lead to from now on; 0: it does */
};

struct network {
	struct network_config c; /* (c) but for its forwards, which are network_forward.c's */
	struct network_open open[NETWORK_FORWARDS]; /* of c.forward */
	struct list_node node;			    /* [list] never taken out */
	struct network_segment *segment;	    /* (c) NULL: each NIC has its own */
	struct uplink *uplink;			    /* (c) NULL: none */
};

/* At boot, before any VM. -EEXIST: the name; -EINVAL: a subnet without room; -ENODEV: no such uplink; -ENOMEM. */
int network_create(const struct network_config *c);
/* NULL: there is none. A network stays. */
const struct network *network_find(const char *name);
/* In order of creation; NULL gives the first, NULL after the last. */
const struct network *network_next(const struct network *prev);
/* The subnet that it has; of nat: that the next segment gets. 0: none. */
struct network_subnet network_subnet(const struct network *net);
/* Every second. Thread context, no lock held. */
void network_tick(uint64_t now);

/*
 * Walks all segments: NULL gives the first; the last one got is given back, the new one stays until then.
 * NULL after the last. network_segment_unuse ends a walk early.
 */
struct network_segment *network_next_segment(struct network_segment *prev);
void network_segment_unuse(struct network_segment *s);
/* Has it such a segment? */
static inline bool network_has(const struct network *net, const struct network_segment *s)
{
	return s->net == net || s == net->segment;
}
/* Into every walk from now on; its users are 0. For uplinks. */
void network_publish(struct network_segment *s);

#endif
