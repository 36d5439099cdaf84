/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums and segments in software, for receivers that do not take them off the sender's hands. */
/* TCP over IPv4 and IPv6 only. */
#include "drivers/net/gso.h"
#include "drivers/net/checksum.h"
#include "drivers/net/frame.h"
#include "drivers/net/wire.h"
#include "hv/lib/string.h"

/* One segment being made: a head of its own, then slices of the packet's payload. */
struct cut {
	const struct netpkt *pkt;
	struct frame f;
	unsigned int hdr_len;
	unsigned int from; /* where in the packet this segment's payload begins */
	unsigned int len;  /* and how long it is */
	bool partial;	   /* the receiver completes the checksum */
	uint8_t head[NETPKT_HEAD];
	struct netseg seg[NETPKT_SEGS_MAX];
};

unsigned int gso_header_len(const struct netpkt *pkt)
{
	struct frame f;
	unsigned int len;

	if (!frame_parse(pkt, &f) || f.l4 == 0 || f.proto != IP_TCP || frame_is_fragment(&f) ||
	    f.type != (pkt->gso == NETPKT_GSO_TCP4 ? ETH_IPV4 : ETH_IPV6) ||
	    f.l4 != pkt->csum_start || f.l4 + f.l4_len != pkt->len) {
		return 0;
	}
	len = (pkt->seg[0].base[f.l4 + TCP_OFFSET] >> 4) * 4u;
	return len >= TCP_LEN && len < f.l4_len && f.l4 + len <= NETPKT_HEAD ? f.l4 + len : 0;
}

unsigned int gso_segments(const struct netpkt *pkt)
{
	unsigned int hdr_len = pkt->gso != NETPKT_GSO_NONE ? gso_header_len(pkt) : 0;

	return hdr_len == 0 ? 1 : (pkt->len - hdr_len + pkt->gso_size - 1) / pkt->gso_size;
}

/* Fills seg[] with pkt's bytes [from, from + len). Number of entries. */
static unsigned int slice(const struct netpkt *pkt, unsigned int from, unsigned int len,
			  struct netseg *seg)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < pkt->segs && len > 0; i++) {
		const struct netseg *s = &pkt->seg[i];

		if (from >= s->len) {
			from -= s->len;
			continue;
		}
		seg[n].base = s->base + from;
		seg[n].len = (uint32_t)u64_min(len, s->len - from);
		len -= seg[n++].len;
		from = 0;
	}
	return n;
}

static uint16_t pseudo_sum(const struct cut *c, uint32_t len)
{
	if (c->f.type == ETH_IPV4) {
		return checksum_pseudo4(c->f.src, c->f.dst, IP_TCP, len);
	}
	return checksum_pseudo6(c->head + c->f.l3 + IPV6_SRC, IP_TCP, len);
}

/* RFC 791: each segment is a packet with an identification of its own. */
static void put_ip(struct cut *c, unsigned int number)
{
	uint8_t *ip = c->head + c->f.l3;
	unsigned int len = c->hdr_len - c->f.l3 + c->len;

	if (c->f.type != ETH_IPV4) {
		wire_put16(ip + IPV6_PAYLOAD, (uint16_t)(len - IPV6_LEN));
		return;
	}
	wire_put16(ip + IPV4_TOTAL, (uint16_t)len);
	wire_put16(ip + IPV4_ID, (uint16_t)(wire_get16(ip + IPV4_ID) + number));
	wire_put16(ip + IPV4_SUM, 0);
	wire_put16(ip + IPV4_SUM, checksum_field(checksum_bytes(ip, c->f.l4 - c->f.l3)));
}

/* FIN and PSH belong to the last byte, CWR to the first segment (RFC 3168, 6.1.2). */
static void put_tcp(struct cut *c, bool first, bool last)
{
	uint8_t *tcp = c->head + c->f.l4;
	uint32_t seq = wire_get32(tcp + TCP_SEQ) + (c->from - c->hdr_len);
	unsigned int clear = (last ? 0u : TCP_FIN | TCP_PSH) | (first ? 0u : TCP_CWR);

	wire_put32(tcp + TCP_SEQ, seq);
	tcp[TCP_FLAGS] = (uint8_t)(tcp[TCP_FLAGS] & ~clear);
	wire_put16(tcp + TCP_SUM, pseudo_sum(c, c->hdr_len - c->f.l4 + c->len));
}

