/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses a port may speak from, and that it is no DHCP server. */
/* Decides by the head of a packet, which its sender cannot change any more. */
#include "drivers/net/netguard.h"
#include "drivers/net/dhcp.h"
#include "drivers/net/frame.h"
#include "drivers/net/netport.h"
#include "drivers/net/wire.h"
#include "hv/lib/string.h"

#define PASS (-1)

#define SNOOP_MAX DHCP_MAX /* of a message: its type is among the first options */

static bool may_use(const struct netguard *g, uint32_t host, uint32_t ip)
{
	if (ip == host && ip != 0) {
		return false;
	}
	if (!(g->flags & NETGUARD_IP) || (ip == g->leased && ip != 0)) {
		return true;
	}
	for (unsigned int i = 0; i < g->count; i++) {
		if (g->ip[i] == ip) {
			return true;
		}
	}
	return false;
}

/*
 * Whoever completes pkt's checksum writes a number of the sender's choice there: never over what is looked
 * at here, up to `end`.
 */
static bool sum_is_behind(const struct netpkt *pkt, uint32_t end)
{
	return !(pkt->flags & NETPKT_CSUM_PARTIAL) ||
	       (uint32_t)pkt->csum_start + pkt->csum_offset >= end;
}

/* A sender address of 0 is a probe (RFC 5227, "Probing an Address"). */
static int check_arp(const struct netguard *g, const uint8_t *mac, uint32_t host,
		     const struct netpkt *pkt, const struct frame *f)
{
	const uint8_t *arp = pkt->seg[0].base + f->l3;
	uint32_t spa;

	if (pkt->len < f->l3 + (uint32_t)ARP_LEN || wire_get16(arp + ARP_PTYPE) != ETH_IPV4 ||
	    arp[ARP_HLEN] != 6 || arp[ARP_PLEN] != 4 ||
	    !sum_is_behind(pkt, f->l3 + (uint32_t)ARP_LEN)) {
		return NETPORT_DROP_MALFORMED;
	}
	spa = wire_get32(arp + ARP_SPA);
	if ((g->flags & NETGUARD_MAC) && memcmp(arp + ARP_SHA, mac, 6) != 0) {
		return NETPORT_DROP_SPOOFED;
	}
	return spa != 0 && !may_use(g, host, spa) ? NETPORT_DROP_SPOOFED : PASS;
}

static bool is_udp(const struct frame *f, uint16_t sport, uint16_t dport)
{
	return f->proto == IP_UDP && f->l4 != 0 && f->sport == sport && f->dport == dport;
}

static int check_ipv4(const struct netguard *g, uint32_t host, const struct netpkt *pkt,
		      const struct frame *f)
{
	uint32_t ports = f->l3 + f->total - f->l4_len; /* or what else is behind IP's header */

	if (!sum_is_behind(pkt, ports + UDP_LENGTH)) {
		return NETPORT_DROP_MALFORMED;
	}
	if ((g->flags & NETGUARD_SERVER) && is_udp(f, DHCP_SERVER_PORT, DHCP_CLIENT_PORT)) {
		return NETPORT_DROP_SPOOFED;
	}
	if (may_use(g, host, f->src)) {
		return PASS;
	}
	return f->src == 0 && f->dst == IPV4_BROADCAST &&
			       is_udp(f, DHCP_CLIENT_PORT, DHCP_SERVER_PORT)
		       ? PASS
		       : NETPORT_DROP_SPOOFED;
}

int netguard_check(const struct netguard *g, const uint8_t mac[6], uint32_t host,
		   const struct netpkt *pkt)
{
	struct frame f;

	if (g->flags == 0) {
		return PASS;
	}
	if ((g->flags & NETGUARD_MAC) &&
	    wire_get48(pkt->seg[0].base + ETH_SRC) != wire_get48(mac)) {
		return NETPORT_DROP_SPOOFED;
	}
	if (!frame_parse(pkt, &f)) {
		return NETPORT_DROP_MALFORMED;
	}
	if (f.type == ETH_ARP) {
		return check_arp(g, mac, host, pkt, &f);
	}
	if (f.type == ETH_IPV4) {
		return check_ipv4(g, host, pkt, &f);
	}
	return g->flags & NETGUARD_IP ? NETPORT_DROP_SPOOFED : PASS;
}

/* The message type among the options; 0 if there is none. */
static uint8_t message_type(const uint8_t *options, size_t len)
{
	for (size_t i = 0; i < len && options[i] != DHCP_OPT_END;) {
		if (options[i] == DHCP_OPT_PAD) {
			i++;
			continue;
		}
		if (len - i < 3 || len - i - 2 < options[i + 1]) {
			break;
		}
		if (options[i] == DHCP_OPT_TYPE) {
			return options[i + 1] == 1 ? options[i + 2] : 0;
		}
		i += 2u + options[i + 1];
	}
	return 0;
}

bool netguard_snoop(const struct netpkt *pkt, uint64_t *mac, uint32_t *ip)
{
	uint8_t msg[SNOOP_MAX];
	struct frame f;
	size_t len;

	if (!frame_parse(pkt, &f) || f.type != ETH_IPV4 || frame_is_fragment(&f) ||
	    !is_udp(&f, DHCP_SERVER_PORT, DHCP_CLIENT_PORT)) {
		return false;
	}
	len = u64_min(sizeof(msg), f.l4_len - UDP_LEN);
	if (netpkt_copy(pkt, f.l4 + UDP_LEN, msg, len) < DHCP_OPTIONS ||
	    msg[DHCP_OP] != DHCP_OP_REPLY || msg[DHCP_HLEN] != 6 ||
	    wire_get32(msg + DHCP_MAGIC) != DHCP_COOKIE ||
	    message_type(msg + DHCP_OPTIONS, len - DHCP_OPTIONS) != DHCP_ACK) {
		return false;
	}
	*mac = wire_get48(msg + DHCP_CHADDR);
	*ip = wire_get32(msg + DHCP_YIADDR);
	return *ip != 0;
}
