/* SPDX-License-Identifier: BSD-2-Clause */
/* Network byte order, and the numbers of Ethernet, ARP, IP, TCP, UDP: offsets from each header's start. */
/* Reads and writes single fields; whether they are there is checked by the caller. */
#ifndef DRIVERS_NET_WIRE_H
#define DRIVERS_NET_WIRE_H

#include "hv/lib/types.h"

static inline uint16_t wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A MAC address as a number. */
static inline uint64_t wire_get48(const uint8_t *p)
{
	return (uint64_t)wire_get16(p) << 32 | wire_get32(p + 2);
}

static inline void wire_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, (uint16_t)(v >> 16));
	wire_put16(p + 2, (uint16_t)v);
}

static inline void wire_put48(uint8_t *p, uint64_t v)
{
	wire_put16(p, (uint16_t)(v >> 32));
	wire_put32(p + 2, (uint32_t)v);
}

/* IEEE 802.3, "MAC frame format"; 802.1Q, "Tag format" */
#define ETH_DST	      0u
#define ETH_SRC	      6u
#define ETH_TYPE      12u
#define ETH_LEN	      14u
#define ETH_FRAME_MAX 1514u /* untagged, without FCS */
#define ETH_BROADCAST 0xfffffffffffful
#define ETH_GROUP     (1ul << 40)      /* set in multicast and broadcast addresses */
#define ETH_RESERVED  0x0180c2000000ul /* and the 15 behind: never forwarded */
#define VLAN_LEN      4u

enum eth_type {
	ETH_IPV4 = 0x0800,
	ETH_ARP = 0x0806,
	ETH_VLAN = 0x8100,
	ETH_QINQ_OLD = 0x9100,
	ETH_QINQ = 0x88a8,
	ETH_IPV6 = 0x86dd,
};

/* RFC 826 */
enum arp_field {
	ARP_HTYPE = 0,
	ARP_PTYPE = 2,
	ARP_HLEN = 4,
	ARP_PLEN = 5,
	ARP_OP = 6,
	ARP_SHA = 8,
	ARP_SPA = 14,
	ARP_THA = 18,
	ARP_TPA = 24,
	ARP_LEN = 28,
};
#define ARP_REQUEST 1u
#define ARP_REPLY   2u

/* RFC 791, "Internet Header Format" */
enum ipv4_field {
	IPV4_VIHL = 0,
	IPV4_TOS = 1,
	IPV4_TOTAL = 2,
	IPV4_ID = 4,
	IPV4_FRAG = 6,
	IPV4_TTL = 8,
	IPV4_PROTO = 9,
	IPV4_SUM = 10,
	IPV4_SRC = 12,
	IPV4_DST = 16,
	IPV4_LEN = 20,
};
#define IPV4_DF	       0x4000u
#define IPV4_MF	       0x2000u
#define IPV4_OFFSET    0x1fffu /* in units of 8 bytes */
#define IPV4_BROADCAST 0xffffffffu

/* RFC 8200, "IPv6 Header Format" */
enum ipv6_field {
	IPV6_PAYLOAD = 4,
	IPV6_NEXT = 6,
	IPV6_SRC = 8,
	IPV6_DST = 24,
	IPV6_LEN = 40,
};

enum ip_proto { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17 };

/* RFC 768 */
enum udp_field { UDP_SPORT = 0, UDP_DPORT = 2, UDP_LENGTH = 4, UDP_SUM = 6, UDP_LEN = 8 };

/* RFC 9293, "Header Format" */
enum tcp_field {
	TCP_SPORT = 0,
	TCP_DPORT = 2,
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_SUM = 16,
	TCP_LEN = 20,
};
enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_F_ACK = 16, TCP_CWR = 128 };

/* RFC 2131 */
#define DHCP_SERVER_PORT 67u
#define DHCP_CLIENT_PORT 68u

#endif
