/* SPDX-License-Identifier: BSD-2-Clause */
/* NAT as RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508 (ICMP) want it: each case is named after its */
/* requirement and goes through switches and gateways. The README's table lists them. */
/* TEST_SOURCES: drivers/net/ping.c */
/* TEST_SOURCES: drivers/net/natnet.c drivers/net/hostif.c drivers/net/nat.c drivers/net/nat_table.c */
/* TEST_SOURCES: drivers/net/nat_packet.c drivers/net/dhcp.c drivers/net/dhcps.c drivers/net/dhcpc.c */
/* TEST_SOURCES: drivers/net/dns.c drivers/net/ipif.c drivers/net/arp.c drivers/net/ipv4.c */
/* TEST_SOURCES: drivers/net/ipv4_frags.c drivers/net/icmp.c drivers/net/tcp.c drivers/net/netswitch.c */
/* TEST_SOURCES: drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c hv/lib/ratelimit.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/net/netfake.c tests/unit/drivers/net/natfake.c */
/* TEST_SOURCES: tests/unit/drivers/net/natnet_cases.c */
#include "drivers/net/checksum.h"
#include "fakes/fake_heap.h"
#include "hv/lib/errno.h"
#include "tests/unit/drivers/net/natfake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S1_IP FAKE_IP(1)
#define S2_IP FAKE_IP(2)

/* The outside port that A1's UDP port got towards S1. */
static uint16_t open_udp(unsigned int from, uint16_t sport)
{
	uint16_t port;

	nf_udp(from, S1_IP, sport, 9, 20);
	port = nf_sport(nf_got(S1, 0));
	natfake_clear();
	return port;
}

/* ---- RFC 4787: UDP ---- */

static void test_rfc4787_there_and_back(void **state)
{
	static uint8_t before[200];
	uint16_t port;

	(void)state;
	nf_udp(A1, S1_IP, 5000, 9, 100);
	assert_int_equal(nf_src(nf_got(S1, 0)), HOST_IP);
	assert_int_equal(nf_dst(nf_got(S1, 0)), S1_IP);
	assert_int_equal(nf_dport(nf_got(S1, 0)), 9);
	assert_int_equal(nf_got(S1, 0)[ETH_LEN + IPV4_TTL], 63);
	assert_memory_equal(nf_got(S1, 0) + 42, nf_frame + 42, 100);
	port = nf_sport(nf_got(S1, 0));
	nf_udp(S1, HOST_IP, 9, port, 100);
	memcpy(before, nf_frame, 142);
	assert_int_equal(nf_src(nf_got(A1, 0)), S1_IP);
	assert_int_equal(nf_dst(nf_got(A1, 0)), IN_IP(10));
	assert_int_equal(nf_dport(nf_got(A1, 0)), 5000);
	assert_memory_equal(nf_got(A1, 0) + 42, before + 42, 100);
	assert_int_equal(st[A2].f.count + st[B1].f.count + st[S2].f.count, 0);
}

static void test_rfc4787_req1_endpoint_independent_mapping(void **state)
{
	(void)state;
	nf_udp(A1, S1_IP, 5000, 9, 20);
	nf_udp(A1, S1_IP, 5000, 10, 20);
	nf_udp(A1, S2_IP, 5000, 9, 20);
	assert_int_equal(nf_sport(nf_got(S1, 0)), nf_sport(nf_got(S1, 1)));
	assert_int_equal(nf_sport(nf_got(S1, 0)), nf_sport(nf_got(S2, 0)));
}

/* REQ-3: never two inside ports on one outside port; REQ-4: parity stays. */
static void test_rfc4787_req3_req4_ports(void **state)
{
	uint16_t a, b, c, d;

	(void)state;
	a = open_udp(A1, 5000);
	b = open_udp(A2, 5000);
	c = open_udp(B1, 5000);
	assert_int_equal(a, 5000);
	assert_true(b != a && c != a && c != b);
	assert_int_equal(b % 2, 0);
	assert_int_equal(c % 2, 0);
	d = open_udp(A1, 77); /* below 1024: the host's; ours from 1024 on */
	assert_true(d >= 1024 && d % 2 == 1);
	for (uint16_t i = 0; i < 50; i++) {
		uint16_t port = open_udp(i % 2 ? A2 : B1, (uint16_t)(6001 + i / 2));

		assert_int_equal(port % 2, (6001 + i / 2) % 2);
	}
}

static void test_two_segments_with_the_same_addresses(void **state)
{
	uint16_t a = open_udp(A1, 5000), b = open_udp(B1, 5000);

	(void)state;
	nf_udp(S1, HOST_IP, 9, b, 20);
	nf_udp(S1, HOST_IP, 9, a, 20);
	nf_udp(S1, HOST_IP, 9, a, 20);
	assert_int_equal(nf_count(A1), 2);
	assert_int_equal(nf_count(B1), 1);
}

static bool reaches(uint16_t port, unsigned int from, unsigned int to)
{
	nf_udp(from, st[from].hop == HOST ? HOST_IP : S1_IP, 9, port, 20);
	return nf_count(to) == 1;
}

static void test_rfc4787_req5_five_minutes(void **state)
{
	uint16_t port = open_udp(A1, 5000);

	(void)state;
	natfake_pass(299);
	assert_true(reaches(port, S1, A1));
	natfake_pass(1);
	assert_false(reaches(port, S1, A1));
	assert_int_equal(host.nat.flows, 0);
}

static void test_rfc4787_req5b_dns_is_shorter(void **state)
{
	(void)state;
	nf_udp(A1, S1_IP, 5000, 53, 20);
	natfake_pass(29);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
}

static void test_rfc4787_req6_outbound_renews_inbound_does_not(void **state)
{
	uint16_t port = open_udp(A1, 5000);

	(void)state;
	natfake_pass(200);
	open_udp(A1, 5000);
	natfake_pass(200);
	assert_true(reaches(port, S1, A1));
	natfake_pass(99);
	assert_true(reaches(port, S1, A1));
	natfake_pass(1);
	assert_false(reaches(port, S1, A1));
}

/* Address-dependent: any port of an address that was spoken to (TFTP), no other address. */
static void test_rfc4787_req8_address_dependent_filtering(void **state)
{
	uint16_t port = open_udp(A1, 5000);

	(void)state;
	nf_udp(S1, HOST_IP, 12345, port, 20);
	assert_int_equal(nf_count(A1), 1);
	assert_false(reaches(port, S2, A1));
	nf_udp(A1, S2_IP, 5000, 9, 20);
	natfake_clear();
	assert_true(reaches(port, S2, A1));
}

