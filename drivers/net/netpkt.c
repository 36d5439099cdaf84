/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets as a whole: do they make sense, copies out of them, their length on a wire, their flow, */
/* what a NIC needs that cuts them. Changes none. */
#include "drivers/net/netpkt.h"
#include "drivers/net/checksum.h"
#include "drivers/net/frame.h"
#include "drivers/net/gso.h"
#include "drivers/net/wire.h"
#include "hv/lib/string.h"

static bool offload_is_sane(const struct netpkt *pkt)
{
	uint32_t field_end = (uint32_t)pkt->csum_start + pkt->csum_offset + 2;

	if (!(pkt->flags & NETPKT_CSUM_PARTIAL)) {
		return pkt->gso == NETPKT_GSO_NONE;
	}
	if (pkt->csum_start < ETH_LEN || field_end > u64_min(pkt->len, NETPKT_HEAD)) {
		return false;
	}
	if (pkt->gso == NETPKT_GSO_NONE) {
		return true;
	}
	return pkt->gso <= NETPKT_GSO_TCP6 && pkt->gso_size >= NETPKT_GSO_MIN &&
	       pkt->csum_offset == TCP_SUM && gso_header_len(pkt) != 0;
}

bool netpkt_is_sane(const struct netpkt *pkt)
{
	return pkt->segs > 0 && pkt->segs < NETPKT_SEGS_MAX && pkt->len >= ETH_LEN &&
	       pkt->len <= NETPKT_LEN_MAX && pkt->seg[0].len == u64_min(pkt->len, NETPKT_HEAD) &&
	       !(pkt->seg[0].base[ETH_SRC] & 1) && offload_is_sane(pkt);
}

size_t netpkt_copy(const struct netpkt *pkt, size_t off, void *buf, size_t len)
{
	uint8_t *to = buf;

	for (unsigned int i = 0; i < pkt->segs && len > 0; i++) {
		const struct netseg *s = &pkt->seg[i];
		size_t n;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		n = u64_min(len, s->len - off);
		memcpy(to, s->base + off, n);
		to += n;
		len -= n;
		off = 0;
	}
	return (size_t)(to - (uint8_t *)buf);
}

uint32_t netpkt_wire_len(const struct netpkt *pkt)
{
	if (pkt->gso == NETPKT_GSO_NONE) {
		return pkt->len;
	}
	return pkt->len + (gso_segments(pkt) - 1) * gso_header_len(pkt);
}

/* IPv4 only: who cuts IPv6 themselves are yet to come. */
void netpkt_prepare_cut(const struct netpkt *pkt, struct netpkt_cut *cut)
{
	struct frame f;

	frame_parse(pkt, &f);
	cut->l3 = f.l3;
	cut->l4 = f.l4;
	cut->sum = IPV4_SUM;
	cut->header = (uint16_t)gso_header_len(pkt);
	memcpy(cut->head, pkt->seg[0].base, cut->header);
	wire_put16(cut->head + f.l3 + IPV4_TOTAL, 0);
	wire_put16(cut->head + f.l3 + IPV4_SUM, 0);
	wire_put16(cut->head + f.l4 + TCP_SUM, checksum_pseudo4(f.src, f.dst, IP_TCP, 0));
}

/* Sums are the same both ways; the multiplication spreads neighbours. */
uint32_t netpkt_flow(const struct netpkt *pkt)
{
	struct frame f;
	uint32_t sum;

	if (!frame_parse(pkt, &f) || (f.type != ETH_IPV4 && f.type != ETH_IPV6)) {
		return 0;
	}
	sum = f.src + f.dst + f.proto;
	if (f.type == ETH_IPV6) {
		for (unsigned int i = 0; i < 32; i += 4) {
			sum += wire_get32(pkt->seg[0].base + f.l3 + IPV6_SRC + i);
		}
	}
	sum += frame_is_fragment(&f) ? 0 : (uint32_t)f.sport + f.dport;
	return (uint32_t)((uint64_t)sum * 0x9e3779b97f4a7c15ul >> 32);
}
