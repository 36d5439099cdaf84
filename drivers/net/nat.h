/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of source NAT behind one outside address: mappings (RFC 4787, 5382, 5508), connections with */
/* time-outs, port forwards; bounded, and charged to who made them. Packets are nat_packet.h's. */
#ifndef DRIVERS_NET_NAT_H
#define DRIVERS_NET_NAT_H

#include "hv/base/lock.h"
#include "hv/lib/list.h"
#include "hv/lib/types.h"

/* What a connection is, for its time-out: nat_timeouts[] in nat.c. */
enum nat_class {
	NAT_UDP,
	NAT_UDP_DNS, /* to port 53 */
	NAT_ICMP,
	NAT_TCP_OPENING,
	NAT_TCP_OPEN,
	/* What makes way when room is short: */
	NAT_TCP_CLOSED,	 /* reset, or both ends have finished */
	NAT_TCP_FORWARD, /* opening, at a forward: strangers begin as many as they like */
	NAT_UDP_FORWARD, /* at a forward, which stays: its next packet begins it again */
	NAT_CLASSES,
};

/*
 * Endpoint-independent mapping: all that an inside address and port sends has one outside port, whoever
 * it is for. Lives as long as a connection uses it, or as it is configured.
 */
struct nat_map {
	struct nat_map *next_in, *next_out; /* hash chains */
	struct nat_realm *realm;	    /* NULL: the host's own port */
	uint32_t in_ip;
	uint16_t in_port, out_port; /* ICMP: identifiers of queries */
	uint8_t proto;
	bool fixed; /* a forward, or the host's: stays; anybody may begin */
	uint32_t flows;
	struct list_node flow; /* struct nat_flow.of_map */
};

/* A connection: for TCP with the remote port, else with all ports of a remote address. */
struct nat_flow {
	struct list_node lru; /* in its realm's list of its class */
	struct list_node of_map;
	struct nat_flow *next;
	struct nat_map *map;
	uint64_t used; /* ns: last packet that counts */
	uint32_t remote_ip;
	uint16_t remote_port;
	uint8_t cls;  /* enum nat_class */
	uint8_t seen; /* TCP: what each side has sent */
};

struct nat {
	struct spinlock lock; /* LOCK_NET; guards the realms too */
	uint32_t buckets;     /* (c) a power of two, of each table */
	uint32_t most;	      /* (c) connections in all */
	uint64_t key;	      /* (c) random, for the hashes */
	struct nat_map **by_in;
	struct nat_map **by_out;
	struct nat_flow **flow;
	uint32_t flows;
};

#define NAT_HOSTS 256u

/* A segment behind the NAT: private addresses of different realms have nothing to do with each other. */
struct nat_realm {
	struct nat *nat;		   /* (c) */
	void *owner;			   /* (c) */
	uint32_t most;			   /* (c) connections of one inside address */
	struct list_node lru[NAT_CLASSES]; /* oldest first */
	uint32_t flows;
	uint32_t host_flows[NAT_HOSTS]; /* by the inside address' low byte */
	uint32_t users;			/* who got it from nat_inbound and has not given it back */
	uint64_t refused;		/* connections, for lack of room or ports */
};

/* One packet's addresses: inside or outside port, whichever the call takes. */
struct nat_tuple {
	uint8_t proto;
	uint8_t tcp_flags;
	uint16_t port; /* of our side: the inside host's (outbound), ours (inbound) */
	uint16_t remote_port;
	uint32_t ip; /* the inside host's; inbound: not looked at */
	uint32_t remote_ip;
};

/* Where something maps to. */
struct nat_target {
	struct nat_realm *realm; /* NULL: the host itself */
	uint32_t in_ip;
	uint16_t in_port;
	uint16_t out_port;
};

/* buckets: a power of two. -ENOMEM */
int nat_init(struct nat *n, uint32_t buckets, uint32_t most);
/* All realms have been left, all host ports given back. */
void nat_exit(struct nat *n);
void nat_realm_init(struct nat_realm *r, struct nat *n, void *owner, uint32_t most);
/* Ends all its connections and forwards and waits for its users; in steps, thread context. */
void nat_realm_exit(struct nat_realm *r);
/* A realm stays while it is used: nat_inbound and nat_find_inbound begin that for the caller. */
void nat_realm_use(struct nat_realm *r);
void nat_realm_unuse(struct nat_realm *r);

/*
 * A packet on its way out: 0, and *out_port. -ENOSPC: this address has its most connections, or all
 * have; -EBUSY: no port is free; -ENOENT: TCP that no connection is open for; -ENOMEM.
 */
int nat_outbound(struct nat_realm *r, const struct nat_tuple *t, uint64_t now, uint16_t *out_port);
/* A packet that came in: 0, and for whom. -ENOENT: no mapping; -EACCES: that remote was not spoken to. */
int nat_inbound(struct nat *n, const struct nat_tuple *t, uint64_t now, struct nat_target *to);
/* For packets that ICMP errors quote: as the two above, but nothing is begun, renewed or refused. */
int nat_find_outbound(struct nat_realm *r, const struct nat_tuple *t, struct nat_target *to);
int nat_find_inbound(struct nat *n, const struct nat_tuple *t, struct nat_target *to);

/*
 * An outside port always leads to that inside one. Connections end that have it otherwise. -EEXIST: a
 * forward or the host has it; -EBUSY: another leads to that inside one; -EINVAL: 0; -ENOMEM. Thread
 * context, no lock held.
 */
int nat_forward_add(struct nat_realm *r, uint8_t proto, uint16_t out_port, uint32_t in_ip,
		    uint16_t in_port);
/* Nobody may begin any more; open connections stay until they time out. -ENOENT */
int nat_forward_remove(struct nat_realm *r, uint8_t proto, uint16_t out_port);
/* A free outside port for the host itself: 0 or -EBUSY, -ENOMEM. `want` 0: any. */
int nat_host_port(struct nat *n, uint8_t proto, uint16_t want, uint16_t *port);
void nat_host_port_free(struct nat *n, uint8_t proto, uint16_t port);

/* Ends what is too old, a bounded number of connections; true: there was more. */
bool nat_tick(struct nat_realm *r, uint64_t now);

#endif
