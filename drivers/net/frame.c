/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes the headers of a frame apart once. */
/* Whether what they say is allowed is for others. */
#include "drivers/net/frame.h"
#include "drivers/net/netport.h"
#include "drivers/net/wire.h"

static bool is_tag(uint16_t type)
{
	return type == ETH_VLAN || type == ETH_QINQ || type == ETH_QINQ_OLD;
}

static unsigned int transport_len(uint8_t proto)
{
	return proto == IP_TCP ? TCP_LEN : proto == IP_UDP || proto == IP_ICMP ? UDP_LEN : 0;
}

/* A transport header that is not all there is none: it has no ports to go by. */
static void parse_transport(struct frame *f, const uint8_t *head, uint32_t head_len,
			    unsigned int off)
{
	unsigned int need = transport_len(f->proto);

	if (need == 0 || f->l4_len < need || head_len - off < need) {
		return;
	}
	f->l4 = (uint16_t)off;
	if (f->proto != IP_ICMP) {
		f->sport = wire_get16(head + off + UDP_SPORT);
		f->dport = wire_get16(head + off + UDP_DPORT);
	}
}

static bool parse_ipv4(struct frame *f, const uint8_t *head, uint32_t head_len, uint32_t len)
{
	const uint8_t *ip = head + f->l3;
	unsigned int ihl;

	if (head_len - f->l3 < IPV4_LEN) {
		return false;
	}
	ihl = (ip[IPV4_VIHL] & 15u) * 4;
	f->total = wire_get16(ip + IPV4_TOTAL);
	if (ip[IPV4_VIHL] >> 4 != 4 || ihl < IPV4_LEN || ihl > head_len - f->l3 || f->total < ihl ||
	    f->total > len - f->l3) {
		return false;
	}
	f->frag = wire_get16(ip + IPV4_FRAG);
	f->proto = ip[IPV4_PROTO];
	f->src = wire_get32(ip + IPV4_SRC);
	f->dst = wire_get32(ip + IPV4_DST);
	f->l4_len = f->total - ihl;
	if ((f->frag & IPV4_OFFSET) == 0) {
		parse_transport(f, head, head_len, f->l3 + ihl);
	}
	return true;
}

static bool parse_ipv6(struct frame *f, const uint8_t *head, uint32_t head_len, uint32_t len)
{
	const uint8_t *ip = head + f->l3;

	if (head_len - f->l3 < IPV6_LEN || ip[0] >> 4 != 6) {
		return false;
	}
	f->l4_len = wire_get16(ip + IPV6_PAYLOAD);
	f->proto = ip[IPV6_NEXT];
	if (f->l4_len > len - f->l3 - IPV6_LEN) {
		return false;
	}
	if (f->proto != IP_ICMP) { /* which IPv6 does not have */
		parse_transport(f, head, head_len, f->l3 + (unsigned int)IPV6_LEN);
	}
	return true;
}

bool frame_parse(const struct netpkt *pkt, struct frame *f)
{
	const uint8_t *head = pkt->seg[0].base;
	uint32_t head_len = (uint32_t)u64_min(pkt->seg[0].len, NETPKT_HEAD);

	*f = (struct frame){ .l3 = ETH_LEN };
	if (head_len < ETH_LEN) {
		return false;
	}
	f->type = wire_get16(head + ETH_TYPE);
	if (is_tag(f->type)) {
		if (head_len < ETH_LEN + VLAN_LEN) {
			return false;
		}
		f->tagged = true;
		f->l3 = ETH_LEN + VLAN_LEN;
		f->type = wire_get16(head + ETH_TYPE + VLAN_LEN);
	}
	if (f->type == ETH_IPV4) {
		return parse_ipv4(f, head, head_len, pkt->len);
	}
	return f->type != ETH_IPV6 || parse_ipv6(f, head, head_len, pkt->len);
}