/* The source that the other sees is the outside one. */
static void test_rfc4787_req9_hairpin_external_source(void **state)
{
	uint16_t a1 = open_udp(A1, 5000), a2 = open_udp(A2, 6000);

	(void)state;
	nf_udp(A1, HOST_IP, 5000, a2, 20);
	assert_int_equal(nf_count(A2), 0); /* filtered: A2 has not spoken to us */
	nf_udp(A2, HOST_IP, 6000, a1, 20);
	assert_int_equal(st[A1].f.count, 1);
	assert_int_equal(nf_src(nf_got(A1, 0)), HOST_IP);
	assert_int_equal(nf_sport(nf_got(A1, 0)), a2);
	nf_udp(A1, HOST_IP, 5000, a2, 20);
	assert_int_equal(nf_src(nf_got(A2, 0)), HOST_IP);
	assert_int_equal(nf_sport(nf_got(A2, 0)), a1);
	assert_int_equal(st[S1].f.count, 0);
}

static void test_rfc4787_req12_icmp_error_ends_no_mapping(void **state)
{
	uint16_t port;

	(void)state;
	nf_udp(A1, S1_IP, 5000, 9, 20);
	port = nf_sport(nf_got(S1, 0));
	nf_error(S1, S1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	assert_int_equal(nf_count(A1), 1);
	assert_true(reaches(port, S1, A1));
}

static void test_rfc4787_req13_too_long_and_not_to_be_cut(void **state)
{
	uint32_t len = fake_udp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5, 6, 1472);
	const uint8_t *icmp;

	(void)state;
	host.outside.port.max_len = 1014;
	wire_put16(nf_frame + ETH_LEN + IPV4_FRAG, IPV4_DF);
	fake_fix_checksums(nf_frame, len);
	fake_send(&st[A1].f, nf_frame, len);
	icmp = nf_got(A1, 0) + 34;
	assert_int_equal(icmp[0], ICMP_UNREACHABLE);
	assert_int_equal(icmp[1], ICMP_FRAG_NEEDED);
	assert_int_equal(wire_get16(icmp + 6), 1000);
	assert_int_equal(nf_src(icmp - 34), GW_IP);
	assert_int_equal(st[S1].f.count, 0);
	wire_put16(nf_frame + ETH_LEN + IPV4_FRAG, 0); /* and without DF it is cut */
	fake_fix_checksums(nf_frame, len);
	fake_send(&st[A1].f, nf_frame, len);
	assert_int_equal(st[S1].f.count, 2);
}

static void send_reversed(unsigned int from, const uint8_t *frame, uint32_t len)
{
	static uint8_t cut[8][1514];
	static uint32_t lens[8];
	unsigned int count = 0;
	uint32_t hdr = ETH_LEN + IPV4_LEN, step = 1480;

	for (uint32_t at = 0; at < len - hdr; at += step, count++) {
		uint32_t n = (uint32_t)u64_min(step, len - hdr - at);
		bool last = at + n == len - hdr;

		memcpy(cut[count], frame, hdr);
		memcpy(cut[count] + hdr, frame + hdr + at, n);
		wire_put16(cut[count] + ETH_LEN + IPV4_TOTAL, (uint16_t)(IPV4_LEN + n));
		wire_put16(cut[count] + ETH_LEN + IPV4_FRAG,
			   (uint16_t)(at / 8 | (last ? 0 : IPV4_MF)));
		fake_fix_checksums(cut[count], hdr + n);
		lens[count] = hdr + n;
	}
	while (count-- > 0) {
		fake_send(&st[from].f, cut[count], lens[count]);
	}
}

/* Fragments, the last first, both ways; what leaves is cut anew. */
static void test_rfc4787_req14_fragments_out_of_order(void **state)
{
	uint32_t len;
	uint16_t port;

	(void)state;
	len = fake_udp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5000, 9, 4000);
	send_reversed(A1, nf_frame, len);
	assert_int_equal(st[S1].f.count, 3);
	port = nf_sport(nf_got(S1, 0));
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *f = nf_got(S1, i);
		uint32_t off = (wire_get16(f + ETH_LEN + IPV4_FRAG) & IPV4_OFFSET) * 8;

		assert_int_equal(nf_src(f), HOST_IP);
		assert_memory_equal(f + 34 + (i == 0 ? 8 : 0),
				    nf_frame + 34 + off + (i == 0 ? 8 : 0), 100);
	}
	natfake_clear();
	len = fake_udp(nf_frame, HOST, st[S1].mac, S1_IP, HOST_IP, 9, port, 4000);
	send_reversed(S1, nf_frame, len);
	assert_int_equal(st[A1].f.count, 3);
	assert_int_equal(nf_dst(nf_got(A1, 2)), IN_IP(10));
	assert_int_equal(nf_dport(nf_got(A1, 0)), 5000);
}

static void test_udp_without_checksum_stays_without(void **state)
{
	uint32_t len = fake_udp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5, 6, 33);

	(void)state;
	wire_put16(nf_frame + 34 + UDP_SUM, 0);
	fake_send(&st[A1].f, nf_frame, len);
	assert_int_equal(wire_get16(nf_got(S1, 0) + 34 + UDP_SUM), 0);
}

/* ---- RFC 5382: TCP ---- */

static uint16_t open_tcp(unsigned int from, unsigned int to, uint16_t sport)
{
	uint16_t port;

	nf_tcp(from, st[to].ip, sport, 80, TCP_SYN);
	port = nf_sport(nf_got(to, 0));
	nf_tcp(to, HOST_IP, 80, port, TCP_SYN | TCP_F_ACK);
	assert_int_equal(st[from].f.count, 1);
	nf_tcp(from, st[to].ip, sport, 80, TCP_F_ACK);
	assert_int_equal(st[to].f.count, 2);
	natfake_clear();
	return port;
}

static bool tcp_reaches(unsigned int from, uint16_t port, unsigned int to, uint8_t flags)
{
	nf_tcp(from, HOST_IP, 80, port, flags);
	return nf_count(to) == 1;
}

static void test_rfc5382_req1_endpoint_independent_mapping(void **state)
{
	(void)state;
	assert_int_equal(open_tcp(A1, S1, 5000), open_tcp(A1, S2, 5000));
}

/* REQ-2: all ways to open, with both ends sending SYN too. */
static void test_rfc5382_req2_simultaneous_open(void **state)
{
	uint16_t port;

	(void)state;
	nf_tcp(A1, S1_IP, 5000, 80, TCP_SYN);
	port = nf_sport(nf_got(S1, 0));
	assert_true(tcp_reaches(S1, port, A1, TCP_SYN));
	nf_tcp(A1, S1_IP, 5000, 80, TCP_SYN | TCP_F_ACK);
	assert_true(tcp_reaches(S1, port, A1, TCP_SYN | TCP_F_ACK));
	natfake_pass(3600);
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK)); /* it counts as open */
}

