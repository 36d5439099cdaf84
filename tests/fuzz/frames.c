/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of every kind, from the bytes of a fuzz input: right ones, answers to what was seen, bent ones. */
/* Sends none. */
#include "tests/fuzz/frames.h"
#include "tests/fuzz/frames_dhcp.h"

#include <string.h>

static const uint8_t *in;
static size_t left;
static uint8_t frame[NETPKT_LEN_MAX];
static uint8_t kept[FRAMES_LEN_MAX]; /* a frame that somebody received */
static uint32_t kept_len;
static bool clean; /* everything built so far had right checksums */

void frames_begin(const uint8_t *data, size_t size)
{
	in = data;
	left = size;
	kept_len = 0;
	frames_dhcp_begin();
	clean = true;
}

bool frames_more(void)
{
	return left > 0;
}

uint32_t frames_take(unsigned int bytes)
{
	uint32_t v = 0;

	for (; bytes > 0 && left > 0; bytes--, left--) {
		v = v << 8 | *in++;
	}
	return v;
}

static void keep(const uint8_t *data, uint32_t len)
{
	if (len <= FRAMES_LEN_MAX) {
		memcpy(kept, data, len);
		kept_len = len;
		frames_dhcp_keep(data, len);
	}
}

bool frames_look(void)
{
	bool right = true;

	for (unsigned int i = 0; i < STATIONS; i++) {
		struct fake_port *f = &st[i].f;

		for (unsigned int n = 0; n < f->count && n < FAKE_QUEUE; n++) {
			const struct fake_frame *g = &f->got[n];

			right &= !clean || wire_get16(g->data + ETH_TYPE) != ETH_IPV4 ||
				 fake_checksums_right(g->data, g->len);
			keep(g->data, g->len);
		}
	}
	natfake_clear();
	return right;
}

uint32_t frames_pick_ip(void)
{
	static const uint32_t ips[] = { GW_IP,	    HOST_IP,	FAKE_IP(1),   FAKE_IP(2),
					IN_IP(10),  IN_IP(11),	IN_IP(12),    IPV4_BROADCAST,
					0,	    0xe0000001, FAKE_IP(255), IN_IP(255),
					0x7f000001, 0x08080808 };
	uint32_t n = frames_take(1);

	return n < ARRAY_SIZE(ips) * 16 ? ips[n % ARRAY_SIZE(ips)] : frames_take(4);
}

/* Few ports, so that connections meet; among them one that a kept frame came from. */
static uint16_t pick_port(void)
{
	static const uint16_t ports[] = { 53, 67, 68, 80, 5000, 5001, 8080, 9 };
	uint32_t n = frames_take(1);

	if (n >= 0xe0 && kept_len >= 42) {
		return wire_get16(kept + 34 + (n & 1 ? UDP_SPORT : UDP_DPORT));
	}
	return n < 0xc0 ? ports[n % ARRAY_SIZE(ports)] : (uint16_t)frames_take(2);
}

static uint64_t pick_mac(const struct station *s)
{
	uint32_t n = frames_take(1);

	return n < 0xc0 ? s->hop : n < 0xe0 ? ETH_BROADCAST : FAKE_MAC(frames_take(1));
}

static uint32_t pick_len(void)
{
	uint32_t n = frames_take(1);

	return n < 0xe0 ? n : n * 13 + frames_take(1);
}

static uint32_t build_arp(const struct station *s)
{
	uint16_t op = (uint16_t)frames_take(1) % 4;
	uint32_t spa = frames_take(1) < 0xc0 ? s->ip : frames_pick_ip();

	return fake_arp(frame, pick_mac(s), s->mac, op, s->mac, spa, 0, frames_pick_ip());
}

static uint32_t build_udp(const struct station *s)
{
	uint16_t sport = pick_port(), dport = pick_port();
	uint32_t dst = frames_pick_ip(), len = pick_len();

	return fake_udp(frame, pick_mac(s), s->mac, s->ip, dst, sport, dport, len);
}

static uint32_t build_tcp(const struct station *s)
{
	uint16_t sport = pick_port(), dport = pick_port();
	uint32_t dst = frames_pick_ip(), len = pick_len();
	uint8_t flags = (uint8_t)frames_take(1);

	return fake_tcp(frame, pick_mac(s), s->mac, s->ip, dst, sport, dport, flags, frames_take(1),
			len);
}

