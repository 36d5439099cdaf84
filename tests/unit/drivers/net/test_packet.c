/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums, software segmentation and packets as a whole, against plain loops over the same bytes. */
/* Random cases come from a fixed seed. */
/* TEST_SOURCES: drivers/net/checksum.c drivers/net/frame.c drivers/net/gso.c drivers/net/netpkt.c */
#include "drivers/net/checksum.h"
#include "drivers/net/frame.h"
#include "drivers/net/gso.h"
#include "drivers/net/netpkt.h"
#include "drivers/net/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 2000

static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)(seed >> 33) % below;
}

static void fill(uint8_t *p, size_t len)
{
	while (len-- > 0) {
		*p++ = (uint8_t)rnd(256);
	}
}

/* RFC 1071, "Computing the Internet Checksum", as it is written there. */
static uint16_t plain_sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* 0 and 0xffff are the same number in one's complement. */
static bool same_sum(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

/* Any pieces, any alignment: the sum of all bytes. */
static void test_checksum_in_pieces(void **state)
{
	uint8_t buf[300];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct checksum c = { 0 };
		size_t off = rnd(9), len = rnd(sizeof(buf) - 8), at = 0;

		fill(buf, sizeof(buf));
		if (round % 5 == 0) {
			memset(buf, 0xff, sizeof(buf));
		}
		while (at < len) {
			size_t n = u64_min(len - at, rnd(40));

			checksum_add(&c, buf + off + at, n);
			at += n;
		}
		assert_true(same_sum(checksum_fold(&c), plain_sum(buf + off, len, 0)));
		assert_true(same_sum(checksum_bytes(buf + off, len), plain_sum(buf + off, len, 0)));
	}
}

/* RFC 1071, "Numerical Examples" */
static void test_checksum_rfc1071_example(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(checksum_bytes(bytes, sizeof(bytes)), 0xddf2);
}

/* RFC 1624, "Examples": where equation 2 fails, equation 3 gives 0x0000. */
static void test_checksum_rfc1624_example(void **state)
{
	(void)state;
	assert_int_equal(checksum_mend16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

static void test_checksum_mended_is_computed_anew(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		uint16_t field, word = (uint16_t)(rnd(4) == 0 ? 0 : rnd(0x10000));
		uint32_t at = 2 * rnd(30), was, is = rnd(0x80000000) * 2 + rnd(2);

		fill(buf, sizeof(buf));
		field = checksum_field(checksum_bytes(buf, sizeof(buf)));
		field = checksum_mend16(field, wire_get16(buf + at), word);
		wire_put16(buf + at, word);
		assert_true(same_sum(field, (uint16_t)~plain_sum(buf, sizeof(buf), 0)));
		was = wire_get32(buf + at);
		field = checksum_mend32(field, was, is);
		wire_put32(buf + at, is);
		assert_true(same_sum(field, (uint16_t)~plain_sum(buf, sizeof(buf), 0)));
	}
}

/* ---- packets ---- */

static struct netseg segs[NETPKT_SEGS_MAX];

/* Head, then pieces of random length. */
static struct netpkt packet(const uint8_t *frame, uint32_t len)
{
	struct netpkt pkt = { .seg = segs, .len = len, .segs = 1, .time = 5 };
	uint32_t at = (uint32_t)u64_min(len, NETPKT_HEAD);

	segs[0] = (struct netseg){ frame, at };
	while (at < len) {
		bool last = pkt.segs == NETPKT_SEGS_MAX - 2;
		uint32_t n = last ? len - at : (uint32_t)u64_min(len - at, 1 + rnd(len / 8 + 1));

		segs[pkt.segs++] = (struct netseg){ frame + at, n };
		at += n;
	}
	return pkt;
}

static void test_copy_and_checksum_any_part(void **state)
{
	uint8_t frame[2000], out[2000];

	(void)state;
	fill(frame, sizeof(frame));
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t len = 14 + rnd(1900), off = rnd(len + 10), want = rnd(len + 10);
		struct netpkt pkt = packet(frame, len);
		size_t n = off < len ? u64_min(want, len - off) : 0;

		assert_int_equal(netpkt_copy(&pkt, off, out, want), n);
		assert_memory_equal(out, frame + off, n);
		if (off < len) {
			assert_true(same_sum(checksum_packet(&pkt, off),
					     plain_sum(frame + off, len - off, 0)));
		}
	}
}

