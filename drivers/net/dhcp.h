/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages (RFC 2131, 2132) taken apart and built: for the server and the client. */
/* Keeps no state. */
#ifndef DRIVERS_NET_DHCP_H
#define DRIVERS_NET_DHCP_H

#include "hv/lib/types.h"

/* RFC 2131, 2 "Protocol Summary" */
enum dhcp_field {
	DHCP_OP = 0,
	DHCP_HTYPE = 1,
	DHCP_HLEN = 2,
	DHCP_XID = 4,
	DHCP_SECS = 8,
	DHCP_FLAGS = 10,
	DHCP_CIADDR = 12,
	DHCP_YIADDR = 16,
	DHCP_SIADDR = 20,
	DHCP_GIADDR = 24,
	DHCP_CHADDR = 28,
	DHCP_SNAME = 44,
	DHCP_FILE = 108,
	DHCP_MAGIC = 236,
	DHCP_OPTIONS = 240,
};
#define DHCP_SNAME_LEN	    64u
#define DHCP_FILE_LEN	    128u
#define DHCP_COOKIE	    0x63825363u
#define DHCP_FLAG_BROADCAST 0x8000u
#define DHCP_MIN	    300u /* RFC 1542, 2.1: BOOTP's length */
#define DHCP_MAX	    548u /* RFC 2131, 2: what every client takes: 576 with its headers */

enum dhcp_op { DHCP_OP_REQUEST = 1, DHCP_OP_REPLY = 2 };

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

/* RFC 2132 */
enum dhcp_option {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_MASK = 1,
	DHCP_OPT_ROUTER = 3,
	DHCP_OPT_DNS = 6,
	DHCP_OPT_HOSTNAME = 12,
	DHCP_OPT_BROADCAST = 28,
	DHCP_OPT_REQUESTED = 50,
	DHCP_OPT_LEASE = 51,
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER = 54,
	DHCP_OPT_PARAMETERS = 55,
	DHCP_OPT_T1 = 58,
	DHCP_OPT_T2 = 59,
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_END = 255,
};

#define DHCP_NAME 32u

/* What we care for; 0 where the message does not say. */
struct dhcp_msg {
	uint8_t op;
	uint8_t type; /* enum dhcp_type; 0: plain BOOTP */
	uint16_t flags;
	uint32_t xid;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint64_t chaddr;
	uint32_t requested, server, mask, router, dns, lease, t1, t2;
	char hostname[DHCP_NAME]; /* letters, digits, '-' and '.' only */
};

/* False: too short, not Ethernet, no magic cookie, options that run over their end. */
bool dhcp_parse(const uint8_t *p, size_t len, struct dhcp_msg *m);

/* Building: the fixed part, options, the end. What does not fit DHCP_MAX is left out. */
struct dhcp_out {
	uint8_t buf[DHCP_MAX];
	uint32_t len;
};
/* xid, flags, addresses and chaddr from m; op, htype and the like as they must be. */
void dhcp_begin(struct dhcp_out *o, const struct dhcp_msg *m);
void dhcp_put(struct dhcp_out *o, uint8_t option, const void *data, uint8_t len);
void dhcp_put8(struct dhcp_out *o, uint8_t option, uint8_t v);
/* Nothing for 0. */
void dhcp_put32(struct dhcp_out *o, uint8_t option, uint32_t v);
/* Ends and pads; o->len is the message's. */
void dhcp_end(struct dhcp_out *o);

#endif
