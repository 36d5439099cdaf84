/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes the headers of a frame apart once: Ethernet with at most one tag, ARP's place, IPv4, IPv6 without */
/* extensions, ports. Looks at the head only and changes nothing. */
#ifndef DRIVERS_NET_FRAME_H
#define DRIVERS_NET_FRAME_H

#include "hv/lib/types.h"

struct netpkt;

struct frame {
	uint16_t type; /* behind a tag; a second tag is a type of its own */
	uint16_t l3;   /* offset of what follows */
	bool tagged;
	/* For IPv4 and IPv6: */
	uint8_t proto;
	uint16_t l4;	 /* offset of the transport header; 0: none here, or not whole */
	uint32_t l4_len; /* bytes from there to the end of the IP packet */
	/* For IPv4: */
	uint32_t src, dst;
	uint16_t total; /* length by the header */
	uint16_t frag;	/* flags and offset as in the header */
	/* For TCP and UDP, where l4 is not 0: */
	uint16_t sport, dport;
};

/*
 * False: not even an Ethernet header; or it says IP and then is not: cut short, a wrong version, lengths
 * that contradict each other or the frame. Checksums are not looked at.
 */
bool frame_parse(const struct netpkt *pkt, struct frame *f);

static inline bool frame_is_fragment(const struct frame *f)
{
	return f->frag & 0x3fff; /* IPV4_MF, IPV4_OFFSET */
}

#endif