/* A TCP frame with options, IPv4 or IPv6; returns its length. Checksum: the pseudo header's sum. */
static uint32_t build_tcp(uint8_t *f, bool six, uint32_t options, uint32_t payload,
			  struct netpkt *pkt)
{
	uint32_t l4 = ETH_LEN + (six ? (uint32_t)IPV6_LEN : (uint32_t)IPV4_LEN);
	uint32_t l4_len = TCP_LEN + options + payload, len = l4 + l4_len;
	uint8_t *ip = f + ETH_LEN;

	fill(f, len);
	f[ETH_SRC] &= 0xfe;
	wire_put16(f + ETH_TYPE, six ? ETH_IPV6 : ETH_IPV4);
	if (six) {
		ip[0] = 0x60;
		wire_put16(ip + IPV6_PAYLOAD, (uint16_t)l4_len);
		ip[IPV6_NEXT] = IP_TCP;
	} else {
		ip[IPV4_VIHL] = 0x45;
		wire_put16(ip + IPV4_TOTAL, (uint16_t)(IPV4_LEN + l4_len));
		wire_put16(ip + IPV4_FRAG, IPV4_DF);
		ip[IPV4_PROTO] = IP_TCP;
		wire_put16(ip + IPV4_SUM, 0);
		wire_put16(ip + IPV4_SUM, (uint16_t)~plain_sum(ip, IPV4_LEN, 0));
	}
	f[l4 + TCP_OFFSET] = (uint8_t)((TCP_LEN + options) / 4 << 4);
	f[l4 + TCP_FLAGS] = TCP_F_ACK | TCP_PSH | TCP_FIN | TCP_CWR;
	wire_put16(f + l4 + TCP_SUM, plain_sum(ip + (six ? (int)IPV6_SRC : (int)IPV4_SRC),
					       six ? 32 : 8, IP_TCP + l4_len));
	*pkt = packet(f, len);
	pkt->flags = NETPKT_CSUM_PARTIAL | NETPKT_ECN;
	pkt->csum_start = (uint16_t)l4;
	pkt->csum_offset = TCP_SUM;
	return len;
}

/* Puts the segments together again and checks each on its way. */
static struct joined {
	uint8_t frame[NETPKT_LEN_MAX];
	const uint8_t *whole; /* the packet as it was */
	uint32_t l4, hdr_len, at, count, expect;
	bool six, partial;
	uint32_t refuse; /* segment that is not taken */
} joined;

static uint16_t pseudo(const uint8_t *f, uint32_t len)
{
	return plain_sum(f + ETH_LEN + (joined.six ? (int)IPV6_SRC : (int)IPV4_SRC),
			 joined.six ? 32 : 8, IP_TCP + len);
}

static void check_headers(const uint8_t *f, uint32_t len, bool first, bool last)
{
	const uint8_t *ip = f + ETH_LEN, *tcp = f + joined.l4, *whole = joined.whole;
	uint16_t id = (uint16_t)(wire_get16(whole + ETH_LEN + IPV4_ID) + joined.count);

	assert_memory_equal(f, whole, ETH_LEN);
	if (joined.six) {
		assert_int_equal(wire_get16(ip + IPV6_PAYLOAD), len - ETH_LEN - IPV6_LEN);
	} else {
		assert_int_equal(wire_get16(ip + IPV4_TOTAL), len - ETH_LEN);
		assert_int_equal(wire_get16(ip + IPV4_ID), id);
		assert_int_equal(plain_sum(ip, IPV4_LEN, 0), 0xffff);
	}
	assert_int_equal(wire_get32(tcp + TCP_SEQ),
			 wire_get32(whole + joined.l4 + TCP_SEQ) + joined.at);
	assert_int_equal(tcp[TCP_FLAGS],
			 TCP_F_ACK | (last ? TCP_PSH | TCP_FIN : 0) | (first ? TCP_CWR : 0));
	assert_memory_equal(tcp + TCP_LEN, whole + joined.l4 + TCP_LEN,
			    joined.hdr_len - joined.l4 - TCP_LEN);
}

