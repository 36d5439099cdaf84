/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets under translation: a copy of the head whose addresses, ports, time to live and checksums are */
/* changed together; and the packet that an ICMP error quotes. Payload stays where it is. */
#ifndef DRIVERS_NET_NAT_PACKET_H
#define DRIVERS_NET_NAT_PACKET_H

#include "drivers/net/frame.h"
#include "drivers/net/nat.h"
#include "drivers/net/netport.h"

struct nat_packet {
	struct netpkt pkt; /* of seg */
	struct frame f;	   /* kept true to head */
	uint8_t head[NETPKT_HEAD];
	struct netseg seg[NETPKT_SEGS_MAX];
	/* An ICMP error's: the packet it quotes. */
	bool is_error;
	uint16_t inner;	   /* offset of its IP header */
	uint16_t inner_l4; /* offset of its transport header */
	uint8_t inner_proto;
};

enum nat_side { NAT_SRC, NAT_DST };

/*
 * Takes pkt (untagged IPv4, no fragment, f its parse; both outlive p) for translation. False: not TCP,
 * UDP, an ICMP query or an ICMP error about one of these; malformed; an ICMP checksum that is wrong.
 */
bool nat_packet_take(struct nat_packet *p, const struct netpkt *pkt, const struct frame *f);

/*
 * What to look up: for a packet that goes out `out`, else for one that comes in. An error's is that of
 * the packet that it answers, which went the other way.
 */
struct nat_tuple nat_packet_tuple(const struct nat_packet *p, bool out);
/* An ICMP query: may it go that way? Requests go out, replies come in. Others always. */
bool nat_packet_may_go(const struct nat_packet *p, bool out);

/* Replaces source or destination; an error's own, and on the other side in what it quotes. */
void nat_packet_set(struct nat_packet *p, enum nat_side side, uint32_t ip, uint16_t port);
/* RFC 1812, 5.3.1: one less; false: it was at its end. */
bool nat_packet_age(struct nat_packet *p);

#endif
