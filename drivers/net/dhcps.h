/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP server of a segment (RFC 2131): leases by MAC address from a range, fixed ones by */
/* configuration. Pure: messages in, messages out; no lock, no clock. */
#ifndef DRIVERS_NET_DHCPS_H
#define DRIVERS_NET_DHCPS_H

#include "drivers/net/dhcp.h"

#define DHCPS_HOSTS_MAX 32u
#define DHCPS_RANGE_MAX 1024u
#define DHCPS_OFFER	60000000000ul  /* ns that an offer is kept for its client */
#define DHCPS_DECLINED	600000000000ul /* ns that an address is left alone that somebody else uses */

struct dhcps_host {
	uint64_t mac;
	uint32_t ip;
};

struct dhcps_config {
	uint32_t addr,
		mask; /* our address on the segment: server identifier, router, and DNS server */
	uint32_t first, last; /* the range, within the segment and without addr */
	uint32_t dns;	      /* 0: addr */
	uint32_t lease;	      /* seconds, at least 60 */
	uint32_t next_server; /* 0: none */
	char bootfile[DHCP_FILE_LEN];
	struct dhcps_host host[DHCPS_HOSTS_MAX]; /* anywhere in the segment */
	unsigned int hosts;
};

enum dhcps_state { DHCPS_FREE, DHCPS_OFFERED, DHCPS_BOUND, DHCPS_REFUSED };

struct dhcps_lease {
	uint64_t mac; /* a free one keeps its last user's */
	uint32_t ip;
	uint8_t state;	  /* enum dhcps_state */
	uint64_t expires; /* ns; ignored when free */
	char name[DHCP_NAME];
};

struct dhcps {
	struct dhcps_config c;
	struct dhcps_lease *lease; /* the range, then fixed addresses */
	unsigned int leases;
	unsigned int configured; /* hosts; those behind are dhcps_reserve's */
	uint64_t exhausted;	 /* DISCOVERs that found nothing free */
};

/* -EINVAL: a range that is none, empty, too large, outside the segment; -ENOMEM. */
int dhcps_init(struct dhcps *s, const struct dhcps_config *c);
void dhcps_exit(struct dhcps *s);

/* How a reply goes (RFC 2131, 4.1). */
enum dhcps_way { DHCPS_NOTHING, DHCPS_BROADCAST, DHCPS_UNICAST };
struct dhcps_reply {
	struct dhcp_out out;
	uint32_t ip;  /* unicast: to there, */
	uint64_t mac; /* at that Ethernet address */
};
/*
 * A message from the Ethernet address mac: a client that gives another as its own is not heard. Fills r
 * and says how it goes.
 */
enum dhcps_way dhcps_input(struct dhcps *s, const uint8_t *msg, size_t len, uint64_t mac,
			   uint64_t now, struct dhcps_reply *r);
/*
 * From now on mac gets no other address than the one returned: `want` if that is not 0, else the one it has
 * or had last, else a free one. 0: there is none that it can have, or too many are reserved.
 */
uint32_t dhcps_reserve(struct dhcps *s, uint64_t mac, uint32_t want);
void dhcps_unreserve(struct dhcps *s, uint64_t mac);
/* Is the lease in use? */
static inline bool dhcps_is_used(const struct dhcps_lease *l, uint64_t now)
{
	return l->state != DHCPS_FREE && now < l->expires;
}

#endif
