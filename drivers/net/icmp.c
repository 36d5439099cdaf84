/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: echo requests, answers to them, and error messages. */
/* Keeps no state. */
#include "drivers/net/icmp.h"
#include "drivers/net/checksum.h"
#include "drivers/net/frame.h"
#include "drivers/net/ipv4.h"
#include "hv/lib/string.h"

static bool is_group(uint32_t ip)
{
	return ip >> 28 >= 14; /* multicast, reserved, broadcast */
}

/* RFC 1122, 3.2.2.6: the data comes back as it was. */
bool icmp_make_echo_reply(uint8_t *frame, const struct frame *f)
{
	uint8_t *ip = frame + f->l3, *icmp = frame + f->l4;

	if (f->proto != IP_ICMP || f->l4 == 0 || icmp[0] != ICMP_ECHO || is_group(f->dst) ||
	    checksum_bytes(icmp, f->l4_len) != 0xffff) {
		return false;
	}
	wire_put32(ip + IPV4_SRC, f->dst);
	wire_put32(ip + IPV4_DST, f->src);
	ip[IPV4_TTL] = IPV4_TTL_DEFAULT;
	ipv4_put_sum(ip);
	icmp[0] = ICMP_ECHO_REPLY;
	wire_put16(icmp + 2, 0);
	wire_put16(icmp + 2, checksum_field(checksum_bytes(icmp, f->l4_len)));
	return true;
}

void icmp_build_echo(uint8_t *out, uint32_t src, uint32_t dst, uint16_t id, uint16_t seq)
{
	uint8_t *icmp = out + ETH_LEN + IPV4_LEN;
	uint32_t len = ICMP_ECHO_FRAME - ETH_LEN - IPV4_LEN;

	/* With the Ethernet addresses: a packet to ourselves gets none. */
	memset(out, 0, ICMP_ECHO_FRAME);
	icmp[0] = ICMP_ECHO;
	wire_put16(icmp + ICMP_REST, id);
	wire_put16(icmp + ICMP_SEQ, seq);
	wire_put16(icmp + 2, checksum_field(checksum_bytes(icmp, len)));
	ipv4_build(out, src, dst, IP_ICMP, 0, len);
}

/* RFC 1122, 3.2.2: none about an error, a group, a later fragment, a source that is no one host. */
static bool may_complain(const struct netpkt *pkt, const struct frame *f)
{
	if (f->type != ETH_IPV4 || is_group(f->dst) || is_group(f->src) || f->src == 0 ||
	    f->src >> 24 == 127 || (f->frag & IPV4_OFFSET) || (pkt->seg[0].base[ETH_DST] & 1)) {
		return false;
	}
	return f->proto != IP_ICMP || (f->l4 != 0 && !icmp_is_error(pkt->seg[0].base[f->l4]));
}

uint32_t icmp_build_error(uint8_t *out, const struct netpkt *pkt, const struct frame *f,
			  uint32_t src, uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t *icmp = out + ETH_LEN + IPV4_LEN;
	uint32_t quote;

	if (!may_complain(pkt, f)) {
		return 0;
	}
	quote = (uint32_t)u64_min(f->total, pkt->seg[0].len - f->l3);
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = type;
	icmp[1] = code;
	wire_put16(icmp + 6, mtu); /* RFC 1191, 4 */
	memcpy(icmp + ICMP_LEN, pkt->seg[0].base + f->l3, quote);
	wire_put16(icmp + 2, checksum_field(checksum_bytes(icmp, ICMP_LEN + quote)));
	ipv4_build(out, src, f->src, IP_ICMP, 0, ICMP_LEN + quote);
	return ETH_LEN + IPV4_LEN + ICMP_LEN + quote;
}