static uint32_t build_icmp(const struct station *s)
{
	static const uint8_t data[256];
	uint8_t type = (uint8_t)frames_take(1) % 20;
	uint32_t dst = frames_pick_ip();

	return fake_icmp(frame, pick_mac(s), s->mac, s->ip, dst, type, 0, frames_take(2) << 16,
			 data, frames_take(1));
}

/* Does what the IPv4 header says of lengths hold, so that checksums can be made right? */
static bool is_whole(uint32_t len)
{
	uint16_t total = wire_get16(frame + ETH_LEN + IPV4_TOTAL);

	return frame[ETH_LEN] == 0x45 && total >= (frame[23] == IP_TCP ? 40 : 28) &&
	       total + ETH_LEN <= len;
}

/* About something that was received; the same bytes are also sent back as they are. */
static uint32_t build_error(const struct station *s)
{
	uint32_t quote =
		kept_len > ETH_LEN ? (uint32_t)u64_min(kept_len - ETH_LEN, 20 + frames_take(1)) : 0;
	uint8_t type = frames_take(1) % 2 ? ICMP_UNREACHABLE : ICMP_TIME_EXCEEDED;
	uint32_t dst = kept_len >= 34 ? nf_src(kept) : frames_pick_ip();

	return fake_icmp(frame, s->hop, s->mac, s->ip, dst, type, (uint8_t)frames_take(1) % 5, 0,
			 kept + ETH_LEN, quote);
}

static uint32_t build_reply(const struct station *s)
{
	uint32_t len = kept_len;

	if (len < 42 || wire_get16(kept + ETH_TYPE) != ETH_IPV4) {
		return build_udp(s);
	}
	memcpy(frame, kept, len);
	fake_eth(frame, s->hop, s->mac, ETH_IPV4);
	memcpy(frame + 26, kept + 30, 4);
	memcpy(frame + 30, kept + 26, 4);
	if (frame[23] == IP_ICMP) {
		frame[34] = (uint8_t)frames_take(1) % 20;
	} else {
		memcpy(frame + 34, kept + 36, 2);
		memcpy(frame + 36, kept + 34, 2);
	}
	if (frame[23] == IP_TCP && len >= 54) {
		frame[34 + TCP_FLAGS] = (uint8_t)frames_take(1);
	}
	if (is_whole(len)) {
		fake_fix_checksums(frame, len);
	}
	return len;
}

static uint32_t build_dns(const struct station *s)
{
	uint8_t *msg = frame + UDP_DATA;
	bool answer = frames_take(1) % 2 && kept_len >= UDP_DATA + DNS_LEN;
	uint32_t len = DNS_LEN + 7 + frames_take(1) % 64;

	memset(msg, 0, len);
	wire_put16(msg, answer ? wire_get16(kept + UDP_DATA) : (uint16_t)frames_take(1));
	wire_put16(msg + 2, (uint16_t)(answer ? 0x8180 : frames_take(1) << 8));
	wire_put16(msg + 4, (uint16_t)(frames_take(1) < 0xf0 ? 1 : frames_take(2)));
	memcpy(msg + DNS_LEN, "\1a\0\0\1\0\1", 7);
	if (frames_take(1) >= 0xc0) {
		msg[DNS_LEN + frames_take(1) % 8] = (uint8_t)frames_take(1); /* labels, pointers */
	}
	ipv4_build_udp(frame, s->ip, s->hop == GW ? GW_IP : HOST_IP, answer ? 53 : pick_port(),
		       answer ? wire_get16(kept + 34) : 53, len);
	fake_eth(frame, s->hop, s->mac, ETH_IPV4);
	return UDP_DATA + len;
}

/* Without a checksum: nobody looks at it. */
static uint32_t build_ipv6(const struct station *s)
{
	static const uint8_t protos[] = { IP_TCP, IP_UDP, 58, IP_ICMP };
	uint8_t *ip = frame + fake_eth(frame, pick_mac(s), s->mac, ETH_IPV6);
	uint32_t n = frames_take(1), len = TCP_LEN + pick_len();

	memset(ip, 0, IPV6_LEN + len);
	ip[0] = n < 0xf0 ? 6 << 4 : (uint8_t)n;
	wire_put16(ip + IPV6_PAYLOAD, (uint16_t)(n % 8 != 7 ? len : frames_take(2)));
	ip[IPV6_NEXT] = protos[n / 8 % 4];
	wire_put48(ip + IPV6_SRC, s->mac);
	wire_put32(ip + IPV6_DST, n);
	ip[IPV6_LEN + TCP_OFFSET] = 5 << 4;
	ip[IPV6_LEN + TCP_FLAGS] = (uint8_t)n;
	return ETH_LEN + IPV6_LEN + len;
}

