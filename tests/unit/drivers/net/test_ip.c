/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPv4 address on a segment: ARP, fragments there and back, echo, resets, error messages. */
/* The other side is a port that remembers. */
/* TEST_SOURCES: drivers/net/ipif.c drivers/net/arp.c drivers/net/ipv4.c drivers/net/ipv4_frags.c */
/* TEST_SOURCES: drivers/net/icmp.c drivers/net/tcp.c drivers/net/netswitch.c drivers/net/netport.c */
/* TEST_SOURCES: drivers/net/netguard.c drivers/net/mactable.c hv/lib/ratelimit.c drivers/net/pcap.c */
/* TEST_SOURCES: drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c drivers/net/checksum.c */
/* TEST_SOURCES: hv/lib/string.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/drivers/net/netfake.c */
#include "drivers/net/icmp.h"
#include "drivers/net/ipif.h"
#include "fakes/fake_heap.h"
#include "tests/unit/drivers/net/netfake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND	1000000000ul
#define US	FAKE_MAC(100)
#define US_IP	FAKE_IP(100)
#define PEER	FAKE_MAC(1)
#define PEER_IP FAKE_IP(1)

static struct netswitch sw;
static struct ipif us;
static struct fake_port peer;
static uint8_t frame[NETPKT_LEN_MAX];
static unsigned int conflicts, inputs;
static uint8_t last_input[NETPKT_LEN_MAX];
static uint32_t last_input_len;

static bool input(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	inputs++;
	last_input_len = (uint32_t)netpkt_copy(pkt, 0, last_input, sizeof(last_input));
	if (f->dst == i->addr) {
		ipif_answer(i, pkt, f);
	}
	return true;
}

static void conflict(struct ipif *i, uint64_t mac)
{
	(void)i;
	assert_int_equal(mac, PEER);
	conflicts++;
}

static const struct ipif_ops ops = { .input = input, .conflict = conflict };