static bool join(void *arg, const struct netpkt *pkt)
{
	static uint8_t f[NETPKT_LEN_MAX];
	uint32_t l4_len = pkt->len - joined.l4;
	uint8_t cut = joined.count > 0 ? NETPKT_CUT : 0;

	(void)arg;
	if (joined.count == joined.refuse) {
		return false;
	}
	assert_int_equal(netpkt_copy(pkt, 0, f, sizeof(f)), pkt->len);
	assert_true(pkt->segs <= NETPKT_SEGS_MAX);
	assert_int_equal(pkt->more, joined.expect - joined.count - 1);
	assert_int_equal(pkt->time, 5);
	check_headers(f, pkt->len, joined.count == 0, pkt->more == 0);
	if (joined.partial) {
		assert_int_equal(pkt->flags, NETPKT_CSUM_PARTIAL | cut);
		assert_int_equal(wire_get16(f + joined.l4 + TCP_SUM), pseudo(f, l4_len));
	} else {
		assert_int_equal(pkt->flags, NETPKT_CSUM_VALID | cut);
		assert_int_equal(plain_sum(f + joined.l4, l4_len, pseudo(f, l4_len)), 0xffff);
	}
	memcpy(joined.frame + joined.hdr_len + joined.at, f + joined.hdr_len,
	       pkt->len - joined.hdr_len);
	joined.at += pkt->len - joined.hdr_len;
	joined.count++;
	return true;
}

static void expect_segments(bool six, bool partial, uint32_t options, uint32_t payload)
{
	static uint8_t f[NETPKT_LEN_MAX];
	struct netpkt pkt;
	uint32_t len = build_tcp(f, six, options, payload, &pkt);

	pkt.gso = six ? NETPKT_GSO_TCP6 : NETPKT_GSO_TCP4;
	pkt.gso_size = (uint16_t)(NETPKT_GSO_MIN + rnd(3000));
	assert_true(netpkt_is_sane(&pkt));
	joined.l4 = pkt.csum_start;
	joined.hdr_len = pkt.csum_start + TCP_LEN + options;
	joined.at = joined.count = 0;
	joined.expect = (payload + pkt.gso_size - 1) / pkt.gso_size;
	joined.six = six;
	joined.partial = partial;
	joined.whole = f;
	joined.refuse = ~0u;
	assert_int_equal(netpkt_wire_len(&pkt), len + (joined.expect - 1) * joined.hdr_len);
	assert_true(gso_emit(&pkt, partial ? NETPORT_CSUM : 0, join, NULL));
	assert_int_equal(joined.count, joined.expect);
	assert_int_equal(joined.at, payload);
	assert_memory_equal(joined.frame + joined.hdr_len, f + joined.hdr_len, payload);
}

/* Cutting and putting together again gives the payload, for any lengths. */
static void test_segments_join_to_what_was_cut(void **state)
{
	(void)state;
	for (int round = 0; round < 150; round++) {
		uint32_t options = 4 * rnd(11), most = round % 10 == 0 ? 65000 : 6000;

		expect_segments(rnd(2), rnd(2), options, 1 + rnd(most));
	}
	expect_segments(false, false, 0, 65535 - IPV4_LEN - TCP_LEN);
	expect_segments(true, false, 40, 65535 - TCP_LEN - 40);
}

static void test_segments_end_where_they_are_refused(void **state)
{
	uint8_t f[4000];
	struct netpkt pkt;

	(void)state;
	build_tcp(f, false, 0, 3000, &pkt);
	pkt.gso = NETPKT_GSO_TCP4;
	pkt.gso_size = 1000;
	joined = (struct joined){ .l4 = 34, .hdr_len = 54, .expect = 3, .whole = f, .refuse = 2 };
	assert_false(gso_emit(&pkt, 0, join, NULL));
	assert_int_equal(joined.count, 2);
}

static bool keep(void *arg, const struct netpkt *pkt)
{
	*(struct netpkt *)arg = *pkt;
	netpkt_copy(pkt, 0, joined.frame, sizeof(joined.frame));
	return true;
}

static void test_offload_taken_means_packet_as_it_is(void **state)
{
	static const struct {
		uint32_t offload;
		uint8_t gso;
		bool same;
	} rows[] = {
		{ NETPORT_CSUM | NETPORT_TCP4, NETPKT_GSO_TCP4, true },
		{ NETPORT_CSUM | NETPORT_TCP6, NETPKT_GSO_TCP4, false },
		{ NETPORT_CSUM | NETPORT_TCP6, NETPKT_GSO_TCP6, true },
		{ NETPORT_TCP4 | NETPORT_TCP6, NETPKT_GSO_TCP4, false },
		{ NETPORT_CSUM, NETPKT_GSO_NONE, true },
		{ 0, NETPKT_GSO_NONE, false },
	};
	uint8_t f[3000];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct netpkt pkt, out;

		build_tcp(f, rows[i].gso == NETPKT_GSO_TCP6, 12, 2000, &pkt);
		pkt.gso = rows[i].gso;
		pkt.gso_size = 1400;
		assert_true(gso_emit(&pkt, rows[i].offload, keep, &out));
		assert_int_equal(out.seg == pkt.seg, rows[i].same);
	}
}