static uint32_t build_raw(const struct station *s)
{
	uint32_t len = ETH_LEN + pick_len();

	memset(frame, 0, len);
	for (uint32_t i = 0; i < len && left > 0 && i < 64; i++) {
		frame[i] = (uint8_t)frames_take(1);
	}
	fake_eth(frame, pick_mac(s), s->mac,
		 (uint16_t)(frames_take(1) < 0x80 ? ETH_IPV4 : frames_take(2)));
	clean = false;
	return len;
}

static uint32_t build_dhcp(const struct station *s)
{
	return frames_take(1) % 2 ? frames_dhcp_answer(frame, s) : frames_dhcp_request(frame, s);
}

static uint32_t (*const builders[])(const struct station *) = {
	build_arp,   build_udp,	 build_tcp, build_icmp, build_error,
	build_reply, build_dhcp, build_dns, build_raw,	build_ipv6,
};

static bool is_ipv4(uint32_t len)
{
	return len >= 62 && wire_get16(frame + ETH_TYPE) == ETH_IPV4;
}

static uint32_t put_tag(uint32_t len)
{
	memmove(frame + ETH_TYPE + VLAN_LEN, frame + ETH_TYPE, len - ETH_TYPE);
	wire_put16(frame + ETH_TYPE, ETH_VLAN);
	wire_put16(frame + ETH_TYPE + 2, 1);
	return len + VLAN_LEN;
}

/* Still a packet that is right, but seldom seen: with a tag, at the end of its life, not to be cut. */
static uint32_t vary(uint32_t len, uint32_t n)
{
	if (n % 4 == 0) {
		return put_tag(len);
	}
	if (is_ipv4(len) && is_whole(len)) {
		frame[ETH_LEN + IPV4_TTL] = (uint8_t)(n % 4);
		frame[ETH_LEN + IPV4_FRAG] |= n % 4 == 3 ? IPV4_DF >> 8 : 0;
		fake_fix_checksums(frame, len);
	}
	return len;
}

/* A few bytes changed; then, mostly, the checksums are made right again. */
static uint32_t bend(uint32_t len)
{
	uint32_t n = frames_take(1);
	bool ipv4 = is_ipv4(len);

	if (n < 0xa0) {
		return n < 0x88 ? len : vary(len, n);
	}
	for (n %= 4; n < 4 && len > 0; n++) {
		uint32_t at = frames_take(1);

		frame[at < len ? at : len - 1] ^= (uint8_t)frames_take(1);
	}
	clean = false;
	if (ipv4 && frames_take(1) < 0xc0 && is_whole(len)) {
		fake_fix_checksums(frame, len);
	}
	return len;
}

uint8_t *frames_build(const struct station *s, uint32_t how, uint32_t *len)
{
	*len = bend(builders[how % ARRAY_SIZE(builders)](s));
	return frame;
}

/* Where the transport header is, if there are no options. */
static uint16_t transport(void)
{
	uint16_t type = wire_get16(frame + ETH_TYPE);

	return type == ETH_VLAN	  ? ETH_LEN + VLAN_LEN + IPV4_LEN
	       : type == ETH_IPV6 ? ETH_LEN + IPV6_LEN
				  : ETH_LEN + IPV4_LEN;
}

struct netpkt frames_offload(uint32_t len)
{
	struct netpkt pkt = { 0 };

	if (frames_take(1) < 0xc0 || len < 60) {
		return pkt;
	}
	clean = false;
	pkt.flags = NETPKT_CSUM_PARTIAL;
	pkt.gso = (uint8_t)frames_take(1) % 4;
	pkt.gso_size = (uint16_t)(NETPKT_GSO_MIN - 1 + frames_take(1));
	pkt.csum_start = frames_take(1) < 0xe0 ? transport() : (uint16_t)frames_take(2);
	pkt.csum_offset = TCP_SUM;
	if (frames_take(1) >= 0xe0) {
		pkt.csum_offset = (uint16_t)frames_take(1);
	} else if (pkt.gso == NETPKT_GSO_NONE && frame[ETH_LEN + IPV4_PROTO] != IP_TCP) {
		pkt.csum_offset = UDP_SUM;
	}
	return pkt;
}
