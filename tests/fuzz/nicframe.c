/* SPDX-License-Identifier: BSD-2-Clause */
/* The input's bytes, and headers of frames with lengths that fit: what is cut must be a whole segment. */
/* No checksums: the card looks at none. */
#include "tests/fuzz/nicframe.h"

#include "drivers/net/wire.h"
#include "drivers/virtio/virtio_regs.h"

#include <string.h>

#define IPV6_LEN 40u

static const uint8_t *in;
static size_t left;

void nicframe_begin(const uint8_t *data, size_t size)
{
	in = data;
	left = size;
}

bool nicframe_more(void)
{
	return left > 0;
}

uint64_t nicframe_take(unsigned int bytes)
{
	uint64_t val = 0;

	for (; bytes > 0 && left > 0; bytes--, left--) {
		val = val << 8 | *in++;
	}
	return val;
}

bool nicframe_rarely(void)
{
	return nicframe_take(1) >= 0xc0;
}

static const struct nicframe_kind kinds[] = {
	{ ETH_IPV4, IP_TCP, 34, TCP_SUM, NETPKT_GSO_TCP4, VIRTIO_NET_GSO_TCP4, 54 },
	{ ETH_IPV6, IP_TCP, 54, TCP_SUM, NETPKT_GSO_TCP6, VIRTIO_NET_GSO_TCP6, 74 },
	{ ETH_IPV4, IP_UDP, 34, UDP_SUM, 0, 0, 42 },
	{ ETH_IPV6, IP_UDP, 54, UDP_SUM, 0, 0, 62 },
	{ ETH_ARP, 0, 0, 0, 0, 0, 42 },
};

const struct nicframe_kind *nicframe_pick(void)
{
	uint8_t which = (uint8_t)nicframe_take(1);

	return &kinds[which < 0x60 ? 0 : which % ARRAY_SIZE(kinds)];
}

uint32_t nicframe_length(const struct nicframe_kind *k)
{
	static const uint16_t scale[] = { 1, 6, 6, 257 };
	uint32_t len = k->shortest + scale[nicframe_take(1) % 4] * (uint32_t)nicframe_take(1);

	return (uint32_t)u64_min(len, NETPKT_LEN_MAX);
}

static void write_ipv4(uint8_t *ip, uint32_t len, uint8_t proto, uint8_t flow)
{
	ip[0] = 0x45;
	wire_put16(ip + IPV4_TOTAL, (uint16_t)len);
	ip[8] = 64;
	ip[IPV4_PROTO] = proto;
	ip[IPV4_SRC] = ip[IPV4_DST] = 10;
	ip[IPV4_DST + 3] = flow;
}

static void write_ipv6(uint8_t *ip, uint32_t len, uint8_t proto, uint8_t flow)
{
	ip[0] = 0x60;
	wire_put16(ip + 4, (uint16_t)(len - IPV6_LEN));
	ip[6] = proto;
	ip[7] = 64;
	ip[IPV6_SRC] = ip[IPV6_SRC + 16] = 0xfd;
	ip[IPV6_SRC + 31] = flow;
}

void nicframe_write(const struct nicframe_kind *k, uint8_t *frame, uint32_t len)
{
	static const uint8_t macs[] = { 0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1 };
	uint8_t flow = (uint8_t)nicframe_take(1);

	memset(frame, 0, k->shortest);
	memcpy(frame, macs, sizeof(macs));
	frame[5] = (uint8_t)(flow % 4); /* as many receivers */
	wire_put16(frame + ETH_TYPE, k->type);
	if (k->type == ETH_IPV4) {
		write_ipv4(frame + ETH_LEN, len - ETH_LEN, k->proto, flow);
	} else if (k->type == ETH_IPV6) {
		write_ipv6(frame + ETH_LEN, len - ETH_LEN, k->proto, flow);
	}
	if (k->proto == IP_TCP) {
		frame[k->l4 + 12] = 0x50;
	}
}