static void test_rfc5382_req3_filtering(void **state)
{
	uint16_t port = open_tcp(A1, S1, 5000);

	(void)state;
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
	assert_false(tcp_reaches(S2, port, A1, TCP_SYN));
	nf_tcp(S1, HOST_IP, 81, port, TCP_SYN);
	assert_int_equal(st[A1].f.count, 0);
}

/* REQ-4: an unsolicited SYN is answered by nothing, so that a simultaneous open can follow. */
static void test_rfc5382_req4_unsolicited_syn_is_not_answered(void **state)
{
	uint16_t port = open_tcp(A1, S1, 5000);

	(void)state;
	nf_tcp(S2, HOST_IP, 80, port, TCP_SYN);
	nf_tcp(S2, HOST_IP, 80, 4242, TCP_SYN);
	natfake_pass(7);
	assert_int_equal(st[S2].f.count, 0);
}

static void test_rfc5382_req5_times(void **state)
{
	uint16_t port;

	(void)state;
	nf_tcp(A1, S1_IP, 5000, 80, TCP_SYN); /* opening: 4 minutes */
	port = nf_sport(nf_got(S1, 0));
	natfake_pass(239);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
	port = open_tcp(A1, S1, 5000); /* open: 2 hours 4 minutes */
	natfake_pass(7439);
	assert_int_equal(host.nat.flows, 1);
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK)); /* any packet renews */
	natfake_pass(7439);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
}

static void test_rfc5382_req5_closed(void **state)
{
	uint16_t port = open_tcp(A1, S1, 5000);

	(void)state;
	assert_true(tcp_reaches(S1, port, A1, TCP_FIN | TCP_F_ACK));
	natfake_pass(300); /* half closed is open */
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
	nf_tcp(A1, S1_IP, 5000, 80, TCP_FIN | TCP_F_ACK);
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
	natfake_pass(239);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
	port = open_tcp(A1, S1, 5001);
	assert_true(tcp_reaches(S1, port, A1, TCP_RST));
	natfake_pass(240);
	assert_int_equal(host.nat.flows, 0);
}

static void test_same_ports_again_after_closing(void **state)
{
	uint16_t port = open_tcp(A1, S1, 5000);

	(void)state;
	assert_true(tcp_reaches(S1, port, A1, TCP_RST));
	assert_int_equal(open_tcp(A1, S1, 5000), port);
	natfake_pass(3600);
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
}

static void test_rfc5382_req8_hairpin(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(11), 80), 0);
	nf_tcp(A1, HOST_IP, 5000, 8080, TCP_SYN);
	assert_int_equal(st[A2].f.count, 1);
	assert_int_equal(nf_src(nf_got(A2, 0)), HOST_IP);
	assert_int_equal(nf_dport(nf_got(A2, 0)), 80);
	nf_tcp(A2, HOST_IP, 80, nf_sport(nf_got(A2, 0)), TCP_SYN | TCP_F_ACK);
	assert_int_equal(st[A1].f.count, 1);
	assert_int_equal(nf_src(nf_got(A1, 0)), HOST_IP);
	assert_int_equal(nf_sport(nf_got(A1, 0)), 8080);
	assert_int_equal(nf_dport(nf_got(A1, 0)), 5000);
}

static void test_rfc5382_req10_icmp_error_ends_nothing(void **state)
{
	static const uint8_t codes[] = { ICMP_HOST, ICMP_PORT, ICMP_FRAG_NEEDED, ICMP_PROHIBITED };
	uint16_t port = open_tcp(A1, S1, 5000);

	(void)state;
	nf_tcp(A1, S1_IP, 5000, 80, TCP_F_ACK);
	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		nf_error(S1, S1, 0, ICMP_UNREACHABLE, codes[i]);
		assert_int_equal(nf_count(A1), 1);
		assert_int_equal(host.nat.flows, 1);
	}
	natfake_pass(7439); /* neither is it taken for closed */
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
}

/* TCP that no connection is open for: the guest learns at once, nobody else hears of it. */
static void test_tcp_in_the_middle_of_nothing_is_reset(void **state)
{
	(void)state;
	nf_tcp(A1, S1_IP, 5000, 80, TCP_F_ACK);
	assert_int_equal(st[S1].f.count, 0);
	assert_int_equal(nf_got(A1, 0)[34 + TCP_FLAGS], TCP_RST);
	assert_int_equal(nf_src(nf_got(A1, 0)), S1_IP);
	assert_int_equal(host.nat.flows, 0);
}

static void test_64_kib_segment_leaves_as_it_is(void **state)
{
	struct netpkt pkt = { .flags = NETPKT_CSUM_PARTIAL,
			      .gso = NETPKT_GSO_TCP4,
			      .gso_size = 1460,
			      .csum_start = 34,
			      .csum_offset = TCP_SUM };
	const struct fake_frame *g = &st[S1].f.got[0];
	uint32_t len;

	(void)state;
	open_tcp(A1, S1, 5000);
	for (int offload = 0; offload < 2; offload++) {
		st[S1].f.p.offload = offload ? NETPORT_CSUM | NETPORT_TCP4 : 0;
		len = fake_tcp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5000, 80, TCP_F_ACK, 1,
			       60000);
		wire_put16(nf_frame + 34 + TCP_SUM, fake_sum(nf_frame + 26, 8, IP_TCP + len - 34));
		fake_send_pkt(&st[A1].f, nf_frame, len, pkt, 17);
		assert_int_equal(st[S1].f.count, offload ? 1 : 42);
		assert_int_equal(nf_src(nf_got(S1, 0)), HOST_IP);
		assert_int_equal(g->gso, offload ? NETPKT_GSO_TCP4 : NETPKT_GSO_NONE);
		if (offload) { /* the field holds the translated pseudo header's sum */
			assert_int_equal(wire_get16(g->data + 34 + TCP_SUM),
					 fake_sum(g->data + 26, 8, IP_TCP + len - 34));
		}
		for (unsigned int i = 0; i < st[S1].f.count; i++) {
			nf_got(S1, i);
		}
		natfake_clear();
	}
}

/* ---- RFC 5508: ICMP ---- */