static void test_partial_checksum_is_completed(void **state)
{
	uint8_t f[3000];

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct netpkt pkt, out;
		uint32_t len = build_tcp(f, round % 2, 4 * rnd(11), rnd(1400), &pkt);

		joined.six = round % 2;
		assert_true(netpkt_is_sane(&pkt));
		assert_true(gso_emit(&pkt, 0, keep, &out));
		assert_int_equal(out.flags & (NETPKT_CSUM_PARTIAL | NETPKT_CSUM_VALID),
				 NETPKT_CSUM_VALID);
		assert_int_equal(out.len, len);
		len -= pkt.csum_start;
		assert_int_equal(
			plain_sum(joined.frame + pkt.csum_start, len, pseudo(joined.frame, len)),
			0xffff);
	}
}

/* Where the sum is such that the field becomes 0: that stays, but in UDP, where 0 means that there is none. */
static void test_checksum_of_zero(void **state)
{
	uint8_t f[200], *word;
	struct netpkt pkt, out;
	uint32_t len = build_tcp(f, false, 0, 100, &pkt), w = 0;

	(void)state;
	joined.six = false;
	word = f + len - 2;
	do {
		wire_put16(word, (uint16_t)w);
	} while (plain_sum(f + pkt.csum_start, len - pkt.csum_start, 0) != 0xffff && w++ < 0xffff);
	assert_true(gso_emit(&pkt, 0, keep, &out));
	assert_int_equal(wire_get16(joined.frame + pkt.csum_start + TCP_SUM), 0);
	assert_int_equal(checksum_partial_field(0xffff, UDP_SUM), 0xffff);
	assert_int_equal(checksum_partial_field(0x1234, UDP_SUM), 0xedcb);
}

/* What a guest can write into its header, and must not get through with. */
static void test_offload_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *what;
		int start, offset, size, gso, flags; /* -1: as it should be */
		uint32_t at;
		int byte; /* -1: none */
	} rows[] = {
		{ "as it should be", -1, -1, -1, -1, -1, 0, -1 },
		{ "no checksum wanted", -1, -1, -1, -1, 0, 0, -1 },
		{ "an unknown kind", -1, -1, -1, 3, -1, 0, -1 },
		{ "IPv6 said, IPv4 sent", -1, -1, -1, NETPKT_GSO_TCP6, -1, 0, -1 },
		{ "segments of nothing", -1, -1, 0, -1, -1, 0, -1 },
		{ "segments too short", -1, -1, NETPKT_GSO_MIN - 1, -1, -1, 0, -1 },
		{ "checksum of the Ethernet header", 0, -1, -1, -1, -1, 0, -1 },
		{ "checksum not where TCP begins", 38, -1, -1, -1, -1, 0, -1 },
		{ "field not TCP's", -1, 6, -1, -1, -1, 0, -1 },
		{ "field behind the head", -1, 0xffff, -1, -1, -1, 0, -1 },
		{ "start behind the head", 0xffff, -1, -1, -1, -1, 0, -1 },
		{ "not TCP", -1, -1, -1, -1, -1, ETH_LEN + IPV4_PROTO, IP_UDP },
		{ "IPv4 with an IPv6 version", -1, -1, -1, -1, -1, ETH_LEN, 0x65 },
		{ "IP header too short", -1, -1, -1, -1, -1, ETH_LEN, 0x44 },
		{ "total length not the frame's", -1, -1, -1, -1, -1, ETH_LEN + IPV4_TOTAL + 1,
		  99 },
		{ "a fragment", -1, -1, -1, -1, -1, ETH_LEN + IPV4_FRAG, 0x20 },
		{ "TCP header too short", -1, -1, -1, -1, -1, 34 + TCP_OFFSET, 0x40 },
		{ "TCP header longer than the segment", -1, -1, -1, -1, -1, 34 + TCP_OFFSET, 0xf0 },
	};
	uint8_t f[300];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct netpkt pkt;

		build_tcp(f, false, 0, i == ARRAY_SIZE(rows) - 1 ? 30 : 200, &pkt);
		pkt.gso = (uint8_t)(rows[i].gso < 0 ? NETPKT_GSO_TCP4 : rows[i].gso);
		pkt.gso_size = (uint16_t)(rows[i].size < 0 ? 100 : rows[i].size);
		pkt.csum_start = (uint16_t)(rows[i].start < 0 ? 34 : rows[i].start);
		pkt.csum_offset = (uint16_t)(rows[i].offset < 0 ? (int)TCP_SUM : rows[i].offset);
		pkt.flags = (uint8_t)(rows[i].flags < 0 ? (int)NETPKT_CSUM_PARTIAL : rows[i].flags);
		if (rows[i].byte >= 0) {
			f[rows[i].at] = (uint8_t)rows[i].byte;
		}
		if (netpkt_is_sane(&pkt) != (i == 0)) {
			fail_msg("%s", rows[i].what);
		}
	}
}

