/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets under translation. Checksums are mended, not computed (RFC 1624), so that a packet that was */
/* damaged on its way stays so. Knows no tables. */
#include "drivers/net/nat_packet.h"
#include "drivers/net/checksum.h"
#include "drivers/net/icmp.h"
#include "drivers/net/ipv4.h"
#include "drivers/net/wire.h"
#include "hv/lib/string.h"

enum icmp_query {
	TIMESTAMP = 13,
	TIMESTAMP_REPLY = 14,
	INFORMATION = 15,
	INFORMATION_REPLY = 16,
	ADDRESS_MASK = 17,
	ADDRESS_MASK_REPLY = 18,
};

static bool is_request(uint8_t type)
{
	return type == ICMP_ECHO || type == TIMESTAMP || type == INFORMATION ||
	       type == ADDRESS_MASK;
}

static bool is_reply(uint8_t type)
{
	return type == ICMP_ECHO_REPLY || type == TIMESTAMP_REPLY || type == INFORMATION_REPLY ||
	       type == ADDRESS_MASK_REPLY;
}

static bool translates(uint8_t proto)
{
	return proto == IP_TCP || proto == IP_UDP || proto == IP_ICMP;
}

/* ---- taking a packet apart ---- */

/*
 * RFC 5508, REQ-3: an error whose quotation has a wrong header checksum, or too little to tell whose it
 * was, is dropped. The quotation ends anywhere behind 8 bytes of transport header.
 */
static bool take_inner(struct nat_packet *p)
{
	const uint8_t *ip = p->head + p->f.l4 + ICMP_LEN;
	uint32_t have = (uint32_t)u64_min(p->f.l4_len, p->seg[0].len - p->f.l4);
	uint32_t ihl;

	if (have < ICMP_LEN + IPV4_LEN || ip[IPV4_VIHL] >> 4 != 4) {
		return false;
	}
	ihl = (ip[IPV4_VIHL] & 15u) * 4;
	p->inner = (uint16_t)(p->f.l4 + ICMP_LEN);
	p->inner_l4 = (uint16_t)(p->inner + ihl);
	p->inner_proto = ip[IPV4_PROTO];
	if (ihl < IPV4_LEN || have < ICMP_LEN + ihl + ICMP_QUOTE || !translates(p->inner_proto) ||
	    (wire_get16(ip + IPV4_FRAG) & IPV4_OFFSET) || !ipv4_sum_is_right(ip)) {
		return false;
	}
	/* RFC 1122, 3.2.2: no error about an error, so none to translate. */
	return p->inner_proto != IP_ICMP || is_request(p->head[p->inner_l4]) ||
	       is_reply(p->head[p->inner_l4]);
}

static bool take_icmp(struct nat_packet *p)
{
	uint8_t type = p->head[p->f.l4];

	if (is_request(type) || is_reply(type)) {
		return true;
	}
	p->is_error = icmp_is_error(type) && type != ICMP_REDIRECT;
	return p->is_error && take_inner(p);
}

/* Of the ICMP message: bytes behind the IP packet are no part of it. */
static uint16_t icmp_sum(const struct netpkt *pkt, const struct frame *f)
{
	uint32_t end = f->l4 + f->l4_len;
	struct checksum c = { 0 };
	uint32_t at = 0;

	for (unsigned int i = 0; i < pkt->segs && at < end; at += pkt->seg[i++].len) {
		uint32_t from = at < f->l4 ? f->l4 - at : 0;
		uint32_t to = (uint32_t)u64_min(pkt->seg[i].len, end - at);

		if (from < to) {
			checksum_add(&c, pkt->seg[i].base + from, to - from);
		}
	}
	return checksum_fold(&c);
}