static void test_rfc5508_req1_queries(void **state)
{
	static const struct {
		uint8_t request, reply;
	} rows[] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t id;

		nf_echo(A1, S1_IP, rows[i].request, 77);
		assert_int_equal(nf_src(nf_got(S1, 0)), HOST_IP);
		id = nf_id(nf_got(S1, 0));
		nf_echo(S1, HOST_IP, rows[i].reply, id);
		assert_int_equal(nf_id(nf_got(A1, 0)), 77);
		assert_int_equal(nf_dst(nf_got(A1, 0)), IN_IP(10));
		natfake_clear();
		nf_echo(S1, HOST_IP, rows[i].request, id); /* a question is for the host */
		nf_echo(S2, HOST_IP, rows[i].reply, id);   /* another's answer for nobody */
		assert_int_equal(nf_count(A1), 0);
		assert_int_equal(nf_count(S1), rows[i].request == ICMP_ECHO);
	}
}

static void test_rfc5508_req2_sixty_seconds(void **state)
{
	(void)state;
	nf_echo(A1, S1_IP, ICMP_ECHO, 77);
	natfake_pass(59);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
}

/* REQ-3: errors that are damaged, or quote too little or nothing of ours, go nowhere. */
static void test_rfc5508_req3_bad_errors(void **state)
{
	uint32_t len = ETH_LEN + IPV4_LEN + ICMP_LEN + IPV4_LEN + ICMP_QUOTE;
	uint8_t good[100];
	const struct {
		const char *what;
		uint32_t at;
		uint8_t xor ;
		bool fix;
		bool passes;
	} rows[] = {
		{ "as it should be", 0, 0, true, true },
		{ "wrong ICMP checksum", 36, 1, false, false },
		{ "wrong quoted header checksum", 42 + IPV4_SUM, 1, true, false },
		{ "quoted version 6", 42, 0x20, true, false },
		{ "quoted header too long", 42, 0x0f, true, false },
		{ "a redirect", 34, 6, true, false },
		{ "an unknown type", 34, 0x40, true, false },
		{ "another port", 62, 1, true, false },
		{ "wrong quoted transport checksum", 62 + UDP_SUM, 1, true, true },
	};

	(void)state;
	nf_udp(A1, S1_IP, 5000, 9, 20);
	nf_error(S1, S1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	memcpy(good, nf_frame, len);
	natfake_clear();
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		memcpy(nf_frame, good, len);
		nf_frame[rows[i].at] ^= rows[i].xor ;
		if (rows[i].fix) {
			fake_fix_checksums(nf_frame, len);
		}
		fake_send(&st[S1].f, nf_frame, len);
		if ((nf_count(A1) == 1) != rows[i].passes) {
			fail_msg("%s", rows[i].what);
		}
	}
	memcpy(nf_frame, good, len);
	wire_put16(nf_frame + ETH_LEN + IPV4_TOTAL,
		   (uint16_t)(len - ETH_LEN - 1)); /* 7 bytes quoted */
	fake_fix_checksums(nf_frame, len - 1);
	fake_send(&st[S1].f, nf_frame, len - 1);
	assert_int_equal(nf_count(A1), 0);
}

static void expect_error_in(uint8_t proto, uint16_t sport)
{
	const uint8_t *f = nf_got(A1, 0), *quote = f + 42;

	assert_int_equal(nf_src(f), S2_IP); /* whoever sent it, a router perhaps */
	assert_int_equal(nf_dst(f), IN_IP(10));
	assert_int_equal(wire_get32(quote + IPV4_SRC), IN_IP(10));
	assert_int_equal(wire_get32(quote + IPV4_DST), S1_IP);
	assert_int_equal(fake_sum(quote, IPV4_LEN, 0), 0xffff);
	assert_int_equal(wire_get16(quote + IPV4_LEN + (proto == IP_ICMP ? 4 : 0)), sport);
}

/* REQ-4: an error from outside arrives as if about what the guest has sent. */
static void test_rfc5508_req4_errors_from_outside(void **state)
{
	(void)state;
	nf_udp(A2, S2_IP, 5000, 9, 20); /* so that A1's ports are others outside */
	nf_tcp(A2, S2_IP, 5001, 9, TCP_SYN);
	nf_echo(A2, S2_IP, ICMP_ECHO, 5002);
	natfake_clear();
	nf_udp(A1, S1_IP, 5000, 9, 20);
	nf_error(S2, S1, 0, ICMP_TIME_EXCEEDED, 0);
	expect_error_in(IP_UDP, 5000);
	natfake_clear();
	nf_tcp(A1, S1_IP, 5001, 80, TCP_SYN);
	nf_error(S2, S1, 0, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED);
	expect_error_in(IP_TCP, 5001);
	natfake_clear();
	nf_echo(A1, S1_IP, ICMP_ECHO, 5002);
	nf_error(S2, S1, 0, ICMP_UNREACHABLE, ICMP_HOST);
	expect_error_in(IP_ICMP, 5002);
}

