/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP resets. */
/* Keeps no state. */
#include "drivers/net/tcp.h"
#include "drivers/net/checksum.h"
#include "drivers/net/frame.h"
#include "drivers/net/ipv4.h"
#include "hv/lib/string.h"

/* What the segment takes in sequence space. */
static uint32_t segment_len(const uint8_t *tcp, const struct frame *f)
{
	uint32_t hdr_len = (tcp[TCP_OFFSET] >> 4) * 4u;
	uint32_t data = hdr_len <= f->l4_len ? f->l4_len - hdr_len : 0;

	return data + !!(tcp[TCP_FLAGS] & TCP_SYN) + !!(tcp[TCP_FLAGS] & TCP_FIN);
}

/* RFC 9293, 3.10.7.1 "CLOSED State" */
bool tcp_build_reset(uint8_t out[TCP_RESET_LEN], const uint8_t *head, const struct frame *f)
{
	const uint8_t *in = head + f->l4;
	uint8_t *tcp = out + ETH_LEN + IPV4_LEN;
	uint16_t sum;

	if (f->l4 == 0 || (in[TCP_FLAGS] & TCP_RST) || f->src == 0 || f->src >> 28 >= 14 ||
	    f->dst >> 28 >= 14) {
		return false;
	}
	ipv4_build(out, f->dst, f->src, IP_TCP, 0, TCP_LEN);
	memset(tcp, 0, TCP_LEN);
	wire_put16(tcp + TCP_SPORT, f->dport);
	wire_put16(tcp + TCP_DPORT, f->sport);
	tcp[TCP_OFFSET] = 5 << 4;
	if (in[TCP_FLAGS] & TCP_F_ACK) {
		memcpy(tcp + TCP_SEQ, in + TCP_ACK, 4);
		tcp[TCP_FLAGS] = TCP_RST;
	} else {
		wire_put32(tcp + TCP_ACK, wire_get32(in + TCP_SEQ) + segment_len(in, f));
		tcp[TCP_FLAGS] = TCP_RST | TCP_F_ACK;
	}
	sum = checksum_plus(checksum_pseudo4(f->dst, f->src, IP_TCP, TCP_LEN),
			    checksum_bytes(tcp, TCP_LEN));
	wire_put16(tcp + TCP_SUM, checksum_field(sum));
	return true;
}
