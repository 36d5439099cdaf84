/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks and the host's addresses as configured. Filled by hv/mgmt/config, read by network.c, uplink.c. */
/* Plain data, its defaults, and what follows from it. */
#ifndef DRIVERS_NET_NETWORK_CONFIG_H
#define DRIVERS_NET_NETWORK_CONFIG_H

#include "hv/lib/types.h"

#define NETWORK_NAME		32u
#define NETWORK_MTU		1500u
#define NETWORK_MTU_MIN		576u /* RFC 791: what every host takes */
#define NETWORK_MTU_MAX		9000u
#define NETWORK_PREFIX_MIN	8u
#define NETWORK_PREFIX_MAX	29u		    /* a gateway and some guests */
#define NETWORK_PREFIX_HOST_MAX 30u		    /* of the host's own address */
#define NETWORK_LEASE		(12u * 3600 * 1000) /* ms */
#define NETWORK_LEASE_MIN	60000u

#define NETWORK_UPLINK	 16u
#define NETWORK_FORWARDS 32u

enum network_mode { NETWORK_INTERNAL, NETWORK_NATNET, NETWORK_NAT, NETWORK_BRIDGE };

struct network_subnet {
	uint32_t addr; /* the subnet's own; 0: one of the mode's */
	uint32_t prefix;
};

/* A port of the host's that leads to a guest. */
struct network_forward {
	uint8_t proto; /* IP_TCP, IP_UDP */
	uint16_t out_port, in_port;
	char vm[NETWORK_NAME]; /* its first NIC on the network */
};

struct network_config {
	char name[NETWORK_NAME];
	enum network_mode mode;
	struct network_subnet subnet; /* of natnet and nat */
	uint32_t mtu;
	uint32_t lease;		     /* ms that a DHCP lease is good for */
	char uplink[NETWORK_UPLINK]; /* the host NIC that it leads to; "": none */
	unsigned int forwards;
	struct network_forward forward[NETWORK_FORWARDS];
};

/* The host's address on an uplink. */
struct uplink_config {
	char uplink[NETWORK_UPLINK];
	struct network_subnet address; /* the host's own; 0: by DHCP */
	uint32_t router, dns;	       /* 0: none */
};

/* No name; internal. */
void network_config_defaults(struct network_config *c);
/* Its own subnet, or else the first of the mode's that has nothing in common with addr/mask (0: nobody's). */
struct network_subnet network_config_subnet(const struct network_config *c, uint32_t addr,
					    uint32_t mask);
static inline uint32_t network_mask(const struct network_subnet *s)
{
	return s->prefix == 0 ? 0 : ~0u << (32 - s->prefix);
}
/* Has it an address in common with addr/mask? */
static inline bool network_overlaps(const struct network_subnet *s, uint32_t addr, uint32_t mask)
{
	return ((s->addr ^ addr) & network_mask(s) & mask) == 0;
}

#endif