/* REQ-5: an error from inside leaves as if from the host, about what the remote has sent. */
static void test_rfc5508_req5_errors_from_inside(void **state)
{
	uint16_t port;
	const uint8_t *f;

	(void)state;
	open_udp(A2, 5000);
	port = open_udp(A1, 5000);
	nf_udp(S1, HOST_IP, 9, port, 20);
	nf_error(A1, A1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	f = nf_got(S1, 0);
	assert_int_equal(nf_src(f), HOST_IP);
	assert_int_equal(wire_get32(f + 42 + IPV4_SRC), S1_IP);
	assert_int_equal(wire_get32(f + 42 + IPV4_DST), HOST_IP);
	assert_int_equal(wire_get16(f + 42 + IPV4_LEN + UDP_DPORT), port);
	assert_int_equal(fake_sum(f + 42, IPV4_LEN, 0), 0xffff);
	natfake_clear();
	nf_udp(S1, HOST_IP, 9, port, 20);
	memcpy(nf_frame, nf_got(A1, 0), 62); /* about something that never came */
	wire_put16(nf_frame + 34 + UDP_DPORT, 5999);
	memcpy(st[A1].f.got[0].data, nf_frame, 62);
	fake_fix_checksums(st[A1].f.got[0].data, 62);
	nf_error(A1, A1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	assert_int_equal(st[S1].f.count, 0);
}

/* REQ-3 (b): what is quoted begins behind its IP options. */
static void test_rfc5508_req3b_quoted_options(void **state)
{
	uint32_t len = ETH_LEN + IPV4_LEN + ICMP_LEN + IPV4_LEN + ICMP_QUOTE;
	uint8_t *quote = nf_frame + 42;

	(void)state;
	nf_udp(A2, S2_IP, 5000, 9, 20); /* so that A1's port is another outside */
	nf_udp(A1, S1_IP, 5000, 9, 20);
	nf_error(S1, S1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	natfake_clear();
	memmove(quote + IPV4_LEN + 8, quote + IPV4_LEN, ICMP_QUOTE);
	memset(quote + IPV4_LEN, 1, 8); /* "No Operation" */
	quote[IPV4_VIHL] = 0x47;
	wire_put16(quote + IPV4_SUM, 0);
	wire_put16(quote + IPV4_SUM, (uint16_t)~fake_sum(quote, IPV4_LEN + 8, 0));
	wire_put16(nf_frame + ETH_LEN + IPV4_TOTAL, (uint16_t)(len + 8 - ETH_LEN));
	fake_fix_checksums(nf_frame, len + 8);
	fake_send(&st[S1].f, nf_frame, len + 8);
	assert_int_equal(st[A1].f.count, 1);
	quote = st[A1].f.got[0].data + 42;
	assert_int_equal(wire_get32(quote + IPV4_SRC), IN_IP(10));
	assert_int_equal(wire_get16(quote + IPV4_LEN + 8 + UDP_SPORT), 5000);
}

/* REQ-6: an error about a query neither renews nor ends what the query has begun. */
static void test_rfc5508_req6_error_renews_nothing(void **state)
{
	uint8_t about[ETH_LEN + IPV4_LEN + ICMP_QUOTE];

	(void)state;
	nf_echo(A1, S1_IP, ICMP_ECHO, 77);
	memcpy(about, nf_got(S1, 0), sizeof(about));
	natfake_pass(50);
	fake_send(&st[S1].f, nf_frame,
		  fake_icmp(nf_frame, HOST, st[S1].mac, S1_IP, HOST_IP, ICMP_UNREACHABLE, ICMP_HOST,
			    0, about + ETH_LEN, IPV4_LEN + ICMP_QUOTE));
	assert_int_equal(nf_count(A1), 1);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(9);
	assert_int_equal(host.nat.flows, 1);
	natfake_pass(1);
	assert_int_equal(host.nat.flows, 0);
}

/* REQ-7: an error about a hairpinned packet finds the guest that sent it. */
static void test_rfc5508_req7_hairpinned_error(void **state)
{
	const uint8_t *f;

	(void)state;
	assert_int_equal(natnet_forward_add(&net_b, IP_UDP, 8080, IN_IP(10), 80), 0);
	nf_udp(A1, HOST_IP, 5000, 8080, 20);
	nf_error(B1, B1, 0, ICMP_UNREACHABLE, ICMP_PORT);
	f = nf_got(A1, 0);
	assert_int_equal(nf_src(f), HOST_IP);
	assert_int_equal(nf_dst(f), IN_IP(10));
	assert_int_equal(wire_get32(f + 42 + IPV4_SRC), IN_IP(10));
	assert_int_equal(wire_get16(f + 42 + IPV4_LEN + UDP_SPORT), 5000);
	assert_int_equal(wire_get32(f + 42 + IPV4_DST), HOST_IP);
	assert_int_equal(wire_get16(f + 42 + IPV4_LEN + UDP_DPORT), 8080);
	assert_int_equal(fake_sum(f + 42, IPV4_LEN, 0), 0xffff);
	assert_int_equal(st[S1].f.count + st[S2].f.count, 0);
}

static void test_rfc5508_req7_hairpin_query(void **state)
{
	(void)state;
	nf_echo(A1, HOST_IP, ICMP_ECHO, 77); /* the host answers */
	assert_int_equal(nf_got(A1, 0)[34], ICMP_ECHO_REPLY);
	assert_int_equal(nf_src(nf_got(A1, 0)), HOST_IP);
	assert_int_equal(nf_id(nf_got(A1, 0)), 77);
	assert_int_equal(st[S1].f.count, 0);
}

/* Found by fuzz_net: the checksum of a message of zeros is not 0. */
static void test_echo_reply_of_zeros(void **state)
{
	uint16_t id;

	(void)state;
	fake_send(&st[A1].f, nf_frame,
		  fake_icmp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, ICMP_ECHO, 0, 0, "", 0));
	id = nf_id(nf_got(S1, 0));
	assert_int_not_equal(id, 0);
	fake_send(&st[S1].f, nf_frame,
		  fake_icmp(nf_frame, HOST, st[S1].mac, S1_IP, HOST_IP, ICMP_ECHO_REPLY, 0,
			    (uint32_t)id << 16, "", 0));
	assert_int_equal(nf_id(nf_got(A1, 0)), 0);
}

/* ---- routing ---- */

static void test_rfc1812_time_to_live(void **state)
{
	uint32_t len = fake_udp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5, 6, 20);

	(void)state;
	nf_frame[ETH_LEN + IPV4_TTL] = 1;
	fake_fix_checksums(nf_frame, len);
	fake_send(&st[A1].f, nf_frame, len);
	assert_int_equal(st[S1].f.count, 0);
	assert_int_equal(nf_got(A1, 0)[34], ICMP_TIME_EXCEEDED);
	assert_int_equal(nf_src(nf_got(A1, 0)), GW_IP);
	natfake_clear();
	nf_frame[ETH_LEN + IPV4_TTL] = 2;
	fake_fix_checksums(nf_frame, len);
	fake_send(&st[A1].f, nf_frame, len);
	assert_int_equal(nf_got(S1, 0)[ETH_LEN + IPV4_TTL], 1);
}

static void test_what_must_not_leave(void **state)
{
	static const struct {
		const char *what;
		uint32_t src, dst;
		uint64_t mac;
	} rows[] = {
		{ "a foreign source", 0x01020304, S1_IP, GW },
		{ "the gateway's address", GW_IP, S1_IP, GW },
		{ "no source", 0, S1_IP, GW },
		{ "to a neighbour", IN_IP(10), IN_IP(99), GW },
		{ "multicast", IN_IP(10), 0xe0000001, 0x01005e000001 },
		{ "broadcast", IN_IP(10), IPV4_BROADCAST, ETH_BROADCAST },
		{ "unicast in a broadcast frame", IN_IP(10), S1_IP, ETH_BROADCAST },
		{ "loopback", IN_IP(10), 0x7f000001, GW },
		{ "nowhere", IN_IP(10), 0, GW },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_send(&st[A1].f, nf_frame,
			  fake_udp(nf_frame, rows[i].mac, st[A1].mac, rows[i].src, rows[i].dst, 5,
				   6, 20));
		if (st[S1].f.count + st[S2].f.count + host.nat.flows != 0) {
			fail_msg("%s", rows[i].what);
		}
	}
	fake_udp(nf_frame, GW, st[A1].mac, IN_IP(10), S1_IP, 5, 6, 20);
	nf_frame[ETH_LEN + IPV4_PROTO] = 50; /* a protocol that has no ports */
	ipv4_put_sum(nf_frame + ETH_LEN);
	fake_send(&st[A1].f, nf_frame, 62);
	assert_int_equal(st[S1].f.count, 0);
}

/* Segments see neither each other nor the physical network's way in. */
static void test_nobody_reaches_a_guest_unasked(void **state)
{
	(void)state;
	nf_udp(S1, HOST_IP, 9, 5000, 20);
	nf_tcp(S1, HOST_IP, 9, 5000, TCP_SYN);
	fake_send(&st[S1].f, nf_frame,
		  fake_udp(nf_frame, HOST, st[S1].mac, S1_IP, IN_IP(10), 9, 5000, 20));
	nf_udp(B1, IN_IP(11), 9, 5000, 20);
	nf_udp(B1, HOST_IP, 9, 5000, 20);
	for (unsigned int i = A1; i <= B1; i++) {
		assert_int_equal(nf_count(i), 0);
	}
}

/* ---- forwards ---- */

static void test_forward(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(10), 80), 0);
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(11), 80), -EEXIST);
	assert_int_equal(natnet_forward_add(&net_b, IP_TCP, 8080, IN_IP(10), 80), -EEXIST);
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8081, IN_IP(10), 80), -EBUSY);
	assert_int_equal(natnet_forward_add(&net_a, IP_UDP, 8080, IN_IP(10), 80), 0);
	assert_int_equal(natnet_forward_add(&net_a, IP_ICMP, 1, IN_IP(10), 80), -EINVAL);
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 81, GW_IP, 80), -EINVAL);
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 81, S1_IP, 80), -EINVAL);
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 0, IN_IP(10), 80), -EINVAL);
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_SYN);
	assert_int_equal(nf_dst(nf_got(A1, 0)), IN_IP(10));
	assert_int_equal(nf_dport(nf_got(A1, 0)), 80);
	assert_int_equal(nf_src(nf_got(A1, 0)), S1_IP);
	nf_tcp(A1, S1_IP, 80, 4000, TCP_SYN | TCP_F_ACK);
	assert_int_equal(nf_sport(nf_got(S1, 0)), 8080);
	nf_udp(S2, HOST_IP, 4000, 8080, 20);
	assert_int_equal(nf_dport(nf_got(A1, 1)), 80);
	natfake_clear();
	assert_int_equal(natnet_forward_remove(&net_b, IP_TCP, 8080), -ENOENT);
	assert_int_equal(natnet_forward_remove(&net_a, IP_TCP, 8080), 0);
	assert_int_equal(natnet_forward_remove(&net_a, IP_TCP, 8080), -ENOENT);
	nf_tcp(S1, HOST_IP, 4001, 8080, TCP_SYN);
	assert_int_equal(nf_count(A1), 0);
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_F_ACK); /* what was open goes on */
	assert_int_equal(nf_count(A1), 1);
	/* And is no obstacle to having it again; for another it makes way. */
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(10), 80), 0);
	nf_tcp(S1, HOST_IP, 4001, 8080, TCP_SYN);
	assert_int_equal(nf_count(A1), 1);
	natfake_clear();
	assert_int_equal(natnet_forward_add(&net_b, IP_TCP, 8080, IN_IP(10), 80), -EEXIST);
	assert_int_equal(natnet_forward_remove(&net_a, IP_TCP, 8080), 0);
	assert_int_equal(natnet_forward_add(&net_b, IP_TCP, 8080, IN_IP(10), 80), 0);
	assert_int_equal(host.nat.flows, 1); /* the UDP one above */
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_SYN);
	assert_int_equal(nf_count(A1), 0);
	assert_int_equal(nf_count(B1), 1);
	assert_int_equal(natnet_forward_remove(&net_b, IP_TCP, 8080), 0);
}

