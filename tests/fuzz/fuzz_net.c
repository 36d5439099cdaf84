/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests and strangers against switches, gateways and NAT: sequences of frames of every kind, bent, cut, */
/* repeated, quoted in errors, most with right checksums. No crash, no leak, no wrong checksum made by us. */
/* FUZZ_SOURCES: drivers/net/natnet.c drivers/net/hostif.c drivers/net/nat.c drivers/net/nat_table.c */
/* FUZZ_SOURCES: drivers/net/nat_packet.c drivers/net/dhcp.c drivers/net/dhcps.c drivers/net/dhcpc.c */
/* FUZZ_SOURCES: drivers/net/dns.c drivers/net/ipif.c drivers/net/arp.c drivers/net/ipv4.c */
/* FUZZ_SOURCES: drivers/net/ipv4_frags.c drivers/net/icmp.c drivers/net/tcp.c drivers/net/netswitch.c */
/* FUZZ_SOURCES: drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c hv/lib/ratelimit.c */
/* FUZZ_SOURCES: drivers/net/pcap.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* FUZZ_SOURCES: drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* FUZZ_SOURCES: tests/unit/drivers/net/netfake.c tests/unit/drivers/net/natfake.c */
/* FUZZ_LIBS: -lcmocka */
#include "fakes/fake_heap.h"
#include "tests/unit/drivers/net/natfake.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 5000u /* of one that is built */

static const uint8_t *in;
static size_t left;
static uint8_t frame[NETPKT_LEN_MAX];
static uint8_t kept[FRAME_MAX]; /* a frame that somebody received */
static uint32_t kept_len;
static bool clean; /* everything sent so far had right checksums */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t take(unsigned int bytes)
{
	uint32_t v = 0;

	for (; bytes > 0 && left > 0; bytes--, left--) {
		v = v << 8 | *in++;
	}
	return v;
}

static uint32_t pick_ip(void)
{
	static const uint32_t ips[] = { GW_IP,	    HOST_IP,	FAKE_IP(1),   FAKE_IP(2),
					IN_IP(10),  IN_IP(11),	IN_IP(12),    IPV4_BROADCAST,
					0,	    0xe0000001, FAKE_IP(255), IN_IP(255),
					0x7f000001, 0x08080808 };
	uint32_t n = take(1);

	return n < ARRAY_SIZE(ips) * 16 ? ips[n % ARRAY_SIZE(ips)] : take(4);
}

/* Few ports, so that connections meet; among them one that a kept frame came from. */
static uint16_t pick_port(void)
{
	static const uint16_t ports[] = { 53, 67, 68, 80, 5000, 5001, 8080, 9 };
	uint32_t n = take(1);

	if (n >= 0xe0 && kept_len >= 42) {
		return wire_get16(kept + 34 + (n & 1 ? UDP_SPORT : UDP_DPORT));
	}
	return n < 0xc0 ? ports[n % ARRAY_SIZE(ports)] : (uint16_t)take(2);
}

static uint64_t pick_mac(const struct station *s)
{
	uint32_t n = take(1);

	return n < 0xc0 ? s->hop : n < 0xe0 ? ETH_BROADCAST : FAKE_MAC(take(1));
}

static uint32_t pick_len(void)
{
	uint32_t n = take(1);

	return n < 0xe0 ? n : n * 13 + take(1);
}

static uint32_t build_arp(const struct station *s)
{
	uint16_t op = (uint16_t)take(1) % 4;
	uint32_t spa = take(1) < 0xc0 ? s->ip : pick_ip();

	return fake_arp(frame, pick_mac(s), s->mac, op, s->mac, spa, 0, pick_ip());
}

static uint32_t build_udp(const struct station *s)
{
	uint16_t sport = pick_port(), dport = pick_port();
	uint32_t dst = pick_ip(), len = pick_len();

	return fake_udp(frame, pick_mac(s), s->mac, s->ip, dst, sport, dport, len);
}

static uint32_t build_tcp(const struct station *s)
{
	uint16_t sport = pick_port(), dport = pick_port();
	uint32_t dst = pick_ip(), len = pick_len();
	uint8_t flags = (uint8_t)take(1);

	return fake_tcp(frame, pick_mac(s), s->mac, s->ip, dst, sport, dport, flags, take(1), len);
}