static int setup(void **state)
{
	(void)state;
	fake_time = SECOND;
	conflicts = inputs = 0;
	assert_int_equal(netswitch_init(&sw, "lan", 64), 0);
	ipif_init(&us, "gateway", US, &ops);
	ipif_set_address(&us, US_IP, 0xffffff00, FAKE_IP(1));
	fake_port_init(&peer, "peer", PEER);
	assert_int_equal(netswitch_attach(&sw, &us.port), 0);
	assert_int_equal(netswitch_attach(&sw, &peer.p), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	netswitch_detach(&us.port);
	netswitch_detach(&peer.p);
	netswitch_exit(&sw);
	ipif_exit(&us);
	fake_port_clear(&peer);
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

static void expect_arp(unsigned int n, uint16_t op, uint64_t dst, uint32_t spa, uint32_t tpa)
{
	const struct fake_frame *g = &peer.got[n];
	struct arp_msg m;

	assert_true(n < peer.count);
	assert_int_equal(wire_get16(g->data + ETH_TYPE), ETH_ARP);
	assert_true(arp_parse(g->data + ETH_LEN, g->len - ETH_LEN, &m));
	assert_int_equal(wire_get48(g->data + ETH_DST), dst);
	assert_int_equal(m.op, op);
	assert_int_equal(m.sha, US);
	assert_int_equal(m.spa, spa);
	assert_int_equal(m.tpa, tpa);
}

static void arp(uint16_t op, uint64_t sha, uint32_t spa, uint64_t tha, uint32_t tpa)
{
	fake_send(&peer, frame,
		  fake_arp(frame, op == ARP_REQUEST ? ETH_BROADCAST : tha, PEER, op, sha, spa, tha,
			   tpa));
}

/* ---- ARP ---- */

static void test_rfc826_request_is_answered(void **state)
{
	(void)state;
	arp(ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
	assert_int_equal(peer.count, 1);
	expect_arp(0, ARP_REPLY, PEER, US_IP, PEER_IP);
	arp(ARP_REQUEST, PEER, PEER_IP, 0, FAKE_IP(77)); /* another's */
	arp(ARP_REQUEST, PEER, 0, 0, US_IP);		 /* RFC 5227: a probe is answered */
	assert_int_equal(peer.count, 2);
	expect_arp(1, ARP_REPLY, PEER, US_IP, 0);
}

static void send_udp(uint32_t dst)
{
	uint8_t f[UDP_DATA + 10];

	memset(f, 0xcd, sizeof(f));
	ipv4_build_udp(f, US_IP, dst, 1, 2, 10);
	ipif_send_frame(&us, f, sizeof(f), fake_time, dst);
}

/* RFC 1122, 2.3.2.2: the packet that waits is sent when the answer comes. */
static void test_rfc1122_packet_waits_for_arp(void **state)
{
	(void)state;
	send_udp(PEER_IP);
	send_udp(PEER_IP); /* the latest is kept */
	assert_int_equal(peer.count, 1);
	expect_arp(0, ARP_REQUEST, ETH_BROADCAST, US_IP, PEER_IP);
	arp(ARP_REPLY, PEER, PEER_IP, US, US_IP);
	assert_int_equal(peer.count, 2);
	assert_int_equal(wire_get48(peer.got[1].data), PEER);
	assert_int_equal(wire_get48(peer.got[1].data + ETH_SRC), US);
	assert_true(fake_checksums_right(peer.got[1].data, peer.got[1].len));
	assert_int_equal(wire_get16(peer.got[1].data + ETH_LEN + IPV4_ID), 1);
	send_udp(PEER_IP);
	assert_int_equal(peer.count, 3);
}

/* RFC 1122, 2.3.2.1: no more than one request a second, and not for ever. */
static void test_rfc1122_arp_does_not_flood(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		send_udp(PEER_IP);
		ipif_tick(&us, fake_time);
	}
	assert_int_equal(peer.count, 1);
	for (int i = 0; i < 20; i++) {
		fake_time += SECOND;
		ipif_tick(&us, fake_time);
	}
	assert_int_equal(peer.count, ARP_TRIES);
	assert_int_equal(us.arp.pending, 0);
}

static void test_arp_entry_ages(void **state)
{
	(void)state;
	arp(ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
	send_udp(PEER_IP);
	assert_int_equal(peer.count, 2);
	fake_time += ARP_AGE;
	send_udp(PEER_IP);
	expect_arp(2, ARP_REQUEST, ETH_BROADCAST, US_IP, PEER_IP);
	arp(ARP_REPLY, PEER, PEER_IP, US, US_IP);
	assert_int_equal(peer.count, 4);
}

/* Nobody gets into the cache who did not ask for us and whom we did not ask for. */
static void test_arp_cache_is_not_filled_by_strangers(void **state)
{
	struct arp_cache *a = &us.arp;
	uint64_t mac;

	(void)state;
	for (uint32_t i = 2; i < 90; i++) {
		arp(ARP_REPLY, PEER, FAKE_IP(i), US, US_IP + 1);
		arp(ARP_REQUEST, PEER, FAKE_IP(i), 0, FAKE_IP(200));
		arp(ARP_REQUEST, PEER, 0x0b000000 + i, 0, US_IP); /* not of this segment */
		arp(ARP_REQUEST, ETH_BROADCAST, FAKE_IP(i), 0, US_IP);
	}
	for (unsigned int i = 0; i < ARP_ENTRIES; i++) {
		assert_int_equal(a->entry[i].ip, 0);
	}
	for (uint32_t i = 2; i < 90; i++) { /* and it is bounded */
		arp(ARP_REQUEST, PEER, FAKE_IP(i), 0, US_IP);
		fake_time++;
	}
	assert_int_equal(arp_lookup(a, FAKE_IP(89), fake_time, &mac), ARP_KNOWN);
	assert_int_equal(mac, PEER);
}

static void test_arp_pending_packets_are_bounded(void **state)
{
	(void)state;
	for (uint32_t i = 2; i < 60; i++) {
		send_udp(FAKE_IP(i));
	}
	assert_int_equal(us.arp.pending, ARP_PENDING);
	assert_int_equal(fake_heap_live, ARP_PENDING + 1); /* and the switch's table */
}

static void test_arp_malformed(void **state)
{
	(void)state;
	for (uint32_t len = ETH_LEN; len < ETH_LEN + ARP_LEN; len++) {
		fake_arp(frame, US, PEER, ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
		fake_send(&peer, frame, len);
	}
	for (uint32_t field = 0; field < ARP_OP; field++) {
		fake_arp(frame, US, PEER, ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
		frame[ETH_LEN + field] ^= 0x40;
		fake_send(&peer, frame, 60);
	}
	assert_int_equal(peer.count, 0);
}

static void test_rfc5227_conflict_is_noticed_and_address_announced(void **state)
{
	(void)state;
	arp(ARP_REQUEST, PEER, US_IP, 0, US_IP);
	assert_int_equal(conflicts, 1);
	assert_int_equal(peer.count, 0);
	ipif_announce(&us, fake_time);
	expect_arp(0, ARP_REQUEST, ETH_BROADCAST, US_IP, US_IP);
}

/* ---- the way of a packet ---- */

static void test_far_addresses_go_to_the_router(void **state)
{
	(void)state;
	send_udp(0x08080808);
	expect_arp(0, ARP_REQUEST, ETH_BROADCAST, US_IP, FAKE_IP(1));
	arp(ARP_REPLY, PEER, PEER_IP, US, US_IP);
	assert_int_equal(wire_get32(peer.got[1].data + ETH_LEN + IPV4_DST), 0x08080808);
	ipif_set_address(&us, US_IP, 0xffffff00, 0);
	send_udp(0x08080808);
	assert_int_equal(us.unreachable, 1);
	send_udp(FAKE_IP(255));
	send_udp(IPV4_BROADCAST);
	assert_int_equal(peer.count, 4);
	assert_int_equal(wire_get48(peer.got[3].data), ETH_BROADCAST);
}

static void test_what_is_not_for_us_is_left_alone(void **state)
{
	uint32_t len = fake_udp(frame, US, PEER, PEER_IP, US_IP, 1, 2, 20);

	(void)state;
	fake_send(&peer, frame, len);
	assert_int_equal(inputs, 1);
	wire_put48(frame, FAKE_MAC(50)); /* flooded, for another */
	fake_send(&peer, frame, len);
	wire_put48(frame, US);
	frame[ETH_LEN + IPV4_SUM] ^= 1; /* RFC 1122, 3.2.1.2 */
	fake_send(&peer, frame, len);
	frame[ETH_LEN + IPV4_SUM] ^= 1;
	wire_put16(frame + ETH_TYPE, ETH_IPV6);
	fake_send(&peer, frame, len);
	assert_int_equal(inputs, 1);
}

/* ---- echo, resets ---- */

static void expect_echo(uint32_t size)
{
	static uint8_t data[60000];
	uint32_t len, at = 0;

	arp(ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
	fake_port_clear(&peer);
	for (uint32_t i = 0; i < size; i++) {
		data[i] = (uint8_t)(i * 13 + (i >> 8));
	}
	peer.p.max_len = NETPKT_LEN_MAX;
	us.port.max_len = NETPKT_LEN_MAX;
	len = fake_icmp(frame, US, PEER, PEER_IP, US_IP, ICMP_ECHO, 0, 0x12340001, data, size);
	fake_send(&peer, frame, len);
	assert_int_equal(peer.count, 1);
	at = ETH_LEN + IPV4_LEN;
	assert_int_equal(peer.got[0].len, len);
	assert_true(fake_checksums_right(peer.got[0].data, len));
	assert_int_equal(peer.got[0].data[at], ICMP_ECHO_REPLY);
	assert_int_equal(wire_get32(peer.got[0].data + at + ICMP_REST), 0x12340001);
	assert_memory_equal(peer.got[0].data + at + ICMP_LEN, data, size);
	assert_int_equal(wire_get32(peer.got[0].data + ETH_LEN + IPV4_SRC), US_IP);
	assert_int_equal(wire_get32(peer.got[0].data + ETH_LEN + IPV4_DST), PEER_IP);
	fake_port_clear(&peer);
}

static void test_rfc1122_echo_comes_back_whole(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 56, 1472, 8000, 60000 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		expect_echo(sizes[i]);
	}
}

static void test_echo_damaged_or_to_a_group_is_not_answered(void **state)
{
	uint32_t len = fake_icmp(frame, US, PEER, PEER_IP, US_IP, ICMP_ECHO, 0, 1, "abcd", 4);

	(void)state;
	arp(ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
	fake_port_clear(&peer);
	len = fake_icmp(frame, US, PEER, PEER_IP, US_IP, ICMP_ECHO, 0, 1, "abcd", 4);
	frame[len - 1] ^= 1;
	fake_send(&peer, frame, len);
	len = fake_icmp(frame, ETH_BROADCAST, PEER, PEER_IP, FAKE_IP(255), ICMP_ECHO, 0, 1, "", 0);
	fake_send(&peer, frame, len);
	len = fake_icmp(frame, US, PEER, PEER_IP, US_IP, ICMP_ECHO_REPLY, 0, 1, "", 0);
	fake_send(&peer, frame, len);
	assert_int_equal(peer.count, 0);
}

static void test_rfc9293_closed_port_resets(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t data;
		bool answer;
		uint8_t re_flags;
		uint32_t seq, ack;
	} rows[] = {
		{ TCP_SYN, 0, true, TCP_RST | TCP_F_ACK, 0, 1001 },
		{ TCP_SYN | TCP_FIN, 10, true, TCP_RST | TCP_F_ACK, 0, 1012 },
		{ TCP_F_ACK, 5, true, TCP_RST, 7777, 0 },
		{ TCP_RST, 0, false, 0, 0, 0 },
		{ TCP_RST | TCP_F_ACK, 0, false, 0, 0, 0 },
	};

	(void)state;
	arp(ARP_REQUEST, PEER, PEER_IP, 0, US_IP);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t len = fake_tcp(frame, US, PEER, PEER_IP, US_IP, 5, 6, rows[i].flags, 1000,
					rows[i].data);
		const uint8_t *tcp;

		wire_put32(frame + 34 + TCP_ACK, 7777);
		fake_fix_checksums(frame, len);
		fake_port_clear(&peer);
		fake_send(&peer, frame, len);
		assert_int_equal(peer.count, rows[i].answer);
		if (!rows[i].answer) {
			continue;
		}
		tcp = peer.got[0].data + 34;
		assert_true(fake_checksums_right(peer.got[0].data, peer.got[0].len));
		assert_int_equal(tcp[TCP_FLAGS], rows[i].re_flags);
		assert_int_equal(wire_get32(tcp + TCP_SEQ), rows[i].seq);
		assert_int_equal(wire_get32(tcp + TCP_ACK), rows[i].ack);
		assert_int_equal(wire_get16(tcp + TCP_SPORT), 6);
		assert_int_equal(wire_get16(tcp + TCP_DPORT), 5);
	}
}

/* RFC 1122, 3.2.2: which packets no error message is sent about; and what one looks like. */
static void test_rfc1122_error_messages(void **state)
{
	static const struct {
		const char *what;
		uint32_t src, dst;
		uint64_t mac;
		int icmp; /* type, or -1: UDP */
		uint16_t frag;
		bool sent;
	} rows[] = {
		{ "UDP", PEER_IP, 0x08080808, US, -1, 0, true },
		{ "first fragment", PEER_IP, 0x08080808, US, -1, IPV4_MF, true },
		{ "later fragment", PEER_IP, 0x08080808, US, -1, 5, false },
		{ "echo", PEER_IP, 0x08080808, US, ICMP_ECHO, 0, true },
		{ "an error", PEER_IP, 0x08080808, US, ICMP_UNREACHABLE, 0, false },
		{ "a redirect", PEER_IP, 0x08080808, US, ICMP_REDIRECT, 0, false },
		{ "broadcast frame", PEER_IP, 0x08080808, ETH_BROADCAST, -1, 0, false },
		{ "multicast", PEER_IP, 0xe0000001, US, -1, 0, false },
		{ "broadcast", PEER_IP, IPV4_BROADCAST, US, -1, 0, false },
		{ "no source", 0, 0x08080808, US, -1, 0, false },
		{ "loopback source", 0x7f000001, 0x08080808, US, -1, 0, false },
		{ "multicast source", 0xe0000001, 0x08080808, US, -1, 0, false },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t out[ICMP_ERROR_MAX];
		struct netseg seg[2];
		struct netpkt pkt;
		struct frame f;
		uint32_t len;

		len = rows[i].icmp < 0
			      ? fake_udp(frame, rows[i].mac, PEER, rows[i].src, rows[i].dst, 1, 2,
					 300)
			      : fake_icmp(frame, rows[i].mac, PEER, rows[i].src, rows[i].dst,
					  (uint8_t)rows[i].icmp, 0, 0, last_input, 300);
		wire_put16(frame + ETH_LEN + IPV4_FRAG, rows[i].frag);
		pkt = ipv4_packet(frame, len, 0, seg);
		assert_true(frame_parse(&pkt, &f));
		len = icmp_build_error(out, &pkt, &f, US_IP, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED,
				       1400);
		if ((len != 0) != rows[i].sent) {
			fail_msg("%s", rows[i].what);
		}
		if (len != 0) {
			assert_true(fake_checksums_right(out, len));
			assert_int_equal(wire_get16(out + 34 + 6), 1400);
			assert_memory_equal(out + 42, frame + ETH_LEN, len - 42);
			assert_true(len - 42 >= IPV4_LEN + ICMP_QUOTE);
		}
	}
}

/* ---- fragments ---- */

static uint64_t seed = 7;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)(seed >> 33) % below;
}

static struct {
	uint8_t *data[128];
	uint32_t len[128];
	unsigned int count;
} cut;

static bool collect(void *arg, const struct netpkt *pkt)
{
	(void)arg;
	cut.data[cut.count] = malloc(pkt->len);
	cut.len[cut.count] = pkt->len;
	netpkt_copy(pkt, 0, cut.data[cut.count++], pkt->len);
	return true;
}

static void free_cut(void)
{
	for (unsigned int i = 0; i < cut.count; i++) {
		free(cut.data[i]);
	}
	cut.count = 0;
}

static void shuffle(void)
{
	for (unsigned int i = cut.count; i > 1; i--) {
		unsigned int j = rnd(i);
		uint8_t *data = cut.data[i - 1];
		uint32_t len = cut.len[i - 1];

		cut.data[i - 1] = cut.data[j];
		cut.len[i - 1] = cut.len[j];
		cut.data[j] = data;
		cut.len[j] = len;
	}
}

/* RFC 4787, REQ-14: in any order, with duplicates: what was cut comes in as it was. */
static void test_fragments_in_any_order_join(void **state)
{
	static uint8_t whole[NETPKT_LEN_MAX];

	(void)state;
	for (int round = 0; round < 60; round++) {
		uint32_t len = fake_udp(whole, US, PEER, PEER_IP, US_IP, 7, 8,
					1500 + rnd(round % 8 == 0 ? 60000 : 4000));

		wire_put16(whole + ETH_LEN + IPV4_ID, (uint16_t)round);
		fake_fix_checksums(whole, len);
		assert_true(ipv4_fragment(whole, len, 1514 - rnd(400), 0, collect, NULL));
		assert_true(cut.count >= 2);
		shuffle();
		inputs = 0;
		for (unsigned int i = 0; i < cut.count; i++) {
			assert_true(cut.len[i] <= 1514);
			assert_true(fake_checksums_right(cut.data[i], cut.len[i]));
			assert_int_equal(inputs, 0);
			fake_send(&peer, cut.data[i], cut.len[i]);
			if (i + 1 < cut.count && rnd(3) == 0) {
				fake_send(&peer, cut.data[i], cut.len[i]);
			}
		}
		free_cut();
		assert_int_equal(inputs, 1);
		assert_int_equal(last_input_len, len);
		assert_memory_equal(last_input, whole, len);
	}
	assert_int_equal(us.frags.dropped, 0);
}

/* RFC 791: a fragment that is cut again is still a fragment of the same. */
static void test_fragments_of_fragments(void **state)
{
	static uint8_t whole[NETPKT_LEN_MAX];
	uint32_t len = fake_udp(whole, US, PEER, PEER_IP, US_IP, 7, 8, 5000), first;
	uint8_t *data[8];
	uint32_t lens[8];

	(void)state;
	ipv4_fragment(whole, len, 2000, 0, collect, NULL);
	first = cut.count;
	for (unsigned int i = 0; i < first; i++) {
		data[i] = cut.data[i];
		lens[i] = cut.len[i];
	}
	cut.count = 0;
	for (unsigned int i = 0; i < first; i++) {
		ipv4_fragment(data[i], lens[i], 700, 0, collect, NULL);
		free(data[i]);
	}
	for (unsigned int i = 0; i < cut.count; i++) {
		fake_send(&peer, cut.data[i], cut.len[i]);
	}
	free_cut();
	assert_int_equal(inputs, 1);
	assert_memory_equal(last_input, whole, len);
}

static void fragment(uint16_t id, uint32_t src, uint32_t off, uint32_t size, bool more)
{
	fake_eth(frame, US, PEER, ETH_IPV4);
	fake_ipv4(frame, src, US_IP, IP_UDP, size);
	memset(frame + 34, (int)off, size);
	wire_put16(frame + ETH_LEN + IPV4_ID, id);
	wire_put16(frame + ETH_LEN + IPV4_FRAG, (uint16_t)(off / 8 | (more ? IPV4_MF : 0)));
	fake_fix_checksums(frame, 34 + size);
	fake_send(&peer, frame, 34 + size);
}

static void test_fragments_that_do_not_fit_together(void **state)
{
	static const struct {
		const char *what;
		struct {
			uint32_t off, size;
			bool more;
		} piece[4];
		unsigned int inputs, dropped;
	} rows[] = {
		{ "as they should be", { { 0, 64, true }, { 64, 10, false } }, 1, 0 },
		{ "duplicate", { { 0, 64, true }, { 0, 64, true }, { 64, 10, false } }, 1, 0 },
		{ "overlap behind", { { 0, 64, true }, { 56, 18, false } }, 0, 1 },
		{ "overlap before", { { 64, 64, true }, { 0, 72, true } }, 0, 1 },
		{ "one within another", { { 0, 64, true }, { 8, 8, true } }, 0, 1 },
		{ "tiny first, rewritten", { { 0, 8, true }, { 0, 64, true } }, 0, 1 },
		{ "odd length in the middle", { { 0, 63, true } }, 0, 1 },
		{ "two ends", { { 64, 8, false }, { 128, 8, false } }, 0, 1 },
		{ "behind the end", { { 64, 8, false }, { 128, 8, true } }, 0, 1 },
		{ "end before what was there", { { 128, 8, true }, { 64, 8, false } }, 0, 1 },
		{ "longer than a packet (ping of death)", { { 65528, 16, false } }, 0, 1 },
		{ "empty", { { 64, 0, true } }, 0, 1 },
		{ "missing", { { 0, 64, true }, { 128, 8, false } }, 0, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		us.frags.dropped = 0;
		inputs = 0;
		for (unsigned int k = 0; k < 4; k++) {
			if (k == 0 || rows[i].piece[k].more || rows[i].piece[k].size != 0) {
				fragment((uint16_t)i, PEER_IP, rows[i].piece[k].off,
					 rows[i].piece[k].size, rows[i].piece[k].more);
			}
		}
		if (inputs != rows[i].inputs || us.frags.dropped != rows[i].dropped) {
			fail_msg("%s: %u inputs, %lu dropped", rows[i].what, inputs,
				 us.frags.dropped);
		}
		ipv4_frags_clear(&us.frags);
	}
}

static void test_fragments_are_bounded(void **state)
{
	(void)state;
	fragment(1, PEER_IP, 0, 64, true);
	fragment(2, PEER_IP, 0, 64, true);
	fragment(3, PEER_IP, 0, 64, true); /* a third of the same source */
	assert_int_equal(us.frags.dropped, 1);
	for (uint32_t i = 2; i < 40; i++) {
		fragment(1, FAKE_IP(i), 0, 64, true);
	}
	assert_int_equal(fake_heap_live, IPV4_DATAGRAMS + 1);
	fake_time += IPV4_FRAG_TIME - 1;
	ipif_tick(&us, fake_time);
	assert_int_equal(fake_heap_live, IPV4_DATAGRAMS + 1);
	fake_time += 1;
	ipif_tick(&us, fake_time);
	assert_int_equal(fake_heap_live, 1);
	for (uint32_t i = 0; i < IPV4_FRAGS_MAX + 1; i++) { /* many tiny pieces */
		fragment(9, PEER_IP, 16 * i, 8, true);
	}
	assert_int_equal(fake_heap_live, 1);
	assert_int_equal(inputs, 0);
}

static void test_fragments_without_memory(void **state)
{
	(void)state;
	fake_heap_limit = 0;
	fragment(1, PEER_IP, 0, 64, true);
	fake_heap_limit = 1;
	fragment(2, PEER_IP, 0, 64, true);
	fragment(2, PEER_IP, 32000, 64, true); /* which needs a larger buffer */
	fake_heap_limit = ~0ul;
	assert_int_equal(us.frags.dropped, 2);
	assert_int_equal(fake_heap_live, 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_rfc826_request_is_answered),
		CASE(test_rfc1122_packet_waits_for_arp),
		CASE(test_rfc1122_arp_does_not_flood),
		CASE(test_arp_entry_ages),
		CASE(test_arp_cache_is_not_filled_by_strangers),
		CASE(test_arp_pending_packets_are_bounded),
		CASE(test_arp_malformed),
		CASE(test_rfc5227_conflict_is_noticed_and_address_announced),
		CASE(test_far_addresses_go_to_the_router),
		CASE(test_what_is_not_for_us_is_left_alone),
		CASE(test_rfc1122_echo_comes_back_whole),
		CASE(test_echo_damaged_or_to_a_group_is_not_answered),
		CASE(test_rfc9293_closed_port_resets),
		CASE(test_rfc1122_error_messages),
		CASE(test_fragments_in_any_order_join),
		CASE(test_fragments_of_fragments),
		CASE(test_fragments_that_do_not_fit_together),
		CASE(test_fragments_are_bounded),
		CASE(test_fragments_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