static void test_forward_starts_with_a_syn(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(10), 80), 0);
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_F_ACK);
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_SYN | TCP_F_ACK);
	nf_tcp(S1, HOST_IP, 4000, 8080, TCP_RST);
	assert_int_equal(nf_count(A1), 0);
	assert_int_equal(host.nat.flows, 0);
}

/* ---- bounds ---- */

static void test_one_guest_has_its_most_and_no_more(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < NAT_MOST; i++) {
		nf_udp(A1, S1_IP, (uint16_t)(2000 + i), 9, 20);
	}
	assert_int_equal(nf_count(S1), NAT_MOST);
	nf_udp(A1, S1_IP, 9999, 9, 20);
	assert_int_equal(nf_count(S1), 0);
	assert_int_equal(nf_got(A1, 0)[34], ICMP_UNREACHABLE);
	assert_int_equal(nf_got(A1, 0)[35], ICMP_PROHIBITED);
	assert_int_equal(net_a.realm.refused, 1);
	nf_udp(A1, S1_IP, 2000, 9, 20); /* what it has goes on */
	nf_udp(A2, S1_IP, 2000, 9, 20); /* and so do others */
	nf_udp(B1, S1_IP, 2000, 9, 20);
	assert_int_equal(nf_count(S1), 3);
	natfake_pass(300);
	assert_int_equal(host.nat.flows, 0);
	nf_udp(A1, S1_IP, 9999, 9, 20);
	assert_int_equal(nf_count(S1), 1);
}

/* The usual bound: 10,000 are tracked, one more is refused, and a neighbour does not notice. */
static void test_ten_thousand_connections(void **state)
{
	static struct nat nat;
	static struct nat_realm realm;
	struct nat_tuple t = {
		.proto = IP_TCP, .tcp_flags = TCP_SYN, .remote_ip = S1_IP, .remote_port = 80
	};
	struct nat_target to;
	uint16_t port;

	(void)state;
	assert_int_equal(nat_init(&nat, 4096, 30000), 0);
	nat_realm_init(&realm, &nat, NULL, 10000);
	for (unsigned int i = 0; i <= 10000; i++) {
		t.ip = IN_IP(10);
		t.port = (uint16_t)(20000 + i);
		assert_int_equal(nat_outbound(&realm, &t, 1, &port), i < 10000 ? 0 : -ENOSPC);
	}
	t.ip = IN_IP(11);
	assert_int_equal(nat_outbound(&realm, &t, 1, &port), 0);
	for (unsigned int i = 0; i < 10000; i++) { /* each still leads back to its own */
		t.port = (uint16_t)(20000 + i);
		t.tcp_flags = TCP_SYN | TCP_F_ACK;
		assert_int_equal(nat_inbound(&nat, &t, 2, &to), 0);
		assert_int_equal(to.in_ip, IN_IP(10));
		assert_int_equal(to.in_port, t.port);
		nat_realm_unuse(to.realm);
	}
	assert_int_equal(nat.flows, 10001);
	nat_realm_exit(&realm);
	assert_int_equal(nat.flows, 0);
	nat_exit(&nat);
}