/* A checksum to be completed must be the transport's own. */
static bool offload_is_ours(const struct netpkt *pkt, const struct frame *f)
{
	unsigned int field = f->proto == IP_TCP ? TCP_SUM : UDP_SUM;

	if (!(pkt->flags & NETPKT_CSUM_PARTIAL)) {
		return true;
	}
	return f->proto != IP_ICMP && pkt->csum_start == f->l4 && pkt->csum_offset == field;
}

bool nat_packet_take(struct nat_packet *p, const struct netpkt *pkt, const struct frame *f)
{
	if (f->type != ETH_IPV4 || f->l4 == 0 || !translates(f->proto) ||
	    !offload_is_ours(pkt, f) ||
	    (f->proto == IP_ICMP && icmp_sum(pkt, f) != 0xffff)) { /* RFC 5508, REQ-3 (a) */
		return false;
	}
	p->pkt = *pkt;
	p->f = *f;
	p->is_error = false;
	memcpy(p->seg, pkt->seg, pkt->segs * sizeof(p->seg[0]));
	memcpy(p->head, pkt->seg[0].base, pkt->seg[0].len);
	p->seg[0].base = p->head;
	p->pkt.seg = p->seg;
	return f->proto != IP_ICMP || take_icmp(p);
}

bool nat_packet_may_go(const struct nat_packet *p, bool out)
{
	uint8_t type = p->head[p->f.l4];

	return p->f.proto != IP_ICMP || p->is_error || (out ? is_request(type) : is_reply(type));
}

/* ---- what to look up ---- */

/* A query's identifier is its port at both ends. */
static void ports_of(const uint8_t *l4, uint8_t proto, uint16_t *src, uint16_t *dst)
{
	if (proto == IP_ICMP) {
		*src = *dst = wire_get16(l4 + ICMP_REST);
	} else {
		*src = wire_get16(l4 + UDP_SPORT);
		*dst = wire_get16(l4 + UDP_DPORT);
	}
}

static struct nat_tuple tuple_of(uint8_t proto, bool ours_is_src, uint32_t src, uint32_t dst,
				 uint16_t sport, uint16_t dport)
{
	return (struct nat_tuple){
		.proto = proto,
		.ip = ours_is_src ? src : dst,
		.port = ours_is_src ? sport : dport,
		.remote_ip = ours_is_src ? dst : src,
		.remote_port = ours_is_src ? dport : sport,
	};
}

struct nat_tuple nat_packet_tuple(const struct nat_packet *p, bool out)
{
	struct nat_tuple t;
	uint16_t sport, dport;

	if (p->is_error) {
		const uint8_t *ip = p->head + p->inner;

		ports_of(p->head + p->inner_l4, p->inner_proto, &sport, &dport);
		return tuple_of(p->inner_proto, !out, wire_get32(ip + IPV4_SRC),
				wire_get32(ip + IPV4_DST), sport, dport);
	}
	ports_of(p->head + p->f.l4, p->f.proto, &sport, &dport);
	t = tuple_of(p->f.proto, out, p->f.src, p->f.dst, sport, dport);
	t.tcp_flags = p->f.proto == IP_TCP ? p->head[p->f.l4 + TCP_FLAGS] : 0;
	return t;
}

/* ---- changing it ---- */

static unsigned int sum_offset(uint8_t proto)
{
	return proto == IP_TCP ? TCP_SUM : proto == IP_UDP ? UDP_SUM : 2;
}

/*
 * Changes an address and a port at ip and l4 and mends both checksums, as far as the transport's lies
 * before end and is one. partial: the field is a bare sum of the pseudo header, without ports.
 */
static void translate(uint8_t *ip, uint8_t *l4, const uint8_t *end, bool partial,
		      enum nat_side side, uint32_t new_ip, uint16_t new_port)
{
	uint8_t proto = ip[IPV4_PROTO];
	uint8_t *addr = ip + (side == NAT_SRC ? IPV4_SRC : IPV4_DST);
	uint8_t *port = l4 + (proto == IP_ICMP	? ICMP_REST
			      : side == NAT_SRC ? (unsigned int)UDP_SPORT
						: (unsigned int)UDP_DPORT);
	uint8_t *field = l4 + sum_offset(proto);
	uint32_t old_ip = wire_get32(addr);
	uint16_t old_port = wire_get16(port), sum;