static uint32_t build_icmp(const struct station *s)
{
	static const uint8_t data[256];
	uint8_t type = (uint8_t)take(1) % 20;
	uint32_t dst = pick_ip();

	return fake_icmp(frame, pick_mac(s), s->mac, s->ip, dst, type, 0, take(2) << 16, data,
			 take(1));
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
		kept_len > ETH_LEN ? (uint32_t)u64_min(kept_len - ETH_LEN, 20 + take(1)) : 0;
	uint8_t type = take(1) % 2 ? ICMP_UNREACHABLE : ICMP_TIME_EXCEEDED;
	uint32_t dst = kept_len >= 34 ? nf_src(kept) : pick_ip();

	return fake_icmp(frame, s->hop, s->mac, s->ip, dst, type, (uint8_t)take(1) % 5, 0,
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
		frame[34] = (uint8_t)take(1) % 20;
	} else {
		memcpy(frame + 34, kept + 36, 2);
		memcpy(frame + 36, kept + 34, 2);
	}
	if (frame[23] == IP_TCP && len >= 54) {
		frame[34 + TCP_FLAGS] = (uint8_t)take(1);
	}
	if (is_whole(len)) {
		fake_fix_checksums(frame, len);
	}
	return len;
}

static uint32_t build_dhcp(const struct station *s)
{
	bool server = take(1) % 2;
	struct dhcp_msg m = { .op = server ? DHCP_OP_REPLY : DHCP_OP_REQUEST,
			      .type = (uint8_t)take(1) % 10,
			      .xid = server ? host.dhcpc.xid : take(1),
			      .flags = (uint16_t)(take(1) << 8),
			      .ciaddr = take(1) % 2 ? 0 : pick_ip(),
			      .yiaddr = server ? pick_ip() : 0,
			      .chaddr = server ? HOST : s->mac };
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	for (unsigned int n = take(1) % 6; n > 0; n--) {
		uint8_t option = (uint8_t)take(1);

		dhcp_put32(&o, option % 64, pick_ip());
	}
	dhcp_end(&o);
	memcpy(frame + UDP_DATA, o.buf, o.len);
	ipv4_build_udp(frame, take(1) % 2 ? 0 : s->ip, server ? HOST_IP : IPV4_BROADCAST,
		       server ? 67 : 68, server ? 68 : 67, o.len);
	fake_eth(frame, server ? HOST : ETH_BROADCAST, s->mac, ETH_IPV4);
	return UDP_DATA + o.len;
}

static uint32_t build_dns(const struct station *s)
{
	uint8_t *msg = frame + UDP_DATA;
	bool answer = take(1) % 2 && kept_len >= UDP_DATA + DNS_LEN;
	uint32_t len = DNS_LEN + 7 + take(1) % 64;

	memset(msg, 0, len);
	wire_put16(msg, answer ? wire_get16(kept + UDP_DATA) : (uint16_t)take(1));
	wire_put16(msg + 2, (uint16_t)(answer ? 0x8180 : take(1) << 8));
	wire_put16(msg + 4, (uint16_t)(take(1) < 0xf0 ? 1 : take(2)));
	memcpy(msg + DNS_LEN, "\1a\0\0\1\0\1", 7);
	if (take(1) >= 0xc0) {
		msg[DNS_LEN + take(1) % 8] = (uint8_t)take(1); /* labels, pointers */
	}
	ipv4_build_udp(frame, s->ip, s->hop == GW ? GW_IP : HOST_IP, answer ? 53 : pick_port(),
		       answer ? wire_get16(kept + 34) : 53, len);
	fake_eth(frame, s->hop, s->mac, ETH_IPV4);
	return UDP_DATA + len;
}

static uint32_t build_raw(const struct station *s)
{
	uint32_t len = ETH_LEN + pick_len();

	memset(frame, 0, len);
	for (uint32_t i = 0; i < len && left > 0 && i < 64; i++) {
		frame[i] = (uint8_t)take(1);
	}
	fake_eth(frame, pick_mac(s), s->mac, (uint16_t)(take(1) < 0x80 ? ETH_IPV4 : take(2)));
	clean = false;
	return len;
}

static uint32_t (*const builders[])(const struct station *) = {
	build_arp,   build_udp,	 build_tcp, build_icmp, build_error,
	build_reply, build_dhcp, build_dns, build_raw,	build_reply,
};