/* A stranger who begins and never goes on takes no guest's connections away; what is open stays. */
static void test_half_open_connections_make_way(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(10), 80), 0);
	nf_tcp(S1, HOST_IP, 3999, 8080, TCP_SYN);
	nf_tcp(A1, S1_IP, 80, 3999, TCP_SYN | TCP_F_ACK);
	nf_tcp(S1, HOST_IP, 3999, 8080, TCP_F_ACK);
	for (unsigned int i = 0; i < 3 * NAT_MOST; i++) {
		nf_tcp(S2, HOST_IP, (uint16_t)(4000 + i), 8080, TCP_SYN);
		if (i % 2 == 0) {
			nf_tcp(A1, S2_IP, 80, (uint16_t)(4000 + i), TCP_SYN | TCP_F_ACK);
		}
		natfake_clear();
	}
	assert_int_equal(host.nat.flows, NAT_MOST);
	assert_int_equal(net_a.realm.refused, 0);
	for (uint16_t i = 0; i < NAT_MOST - 1; i++) {
		nf_udp(A1, S1_IP, (uint16_t)(2000 + i), 9, 20);
	}
	assert_int_equal(nf_count(S1), NAT_MOST - 1);
	nf_tcp(S1, HOST_IP, 3999, 8080, TCP_F_ACK);
	assert_int_equal(nf_count(A1), 1);
	nf_udp(A1, S1_IP, 9999, 9, 20); /* nothing is half open any more */
	assert_int_equal(nf_count(S1), 0);
	nf_tcp(S2, HOST_IP, 9000, 8080, TCP_SYN);
	assert_int_equal(nf_count(A1), 1); /* that it was refused, and no SYN */
	assert_int_equal(natnet_forward_remove(&net_a, IP_TCP, 8080), 0);
}

/* Neither do those that a stranger seems to complete, though the guest is silent. */
static void test_blind_acks_keep_nobody_out(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_TCP, 8080, IN_IP(10), 80), 0);
	for (uint16_t i = 0; i < NAT_MOST; i++) {
		nf_tcp(S2, HOST_IP, (uint16_t)(4000 + i), 8080, TCP_SYN);
		nf_tcp(S2, HOST_IP, (uint16_t)(4000 + i), 8080, TCP_F_ACK);
		natfake_clear();
	}
	assert_int_equal(host.nat.flows, NAT_MOST);
	nf_udp(A1, S1_IP, 9999, 9, 20);
	assert_int_equal(nf_count(S1), 1);
	assert_int_equal(natnet_forward_remove(&net_a, IP_TCP, 8080), 0);
}

/* Nor do datagrams of many senders at a forward, however old what the guest itself has is. */
static void test_datagrams_at_a_forward_make_way(void **state)
{
	(void)state;
	assert_int_equal(natnet_forward_add(&net_a, IP_UDP, 8080, IN_IP(10), 80), 0);
	for (uint16_t i = 0; i < NAT_MOST / 2; i++) {
		nf_udp(A1, S1_IP, (uint16_t)(2000 + i), 9, 20);
	}
	for (unsigned int i = 0; i < NAT_MOST; i++) {
		st[S2].ip = FAKE_IP(0x1000 + i);
		nf_udp(S2, HOST_IP, 4000, 8080, 20);
		natfake_clear();
	}
	assert_int_equal(host.nat.flows, NAT_MOST);
	assert_int_equal(net_a.realm.refused, 0);
	for (uint16_t i = 0; i < NAT_MOST / 2; i++) {
		nf_udp(A1, S1_IP, (uint16_t)(3000 + i), 9, 20);
	}
	assert_int_equal(nf_count(S1), NAT_MOST / 2);
	nf_udp(A1, S1_IP, 9999, 9, 20);
	assert_int_equal(nf_count(S1), 0);
	assert_int_equal(natnet_forward_remove(&net_a, IP_UDP, 8080), 0);
}

/* What has ended makes way; what is open does not. */
static void test_closed_connections_make_way(void **state)
{
	uint16_t port = open_tcp(A1, S1, 1999);

	(void)state;
	for (uint16_t i = 1; i < NAT_MOST; i++) {
		nf_tcp(A1, S1_IP, (uint16_t)(2000 + i), 80, TCP_SYN);
		nf_tcp(A1, S1_IP, (uint16_t)(2000 + i), 80, TCP_RST);
	}
	natfake_clear();
	for (uint16_t i = 0; i < 50; i++) {
		nf_tcp(A1, S1_IP, (uint16_t)(4000 + i), 80, TCP_SYN);
	}
	assert_int_equal(nf_count(S1), 50);
	assert_int_equal(host.nat.flows, NAT_MOST);
	assert_true(tcp_reaches(S1, port, A1, TCP_F_ACK));
}

static void test_all_together_are_bounded(void **state)
{
	(void)state;
	for (unsigned int g = A1; g <= B1; g++) {
		for (uint16_t i = 0; i < NAT_MOST; i++) {
			nf_udp(g, S1_IP, (uint16_t)(2000 + i), 9, 20);
		}
	}
	assert_int_equal(host.nat.flows, 3 * NAT_MOST);
	assert_int_equal(nf_count(S1), 3 * NAT_MOST);
}

static void test_nat_without_memory(void **state)
{
	(void)state;
	for (unsigned long n = 0; n < 3; n++) {
		fake_heap_limit = n;
		nf_udp(A1, S1_IP, 5000, 9, 20);
		fake_heap_limit = ~0ul;
		assert_int_equal(host.nat.flows, n == 2);
	}
	assert_int_equal(nf_count(S1), 1);
}

/* ---- waiting ---- */

