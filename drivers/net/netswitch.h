/* SPDX-License-Identifier: BSD-2-Clause */
/* An Ethernet switch: ports, a table of who is where, forwarding, isolation, learning of DHCP leases. */
/* Runs on the threads of those who send; has none of its own. */
#ifndef DRIVERS_NET_NETSWITCH_H
#define DRIVERS_NET_NETSWITCH_H

#include "drivers/net/mactable.h"
#include "drivers/net/netport.h"
#include "hv/base/lock.h"

#define NETSWITCH_PORTS MACTABLE_PORTS
#define NETSWITCH_NAME	32u
#define NETSWITCH_STALL 200000000ul /* ns that a full port is waited for before it loses packets */

struct netswitch {
	char name[NETSWITCH_NAME]; /* (c) */
	struct spinlock lock;	   /* LOCK_NET; never held across a call of netport_ops */
	struct mactable macs;	   /* [L] */
	struct netport *port[NETSWITCH_PORTS]; /* [L] NULL: free */
	uint16_t ports;			       /* [L] all used ones are below */
	uint16_t guarded;		       /* [L] ports that wait for DHCP leases to be seen */
	uint32_t host; /* [L] its own address here: no guarded port speaks from it; 0: none */
};

/* Room for `addresses` (a power of two, at least 4) in the table. -ENOMEM */
int netswitch_init(struct netswitch *sw, const char *name, uint32_t addresses);
/* No ports are left. */
void netswitch_exit(struct netswitch *sw);

/*
 * The owner has filled in p's (c) fields, offload, max_len, link and guard; the rest is zero. -ENOSPC:
 * all ports taken; -EEXIST: another port has that MAC address. Thread context, no lock held.
 */
int netswitch_attach(struct netswitch *sw, struct netport *p);
/*
 * Takes p out and waits until nobody is in its ops any more: then it may be freed. Thread context, no
 * lock held; the owner does not send meanwhile.
 */
void netswitch_detach(struct netport *p);

void netswitch_set_host(struct netswitch *sw, uint32_t ip);
/* What the owner (or an administrator) may change later; `now` in ns. */
void netswitch_set_guard(struct netport *p, const struct netguard *g);
/* Bytes per second, 0: no limit. */
void netswitch_set_rates(struct netport *p, uint64_t send, uint64_t receive, uint64_t now);
/* p has that address by DHCP, if no other port has. Any lock below LOCK_NET held. */
void netswitch_set_leased(struct netport *p, uint32_t ip);
/* Housekeeping, every few seconds. */
void netswitch_tick(struct netswitch *sw, uint64_t now);

/* What lists tell of a port: a copy, so that it may go. */
struct netswitch_port {
	char name[NETPORT_NAME];
	uint8_t mac[6];
	bool link;
	uint32_t leased; /* address by DHCP; 0: none seen */
	struct netport_stats stats;
};
/* Copies the port at *cursor (which begins with 0) and moves on; false: no more. */
bool netswitch_next_port(struct netswitch *sw, unsigned int *cursor, struct netswitch_port *out);

/* The port of that name: it stays until netswitch_release_port(), soon; NULL: there is none. */
struct netport *netswitch_hold_port(struct netswitch *sw, const char *name);
void netswitch_release_port(struct netport *p);

/* netport_send's second half: pkt is sane and p may send it. Value as netport_send's. */
uint64_t netswitch_forward(struct netswitch *sw, struct netport *from, const struct netpkt *pkt);

#endif