static void test_flow_is_the_same_both_ways(void **state)
{
	uint8_t f[400];
	struct netpkt pkt;

	(void)state;
	for (int round = 0; round < 100; round++) {
		bool six = round % 2;
		uint32_t flow, ip = ETH_LEN + (six ? (uint32_t)IPV6_SRC : (uint32_t)IPV4_SRC);
		uint32_t size = six ? 16 : 4, l4;
		uint8_t tmp[16];

		build_tcp(f, six, 0, 100, &pkt);
		flow = netpkt_flow(&pkt);
		l4 = pkt.csum_start;
		memcpy(tmp, f + ip, size);
		memcpy(f + ip, f + ip + size, size);
		memcpy(f + ip + size, tmp, size);
		memcpy(tmp, f + l4, 2);
		memcpy(f + l4, f + l4 + 2, 2);
		memcpy(f + l4 + 2, tmp, 2);
		assert_int_equal(netpkt_flow(&pkt), flow);
		f[l4 + 1] ^= 1;
		assert_int_not_equal(netpkt_flow(&pkt), flow);
	}
}

/* Bytes at random never make the parser look outside: the sanitizer is the judge. */
static void test_parsing_stays_within_the_head(void **state)
{
	static const uint16_t types[] = { ETH_IPV4, ETH_IPV6, ETH_ARP, ETH_VLAN, ETH_QINQ };

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t len = 1 + rnd(200);
		uint8_t *f = malloc(len);
		struct netpkt pkt = packet(f, len);
		struct frame frame;

		fill(f, len);
		if (len >= ETH_LEN) {
			wire_put16(f + ETH_TYPE, types[rnd(ARRAY_SIZE(types))]);
		}
		if (len > ETH_LEN && rnd(4) != 0) {
			f[ETH_LEN] = (uint8_t)(rnd(2) ? 0x45 + rnd(3) : 0x60);
		}
		if (len > ETH_LEN + 10 && rnd(4) != 0) {
			f[ETH_LEN + 2] = 0;
			f[ETH_LEN + 9] = (uint8_t)(rnd(2) ? IP_TCP : IP_UDP);
		}
		if (frame_parse(&pkt, &frame) && frame.l4 != 0) {
			assert_true(frame.l4 + 8u <= u64_min(len, NETPKT_HEAD));
			assert_true(frame.l4 + frame.l4_len <= len);
		}
		netpkt_flow(&pkt);
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum_in_pieces),
		cmocka_unit_test(test_checksum_rfc1071_example),
		cmocka_unit_test(test_checksum_rfc1624_example),
		cmocka_unit_test(test_checksum_mended_is_computed_anew),
		cmocka_unit_test(test_copy_and_checksum_any_part),
		cmocka_unit_test(test_segments_join_to_what_was_cut),
		cmocka_unit_test(test_segments_end_where_they_are_refused),
		cmocka_unit_test(test_offload_taken_means_packet_as_it_is),
		cmocka_unit_test(test_partial_checksum_is_completed),
		cmocka_unit_test(test_checksum_of_zero),
		cmocka_unit_test(test_offload_that_makes_no_sense_is_refused),
		cmocka_unit_test(test_flow_is_the_same_both_ways),
		cmocka_unit_test(test_parsing_stays_within_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