static void test_room_is_passed_on_both_ways(void **state)
{
	uint16_t port = open_udp(A1, 5000);
	uint32_t len = fake_udp(nf_frame, GW, st[A1].mac, st[A1].ip, S1_IP, 5000, 9, 20);

	(void)state;
	st[S1].f.room = 0;
	assert_int_not_equal(fake_send(&st[A1].f, nf_frame, len), 0);
	st[S1].f.room = 10;
	netport_ready(&st[S1].f.p);
	assert_int_equal(st[A1].f.resumed, 1);
	assert_int_equal(fake_send(&st[A1].f, nf_frame, len), 0);
	assert_int_equal(nf_count(S1), 1);
	st[A1].f.room = 0;
	len = fake_udp(nf_frame, HOST, st[S1].mac, S1_IP, HOST_IP, 9, port, 20);
	assert_int_not_equal(fake_send(&st[S1].f, nf_frame, len), 0);
	st[A1].f.room = 10;
	netport_ready(&st[A1].f.p);
	assert_int_equal(st[S1].f.resumed, 1);
	assert_int_equal(fake_send(&st[S1].f, nf_frame, len), 0);
	assert_int_equal(nf_count(A1), 1);
}

/* ---- there and back is what it was ---- */

static uint64_t seed = 3;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)(seed >> 33) % below;
}

/* The server sends everything back: the guest gets its own packet, addresses swapped, damage and all. */
static void test_there_and_back_is_identity(void **state)
{
	static uint8_t back[2000], sent[2000];

	(void)state;
	for (int round = 0; round < 400; round++) {
		unsigned int kind = rnd(3), from = rnd(3);
		uint32_t size = rnd(1400), len;
		uint16_t sport = (uint16_t)(1 + rnd(65535)), dport = (uint16_t)(1 + rnd(65535));
		const struct fake_frame *g = &st[S1].f.got[0];
		bool damaged = rnd(4) == 0 && size > 0 && kind != 2;

		natfake_clear();
		len = kind == 0	  ? fake_udp(nf_frame, GW, st[from].mac, st[from].ip, S1_IP, sport,
					     dport, size)
		      : kind == 1 ? fake_tcp(nf_frame, GW, st[from].mac, st[from].ip, S1_IP, sport,
					     dport, TCP_SYN, 5, size)
				  : fake_icmp(nf_frame, GW, st[from].mac, st[from].ip, S1_IP,
					      ICMP_ECHO, 0, (uint32_t)sport << 16, sent, size);
		nf_frame[len - 1] ^= damaged;
		memcpy(sent, nf_frame, len);
		fake_send(&st[from].f, nf_frame, len);
		if (kind != 2 && dport == DHCP_SERVER_PORT) {
			continue;
		}
		assert_int_equal(st[S1].f.count, 1);
		assert_int_equal(fake_checksums_right(g->data, g->len), !damaged);
		memcpy(back, g->data, len);
		memcpy(back + ETH_DST, g->data + ETH_SRC, 6);
		memcpy(back + ETH_SRC, g->data + ETH_DST, 6);
		memcpy(back + 26, g->data + 30, 4);
		memcpy(back + 30, g->data + 26, 4);
		if (kind == 2) {
			back[34] = ICMP_ECHO_REPLY;
			fake_fix_checksums(back, len);
		} else {
			memcpy(back + 34, g->data + 36, 2);
			memcpy(back + 36, g->data + 34, 2);
		}
		fake_send(&st[S1].f, back, len);
		assert_int_equal(st[from].f.count, 1);
		g = &st[from].f.got[0];
		assert_int_equal(g->len, len);
		assert_int_equal(fake_checksums_right(g->data, len), !damaged);
		assert_int_equal(nf_dst(g->data), st[from].ip);
		assert_int_equal(nf_src(g->data), S1_IP);
		if (kind != 2) {
			assert_int_equal(nf_dport(g->data), sport);
			assert_int_equal(nf_sport(g->data), dport);
		}
		assert_memory_equal(g->data + 38, sent + 38, kind == 0 ? 2 : 0);
		assert_memory_equal(g->data + (kind == 1 ? 54 : 42), sent + (kind == 1 ? 54 : 42),
				    len - (kind == 1 ? 54 : 42));
		natfake_pass(round % 50 == 49 ? 300 : 0);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, natfake_setup, natfake_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_rfc4787_there_and_back),
		CASE(test_rfc4787_req1_endpoint_independent_mapping),
		CASE(test_rfc4787_req3_req4_ports),
		CASE(test_two_segments_with_the_same_addresses),
		CASE(test_rfc4787_req5_five_minutes),
		CASE(test_rfc4787_req5b_dns_is_shorter),
		CASE(test_rfc4787_req6_outbound_renews_inbound_does_not),
		CASE(test_rfc4787_req8_address_dependent_filtering),
		CASE(test_rfc4787_req9_hairpin_external_source),
		CASE(test_rfc4787_req12_icmp_error_ends_no_mapping),
		CASE(test_rfc4787_req13_too_long_and_not_to_be_cut),
		CASE(test_rfc4787_req14_fragments_out_of_order),
		CASE(test_udp_without_checksum_stays_without),
		CASE(test_rfc5382_req1_endpoint_independent_mapping),
		CASE(test_rfc5382_req2_simultaneous_open),
		CASE(test_rfc5382_req3_filtering),
		CASE(test_rfc5382_req4_unsolicited_syn_is_not_answered),
		CASE(test_rfc5382_req5_times),
		CASE(test_rfc5382_req5_closed),
		CASE(test_same_ports_again_after_closing),
		CASE(test_rfc5382_req8_hairpin),
		CASE(test_rfc5382_req10_icmp_error_ends_nothing),
		CASE(test_tcp_in_the_middle_of_nothing_is_reset),
		CASE(test_64_kib_segment_leaves_as_it_is),
		CASE(test_rfc5508_req1_queries),
		CASE(test_rfc5508_req2_sixty_seconds),
		CASE(test_rfc5508_req3_bad_errors),
		CASE(test_rfc5508_req4_errors_from_outside),
		CASE(test_rfc5508_req5_errors_from_inside),
		CASE(test_rfc5508_req3b_quoted_options),
		CASE(test_rfc5508_req6_error_renews_nothing),
		CASE(test_rfc5508_req7_hairpinned_error),
		CASE(test_rfc5508_req7_hairpin_query),
		CASE(test_echo_reply_of_zeros),
		CASE(test_rfc1812_time_to_live),
		CASE(test_what_must_not_leave),
		CASE(test_nobody_reaches_a_guest_unasked),
		CASE(test_forward),
		CASE(test_forward_starts_with_a_syn),
		CASE(test_one_guest_has_its_most_and_no_more),
		CASE(test_ten_thousand_connections),
		CASE(test_half_open_connections_make_way),
		CASE(test_blind_acks_keep_nobody_out),
		CASE(test_datagrams_at_a_forward_make_way),
		CASE(test_closed_connections_make_way),
		CASE(test_all_together_are_bounded),
		CASE(test_nat_without_memory),
		CASE(test_room_is_passed_on_both_ways),
		CASE(test_there_and_back_is_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + natnet_cases();
}