/* The field holds the pseudo header's sum, so it is part of what is summed. */
static void complete(struct netpkt *pkt, uint8_t *head)
{
	uint8_t *field = head + pkt->csum_start + pkt->csum_offset;
	uint16_t sum = checksum_packet(pkt, pkt->csum_start);

	wire_put16(field, checksum_partial_field(sum, pkt->csum_offset));
	pkt->flags = (uint8_t)((pkt->flags & ~NETPKT_CSUM_PARTIAL) | NETPKT_CSUM_VALID);
}

static bool emit_segment(struct cut *c, unsigned int number, unsigned int count, gso_emit_fn *emit,
			 void *arg)
{
	struct netpkt out = *c->pkt;

	memcpy(c->head, c->pkt->seg[0].base, c->hdr_len);
	put_ip(c, number);
	put_tcp(c, number == 0, number == count - 1);
	c->seg[0] = (struct netseg){ c->head, c->hdr_len };
	out.seg = c->seg;
	out.segs = (uint16_t)(1 + slice(c->pkt, c->from, c->len, c->seg + 1));
	out.len = c->hdr_len + c->len;
	out.gso = NETPKT_GSO_NONE;
	out.flags = (uint8_t)((out.flags & ~NETPKT_ECN) | (number != 0 ? NETPKT_CUT : 0));
	out.more = (uint16_t)(count - 1 - number);
	if (!c->partial) {
		complete(&out, c->head);
	}
	return emit(arg, &out);
}

static bool emit_segments(const struct netpkt *pkt, bool partial, gso_emit_fn *emit, void *arg)
{
	struct cut c; /* its arrays need no beginning */
	unsigned int count = gso_segments(pkt);

	c.pkt = pkt;
	c.hdr_len = gso_header_len(pkt);
	c.partial = partial;
	frame_parse(pkt, &c.f);
	for (unsigned int i = 0; i < count; i++) {
		c.from = c.hdr_len + i * pkt->gso_size;
		c.len = (unsigned int)u64_min(pkt->gso_size, pkt->len - c.from);
		if (!emit_segment(&c, i, count, emit, arg)) {
			return false;
		}
	}
	return true;
}

/* What a receiver must take off the sender's hands, by kind, to get a packet as it is. */
static bool is_taken(const struct netpkt *pkt, uint32_t offload)
{
	static const uint32_t need[] = {
		[NETPKT_GSO_NONE] = NETPORT_CSUM,
		[NETPKT_GSO_TCP4] = NETPORT_CSUM | NETPORT_TCP4,
		[NETPKT_GSO_TCP6] = NETPORT_CSUM | NETPORT_TCP6,
	};

	return !(pkt->flags & NETPKT_CSUM_PARTIAL) || (offload & need[pkt->gso]) == need[pkt->gso];
}

bool gso_is_cut(const struct netpkt *pkt, uint32_t offload)
{
	return pkt->gso != NETPKT_GSO_NONE && !is_taken(pkt, offload);
}

/* The field lies in the head. */
static bool emit_completed(const struct netpkt *pkt, gso_emit_fn *emit, void *arg)
{
	uint8_t head[NETPKT_HEAD];
	struct netseg seg[NETPKT_SEGS_MAX];
	struct netpkt out = *pkt;

	memcpy(seg, pkt->seg, pkt->segs * sizeof(seg[0]));
	memcpy(head, seg[0].base, seg[0].len);
	seg[0].base = head;
	out.seg = seg;
	complete(&out, head);
	return emit(arg, &out);
}

bool gso_emit(const struct netpkt *pkt, uint32_t offload, gso_emit_fn *emit, void *arg)
{
	if (is_taken(pkt, offload)) {
		return emit(arg, pkt);
	}
	if (pkt->gso != NETPKT_GSO_NONE) {
		return emit_segments(pkt, offload & NETPORT_CSUM, emit, arg);
	}
	return emit_completed(pkt, emit, arg);
}
