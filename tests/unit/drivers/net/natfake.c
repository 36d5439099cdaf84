/* SPDX-License-Identifier: BSD-2-Clause */
/* Two private segments behind one host address, and stations around them. */
/* Judges nothing but checksums. */
#include "tests/unit/drivers/net/natfake.h"
#include "fakes/fake_heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct station st[STATIONS];
struct hostif host;
struct natnet net_a, net_b;
struct netswitch sw_a, sw_b, sw_out;
uint8_t nf_frame[NETPKT_LEN_MAX];

static const struct hostif_config host_config = {
	.addr = HOST_IP,
	.mask = 0xffffff00,
	.router = FAKE_IP(1),
	.dns = FAKE_IP(2),
	.nat_buckets = 64,
	.nat_most = 3 * NAT_MOST,
};

static const struct natnet_config net_config = {
	.dhcp = { .addr = GW_IP,
		  .mask = 0xffffff00,
		  .first = IN_IP(10),
		  .last = IN_IP(20),
		  .lease = 3600 },
	.connections = NAT_MOST,
};

static void put(unsigned int i, struct netswitch *sw, uint64_t mac, uint32_t ip, uint64_t hop)
{
	fake_port_init(&st[i].f, "station", mac);
	st[i].mac = mac;
	st[i].ip = ip;
	st[i].hop = hop;
	assert_int_equal(netswitch_attach(sw, &st[i].f.p), 0);
}

int natfake_setup(void **state)
{
	(void)state;
	fake_time = 1000 * SECOND;
	netswitch_init(&sw_a, "a", 64);
	netswitch_init(&sw_b, "b", 64);
	netswitch_init(&sw_out, "out", 64);
	assert_int_equal(hostif_init(&host, "host", HOST, &host_config), 0);
	assert_int_equal(natnet_init(&net_a, "gateway", GW, &host, &net_config), 0);
	assert_int_equal(natnet_init(&net_b, "gateway", GW, &host, &net_config), 0);
	assert_int_equal(netswitch_attach(&sw_out, &host.outside.port), 0);
	assert_int_equal(netswitch_attach(&sw_a, &net_a.inside.port), 0);
	assert_int_equal(netswitch_attach(&sw_b, &net_b.inside.port), 0);
	put(A1, &sw_a, FAKE_MAC(0x11), IN_IP(10), GW);
	put(A2, &sw_a, FAKE_MAC(0x12), IN_IP(11), GW);
	put(B1, &sw_b, FAKE_MAC(0x11), IN_IP(10), GW);
	put(S1, &sw_out, FAKE_MAC(1), FAKE_IP(1), HOST);
	put(S2, &sw_out, FAKE_MAC(2), FAKE_IP(2), HOST);
	natfake_greet();
	return 0;
}

int natfake_teardown(void **state)
{
	(void)state;
	netswitch_detach(&net_a.inside.port);
	netswitch_detach(&net_b.inside.port);
	natnet_exit(&net_a);
	natnet_exit(&net_b);
	netswitch_detach(&host.outside.port);
	assert_int_equal(host.nat.flows, 0);
	hostif_exit(&host);
	natfake_clear();
	for (unsigned int i = 0; i < STATIONS; i++) {
		netswitch_detach(&st[i].f.p);
	}
	netswitch_exit(&sw_a);
	netswitch_exit(&sw_b);
	netswitch_exit(&sw_out);
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

void natfake_clear(void)
{
	for (unsigned int i = 0; i < STATIONS; i++) {
		fake_port_clear(&st[i].f);
	}
}

void natfake_greet(void)
{
	for (unsigned int i = 0; i < STATIONS; i++) {
		uint32_t len = fake_arp(nf_frame, ETH_BROADCAST, st[i].mac, ARP_REQUEST, st[i].mac,
					st[i].ip, 0, st[i].hop == GW ? GW_IP : HOST_IP);

		fake_send(&st[i].f, nf_frame, len);
	}
	natfake_clear();
}

void natfake_pass(uint64_t seconds)
{
	for (uint64_t i = 0; i < seconds; i++) {
		fake_time += SECOND;
		hostif_tick(&host, fake_time);
		natnet_tick(&net_a, fake_time);
		natnet_tick(&net_b, fake_time);
	}
	natfake_greet();
}

void nf_udp(unsigned int from, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t len)
{
	fake_send(&st[from].f, nf_frame,
		  fake_udp(nf_frame, st[from].hop, st[from].mac, st[from].ip, dst, sport, dport,
			   len));
}

void nf_tcp(unsigned int from, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t flags)
{
	fake_send(&st[from].f, nf_frame,
		  fake_tcp(nf_frame, st[from].hop, st[from].mac, st[from].ip, dst, sport, dport,
			   flags, 1000, flags & TCP_SYN ? 0 : 20));
}

void nf_echo(unsigned int from, uint32_t dst, uint8_t type, uint16_t id)
{
	fake_send(&st[from].f, nf_frame,
		  fake_icmp(nf_frame, st[from].hop, st[from].mac, st[from].ip, dst, type, 0,
			    (uint32_t)id << 16 | 1, "0123456789abcdef", 16));
}

/* Quotes the IP header and 8 bytes, as every host does at least. */
void nf_error(unsigned int from, unsigned int about, unsigned int n, uint8_t type, uint8_t code)
{
	const uint8_t *ip = nf_got(about, n) + ETH_LEN;
	uint8_t quote[IPV4_LEN + ICMP_QUOTE];

	memcpy(quote, ip, sizeof(quote));
	fake_send(&st[from].f, nf_frame,
		  fake_icmp(nf_frame, st[from].hop, st[from].mac, st[from].ip,
			    wire_get32(quote + IPV4_SRC), type, code, 0, quote, sizeof(quote)));
}

const uint8_t *nf_got(unsigned int i, unsigned int n)
{
	const struct fake_frame *g = &st[i].f.got[n];

	assert_true(n < st[i].f.count);
	assert_int_equal(wire_get48(g->data), st[i].mac);
	assert_true(fake_checksums_right(g->data, g->len) || (g->flags & NETPKT_CSUM_PARTIAL));
	return g->data;
}

unsigned int nf_count(unsigned int i)
{
	unsigned int count = st[i].f.count;

	fake_port_clear(&st[i].f);
	return count;
}

uint32_t nf_src(const uint8_t *f)
{
	return wire_get32(f + ETH_LEN + IPV4_SRC);
}

uint32_t nf_dst(const uint8_t *f)
{
	return wire_get32(f + ETH_LEN + IPV4_DST);
}

uint16_t nf_sport(const uint8_t *f)
{
	return wire_get16(f + 34 + UDP_SPORT);
}

uint16_t nf_dport(const uint8_t *f)
{
	return wire_get16(f + 34 + UDP_DPORT);
}

uint16_t nf_id(const uint8_t *f)
{
	return wire_get16(f + 34 + ICMP_REST);
}
