/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets: building them, putting fragments together within bounds, cutting what is too long. */
/* All within whole Ethernet frames, so that lengths and offsets are the same everywhere. */
#ifndef DRIVERS_NET_IPV4_H
#define DRIVERS_NET_IPV4_H

#include "drivers/net/gso.h"
#include "drivers/net/netport.h"
#include "drivers/net/wire.h"

#define IPV4_TTL_DEFAULT 64u /* RFC 1700, "IP TIME TO LIVE PARAMETER" */

/* Writes the header at frame + ETH_LEN for `len` bytes of payload; checksum included. */
void ipv4_build(uint8_t *frame, uint32_t src, uint32_t dst, uint8_t proto, uint16_t id,
		uint32_t len);
/* Computes the header checksum again. ip: the header, whole and of right length. */
void ipv4_put_sum(uint8_t *ip);
bool ipv4_sum_is_right(const uint8_t *ip);
/* A UDP datagram's header behind such a header, with its checksum over `len` bytes of data behind it. */
#define UDP_DATA (ETH_LEN + IPV4_LEN + UDP_LEN)
void ipv4_build_udp(uint8_t *frame, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
		    uint32_t len);

/* ---- fragments ---- */

#define IPV4_DATAGRAMS	   8u		 /* that are put together at a time */
#define IPV4_DATAGRAMS_PER 2u		 /* of them, from one source address */
#define IPV4_FRAG_TIME	   15000000000ul /* ns: RFC 791, "An Example Reassembly Procedure" */
#define IPV4_FRAGS_MAX	   64u		 /* pieces of one datagram */

struct ipv4_piece {
	uint16_t from, to; /* bytes of the payload */
};

struct ipv4_datagram {
	uint8_t *frame; /* on the heap: Ethernet and IP header, payload; NULL: free */
	uint32_t room;	/* bytes in frame */
	uint32_t src, dst;
	uint16_t id;
	uint8_t proto;
	bool has_first;
	uint8_t hdr_len; /* of the first fragment's IP header */
	uint16_t total;	 /* payload bytes; 0: the last fragment has not come */
	uint16_t have;	 /* payload bytes so far */
	uint16_t pieces;
	uint64_t deadline; /* ns */
	struct ipv4_piece piece[IPV4_FRAGS_MAX];
};

struct ipv4_frags {
	struct ipv4_datagram d[IPV4_DATAGRAMS];
	uint64_t dropped; /* datagrams given up: overlaps, too many, too late, no memory */
};

/*
 * Adds a fragment (frame_parse was true, frame_is_fragment too). Returns the whole datagram as a frame
 * when this was the last piece: *len bytes, the caller frees it; else NULL. Overlapping pieces make the
 * datagram vanish (as RFC 5722 has it for IPv6); an exact duplicate is ignored.
 */
struct frame;
uint8_t *ipv4_reassemble(struct ipv4_frags *r, const struct netpkt *pkt, const struct frame *f,
			 uint32_t *len);
/* Gives up what is late. */
void ipv4_frags_tick(struct ipv4_frags *r, uint64_t now);
void ipv4_frags_clear(struct ipv4_frags *r);

/*
 * Emits a frame's packet in fragments of at most max_len bytes of frame (at least 68 + 14); as it is if
 * it fits. Options are kept in all fragments. False: emit said so.
 */
bool ipv4_fragment(const uint8_t *frame, uint32_t len, uint32_t max_len, uint64_t time,
		   gso_emit_fn *emit, void *arg);

/* A contiguous frame as a packet; seg has two entries. */
struct netpkt ipv4_packet(const uint8_t *frame, uint32_t len, uint64_t time, struct netseg seg[2]);

#endif