	wire_put32(addr, new_ip);
	wire_put16(port, new_port);
	wire_put16(ip + IPV4_SUM, checksum_mend32(wire_get16(ip + IPV4_SUM), old_ip, new_ip));
	if (field + 2 > end || (proto == IP_UDP && !partial && wire_get16(field) == 0)) {
		return;
	}
	sum = partial ? (uint16_t)~wire_get16(field) : wire_get16(field);
	sum = proto == IP_ICMP ? sum : checksum_mend32(sum, old_ip, new_ip);
	sum = partial ? (uint16_t)~sum : checksum_mend16(sum, old_port, new_port);
	wire_put16(field, proto == IP_UDP && !partial && sum == 0 ? 0xffff : sum);
}

/*
 * RFC 5508, REQ-4 and REQ-5: the quoted packet went the other way, so its other side is the one. All that
 * changes lies in the head; the error's checksum takes the difference of before and after.
 */
static void set_error(struct nat_packet *p, enum nat_side side, uint32_t ip, uint16_t port)
{
	uint8_t *icmp = p->head + p->f.l4;
	uint32_t len = (uint32_t)u64_min(p->f.l4_len, p->seg[0].len - p->f.l4) & ~1u;
	uint8_t *outer = p->head + p->f.l3;
	uint8_t *addr = outer + (side == NAT_SRC ? IPV4_SRC : IPV4_DST);
	uint16_t before = checksum_bytes(icmp, len);

	translate(p->head + p->inner, p->head + p->inner_l4, icmp + len, false,
		  side == NAT_SRC ? NAT_DST : NAT_SRC, ip, port);
	wire_put16(icmp + 2,
		   checksum_mend16(wire_get16(icmp + 2), before, checksum_bytes(icmp, len)));
	wire_put16(outer + IPV4_SUM,
		   checksum_mend32(wire_get16(outer + IPV4_SUM), wire_get32(addr), ip));
	wire_put32(addr, ip);
}

/*
 * An echo reply can be all zeros. Then the field is 0xffff, which RFC 1624's equation 3 takes for the other
 * zero; everything else that is translated has something in it that is not 0.
 */
static void mend_zero(struct nat_packet *p)
{
	uint8_t *field = p->head + p->f.l4 + 2;

	if (p->f.proto == IP_ICMP && wire_get16(field) == 0 && icmp_sum(&p->pkt, &p->f) == 0) {
		wire_put16(field, 0xffff);
	}
}

void nat_packet_set(struct nat_packet *p, enum nat_side side, uint32_t ip, uint16_t port)
{
	bool partial = p->pkt.flags & NETPKT_CSUM_PARTIAL;

	if (p->is_error) {
		set_error(p, side, ip, port);
	} else {
		translate(p->head + p->f.l3, p->head + p->f.l4, p->head + p->seg[0].len, partial,
			  side, ip, port);
		mend_zero(p);
	}
	*(side == NAT_SRC ? &p->f.src : &p->f.dst) = ip;
	if (!p->is_error && p->f.proto != IP_ICMP) {
		*(side == NAT_SRC ? &p->f.sport : &p->f.dport) = port;
	}
}

bool nat_packet_age(struct nat_packet *p)
{
	uint8_t *ip = p->head + p->f.l3;
	uint16_t was = wire_get16(ip + IPV4_TTL);

	if (ip[IPV4_TTL] <= 1) {
		return false;
	}
	ip[IPV4_TTL]--;
	wire_put16(ip + IPV4_SUM,
		   checksum_mend16(wire_get16(ip + IPV4_SUM), was, wire_get16(ip + IPV4_TTL)));
	return true;
}
