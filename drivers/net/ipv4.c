/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 and UDP headers, and cutting what is too long. */
/* Putting together is ipv4_frags.c's. */
#include "drivers/net/ipv4.h"
#include "drivers/net/checksum.h"
#include "hv/lib/string.h"

static unsigned int header_len(const uint8_t *ip)
{
	return (ip[IPV4_VIHL] & 15u) * 4;
}

void ipv4_put_sum(uint8_t *ip)
{
	wire_put16(ip + IPV4_SUM, 0);
	wire_put16(ip + IPV4_SUM, checksum_field(checksum_bytes(ip, header_len(ip))));
}

bool ipv4_sum_is_right(const uint8_t *ip)
{
	return checksum_bytes(ip, header_len(ip)) == 0xffff;
}

void ipv4_build(uint8_t *frame, uint32_t src, uint32_t dst, uint8_t proto, uint16_t id,
		uint32_t len)
{
	uint8_t *ip = frame + ETH_LEN;

	memset(ip, 0, IPV4_LEN);
	ip[IPV4_VIHL] = 0x45;
	wire_put16(ip + IPV4_TOTAL, (uint16_t)(IPV4_LEN + len));
	wire_put16(ip + IPV4_ID, id);
	ip[IPV4_TTL] = IPV4_TTL_DEFAULT;
	ip[IPV4_PROTO] = proto;
	wire_put32(ip + IPV4_SRC, src);
	wire_put32(ip + IPV4_DST, dst);
	ipv4_put_sum(ip);
	wire_put16(frame + ETH_TYPE, ETH_IPV4);
}

void ipv4_build_udp(uint8_t *frame, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
		    uint32_t len)
{
	uint8_t *udp = frame + ETH_LEN + IPV4_LEN;
	uint32_t l4_len = UDP_LEN + len;
	uint16_t sum;

	ipv4_build(frame, src, dst, IP_UDP, 0, l4_len);
	wire_put16(udp + UDP_SPORT, sport);
	wire_put16(udp + UDP_DPORT, dport);
	wire_put16(udp + UDP_LENGTH, (uint16_t)l4_len);
	wire_put16(udp + UDP_SUM, 0);
	sum = checksum_plus(checksum_pseudo4(src, dst, IP_UDP, l4_len),
			    checksum_bytes(udp, l4_len));
	wire_put16(udp + UDP_SUM, checksum_udp_field(sum));
}

struct netpkt ipv4_packet(const uint8_t *frame, uint32_t len, uint64_t time, struct netseg seg[2])
{
	uint32_t head = (uint32_t)u64_min(len, NETPKT_HEAD);

	seg[0] = (struct netseg){ frame, head };
	seg[1] = (struct netseg){ frame + head, len - head };
	return (struct netpkt){ .seg = seg, .segs = len > head ? 2 : 1, .len = len, .time = time };
}

/* RFC 791, "Fragmentation Procedure"; a fragment may be cut again. */
static bool emit_piece(const uint8_t *frame, uint32_t hdr_len, uint32_t from, uint32_t n, bool last,
		       uint64_t time, gso_emit_fn *emit, void *arg)
{
	uint8_t head[NETPKT_HEAD];
	uint8_t *ip = head + ETH_LEN;
	uint32_t total = ETH_LEN + hdr_len + n, in_head = (uint32_t)u64_min(total, NETPKT_HEAD);
	uint16_t frag = wire_get16(frame + ETH_LEN + IPV4_FRAG);
	struct netseg seg[2] = { { head, in_head } };
	struct netpkt pkt = { .seg = seg, .segs = 1, .len = total, .time = time };

	memcpy(head, frame, ETH_LEN + hdr_len);
	memcpy(head + ETH_LEN + hdr_len, frame + ETH_LEN + hdr_len + from,
	       in_head - ETH_LEN - hdr_len);
	wire_put16(ip + IPV4_TOTAL, (uint16_t)(hdr_len + n));
	frag = (uint16_t)((frag & ~IPV4_OFFSET & ~(last ? 0 : IPV4_MF)) |
			  ((frag & IPV4_OFFSET) + from / 8) | (last ? 0 : IPV4_MF));
	wire_put16(ip + IPV4_FRAG, frag);
	ipv4_put_sum(ip);
	if (total > in_head) {
		seg[1] = (struct netseg){ frame + in_head + from, total - in_head };
		pkt.segs = 2;
	}
	return emit(arg, &pkt);
}

bool ipv4_fragment(const uint8_t *frame, uint32_t len, uint32_t max_len, uint64_t time,
		   gso_emit_fn *emit, void *arg)
{
	uint32_t hdr_len = header_len(frame + ETH_LEN);
	uint32_t payload = len - ETH_LEN - hdr_len, step = (max_len - ETH_LEN - hdr_len) & ~7u;
	struct netseg seg[2];
	struct netpkt whole;

	if (len <= max_len) {
		whole = ipv4_packet(frame, len, time, seg);
		return emit(arg, &whole);
	}
	for (uint32_t at = 0; at < payload; at += step) {
		uint32_t n = (uint32_t)u64_min(step, payload - at);

		if (!emit_piece(frame, hdr_len, at, n, at + n == payload, time, emit, arg)) {
			return false;
		}
	}
	return true;
}