/* A few bytes changed; then, mostly, the checksums are made right again. */
static void bend(uint32_t len)
{
	uint32_t n = take(1);
	bool ipv4 = len >= 62 && wire_get16(frame + ETH_TYPE) == ETH_IPV4;

	if (n < 0xa0) {
		return;
	}
	for (n %= 4; n < 4 && len > 0; n++) {
		uint32_t at = take(1);

		frame[at < len ? at : len - 1] ^= (uint8_t)take(1);
	}
	clean = false;
	if (ipv4 && take(1) < 0xc0 && is_whole(len)) {
		fake_fix_checksums(frame, len);
	}
}

static struct netpkt pick_offload(uint32_t len)
{
	struct netpkt pkt = { 0 };

	if (take(1) < 0xc0 || len < 60) {
		return pkt;
	}
	clean = false;
	pkt.flags = NETPKT_CSUM_PARTIAL;
	pkt.gso = (uint8_t)take(1) % 4;
	pkt.gso_size = (uint16_t)(NETPKT_GSO_MIN - 1 + take(1));
	pkt.csum_start = take(1) < 0xe0 ? 34 : (uint16_t)take(2);
	pkt.csum_offset =
		take(1) < 0xe0 ? (frame[23] == IP_TCP ? TCP_SUM : UDP_SUM) : (uint16_t)take(1);
	return pkt;
}

/* Whatever a station received: nothing that we made has a wrong checksum if nothing sent had. */
static void look(void)
{
	for (unsigned int i = 0; i < STATIONS; i++) {
		struct fake_port *f = &st[i].f;

		for (unsigned int n = 0; n < f->count && n < FAKE_QUEUE; n++) {
			const struct fake_frame *g = &f->got[n];

			if (clean && wire_get16(g->data + ETH_TYPE) == ETH_IPV4 &&
			    !fake_checksums_right(g->data, g->len)) {
				abort();
			}
			if (g->len <= FRAME_MAX) {
				memcpy(kept, g->data, g->len);
				kept_len = g->len;
			}
		}
	}
	natfake_clear();
}

static bool send_cut(void *arg, const struct netpkt *pkt)
{
	uint8_t piece[FRAME_MAX];

	netpkt_copy(pkt, 0, piece, sizeof(piece));
	if (take(1) < 0xf0) {
		fake_send(arg, piece, pkt->len);
	}
	return true;
}

static void step(void)
{
	struct station *s = &st[take(1) % STATIONS];
	uint32_t how = take(1), len;

	len = builders[how % ARRAY_SIZE(builders)](s);
	bend(len);
	if (how >= 0xe0 && len > 100 && wire_get16(frame + ETH_TYPE) == ETH_IPV4 &&
	    frame[ETH_LEN] == 0x45 && len - ETH_LEN == wire_get16(frame + ETH_LEN + IPV4_TOTAL)) {
		ipv4_fragment(frame, len, 82 + take(1) * 8, fake_time, send_cut, &s->f);
	} else {
		fake_send_pkt(&s->f, frame, len, pick_offload(len), 1 + take(1) % NETPKT_SEGS_MAX);
	}
	look();
}

static void control(void)
{
	uint32_t what = take(1) % 10, n = take(1);
	struct station *s = &st[n % STATIONS];
	struct netguard g = { .flags = (uint8_t)(take(1) & NETGUARD_ALL), 1, { s->ip }, 0 };

	switch (what) {
	case 0:
		natnet_forward_add(n % 2 ? &net_a : &net_b, n % 4 < 2 ? IP_TCP : IP_UDP, 8080,
				   IN_IP(10), 80);
		break;
	case 1:
		natnet_forward_remove(n % 2 ? &net_a : &net_b, IP_TCP, 8080);
		break;
	case 2:
		netswitch_set_guard(&s->f.p, &g);
		break;
	case 3:
		s->f.room = n % 16 == 0 ? 0 : 1000000;
		netport_ready(&s->f.p);
		break;
	case 4:
		s->f.p.offload = n & 7;
		break;
	case 5:
		fake_heap_limit = n < 0x80 ? n % 8 : ~0ul;
		break;
	case 6:
		host.c.addr = n % 2 ? HOST_IP : 0; /* by DHCP */
		break;
	default:
		natfake_pass(what == 7 ? n % 4 : n % 2 ? 60 * (n % 8) : 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = data;
	left = size;
	clean = true;
	kept_len = 0;
	natfake_setup(NULL);
	while (left > 0) {
		if (take(1) < 0xe8) {
			step();
		} else {
			control();
		}
		fake_time += 1000;
	}
	fake_heap_limit = ~0ul;
	natfake_teardown(NULL);
	return 0;
}
