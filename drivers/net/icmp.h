/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP (RFC 792): echo requests, answers to them, and error messages about packets. */
/* Builds frames; whether and how often to send them is the caller's. */
#ifndef DRIVERS_NET_ICMP_H
#define DRIVERS_NET_ICMP_H

#include "drivers/net/netport.h"
#include "drivers/net/wire.h"

struct frame;

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
};
enum icmp_unreachable { /* RFC 792; RFC 1812, 5.2.7.1 */
			ICMP_HOST = 1,
			ICMP_PORT = 3,
			ICMP_FRAG_NEEDED = 4,
			ICMP_PROHIBITED = 13,
};
#define ICMP_LEN   8u
#define ICMP_REST  4u /* identifier and sequence number; next-hop MTU */
#define ICMP_SEQ   6u
#define ICMP_QUOTE 8u /* bytes quoted behind the IP header, at least */

/* An error message carries a packet; queries do not. */
static inline bool icmp_is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

/*
 * The reply to an echo request in frame (contiguous, checked by frame_parse), made in place: addresses
 * swapped, checksum mended. False: no echo request, a wrong checksum, or sent to a group.
 */
bool icmp_make_echo_reply(uint8_t *frame, const struct frame *f);
/*
 * A request with a sequence number and 56 bytes of data, as usual, into ICMP_ECHO_FRAME bytes, Ethernet
 * addresses still to be filled in.
 */
#define ICMP_ECHO_FRAME (ETH_LEN + IPV4_LEN + ICMP_LEN + 56u)
void icmp_build_echo(uint8_t *out, uint32_t src, uint32_t dst, uint16_t id, uint16_t seq);
/*
 * An error of `type` and `code` about pkt from src to pkt's source, into out of ICMP_ERROR_MAX bytes:
 * the frame's length (Ethernet addresses still to be filled in), or 0: there must be none about this
 * packet (RFC 1122, 3.2.2). mtu: of the next hop, for ICMP_FRAG_NEEDED, else 0.
 */
#define ICMP_ERROR_MAX (ETH_LEN + IPV4_LEN + ICMP_LEN + NETPKT_HEAD)
uint32_t icmp_build_error(uint8_t *out, const struct netpkt *pkt, const struct frame *f,
			  uint32_t src, uint8_t type, uint8_t code, uint16_t mtu);

#endif
