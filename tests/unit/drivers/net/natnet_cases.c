/* SPDX-License-Identifier: BSD-2-Clause */
/* What the gateway and the host's address do themselves: DHCP both ways, DNS, ping, the life of a segment. */
/* Translation is test_nat.c's, which runs these too: building all of this twice takes long. */
#include "drivers/net/ping.h"
#include "fakes/fake_heap.h"
#include "hv/lib/errno.h"
#include "tests/unit/drivers/net/natfake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A DHCP message of station `from`, sent to all with source 0, or renewing from ip. */
static void dhcp(unsigned int from, uint8_t type, uint32_t requested, uint32_t ip)
{
	struct dhcp_msg m = {
		.op = DHCP_OP_REQUEST, .type = type, .xid = 7, .chaddr = st[from].mac, .ciaddr = ip
	};
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	dhcp_put32(&o, DHCP_OPT_REQUESTED, requested);
	dhcp_put(&o, DHCP_OPT_HOSTNAME, "web1", 4);
	dhcp_end(&o);
	memcpy(nf_frame + UDP_DATA, o.buf, o.len);
	ipv4_build_udp(nf_frame, ip, ip != 0 ? GW_IP : IPV4_BROADCAST, 68, 67, o.len);
	fake_eth(nf_frame, ip != 0 ? GW : ETH_BROADCAST, st[from].mac, ETH_IPV4);
	fake_send(&st[from].f, nf_frame, UDP_DATA + o.len);
}

/* The n-th frame that a station got, as a DHCP message to port `port`. */
static struct dhcp_msg got_dhcp(unsigned int i, unsigned int n, uint16_t port)
{
	const struct fake_frame *g = &st[i].f.got[n];
	struct dhcp_msg m;

	assert_true(n < st[i].f.count);
	assert_true(fake_checksums_right(g->data, g->len));
	assert_int_equal(nf_dport(g->data), port);
	assert_true(dhcp_parse(g->data + UDP_DATA, g->len - UDP_DATA, &m));
	return m;
}

static void test_guest_gets_an_address(void **state)
{
	struct dhcps_lease lease;
	unsigned int cursor = 0;
	struct dhcp_msg m;

	(void)state;
	dhcp(A1, DHCP_DISCOVER, 0, 0);
	m = got_dhcp(A1, 0, 68);
	assert_int_equal(m.type, DHCP_OFFER);
	assert_int_equal(m.yiaddr, IN_IP(10));
	assert_int_equal(wire_get48(st[A1].f.got[0].data), st[A1].mac);
	assert_int_equal(nf_src(st[A1].f.got[0].data), GW_IP);
	assert_int_equal(nf_count(A1), 1);
	assert_int_equal(nf_count(A2), 1); /* the broadcast */
	dhcp(A1, DHCP_REQUEST, IN_IP(10), 0);
	m = got_dhcp(A1, 0, 68);
	assert_int_equal(m.type, DHCP_ACK);
	assert_int_equal(m.router, GW_IP);
	assert_int_equal(m.dns, GW_IP);
	dhcp(A1, DHCP_REQUEST, 0, IN_IP(10)); /* renewing, by unicast */
	assert_int_equal(got_dhcp(A1, 1, 68).type, DHCP_ACK);
	assert_true(natnet_next_lease(&net_a, &cursor, fake_time, &lease));
	assert_int_equal(lease.ip, IN_IP(10));
	assert_int_equal(lease.mac, st[A1].mac);
	assert_string_equal(lease.name, "web1");
	assert_false(natnet_next_lease(&net_a, &cursor, fake_time, &lease));
	natfake_clear();
	dhcp(A2, DHCP_REQUEST, IN_IP(10), 0); /* NAK, to all */
	assert_int_equal(got_dhcp(A2, 0, 68).type, DHCP_NAK);
	assert_int_equal(wire_get48(st[A2].f.got[0].data), ETH_BROADCAST);
	assert_int_equal(nf_count(B1), 0);
}

/* With the guard on, the lease is what opens it; in both segments for itself. */
static void test_lease_opens_the_guard_on_the_way(void **state)
{
	struct netguard all = { .flags = NETGUARD_ALL };

	(void)state;
	netswitch_set_guard(&st[A1].f.p, &all);
	nf_udp(A1, FAKE_IP(1), 5000, 9, 20);
	assert_int_equal(nf_count(S1), 0);
	dhcp(A1, DHCP_DISCOVER, 0, 0);
	dhcp(A1, DHCP_REQUEST, IN_IP(10), 0);
	nf_udp(A1, FAKE_IP(1), 5000, 9, 20);
	assert_int_equal(nf_count(S1), 1);
}

/* A client that claims to be another, or a damaged message, gets nothing. */
static void test_dhcp_not_heard(void **state)
{
	(void)state;
	dhcp(A1, DHCP_DISCOVER, 0, 0);
	natfake_clear();
	wire_put48(nf_frame + ETH_SRC, st[A2].mac);
	fake_send(&st[A2].f, nf_frame, UDP_DATA + DHCP_MIN);
	nf_frame[UDP_DATA + 100] ^= 1; /* checksum */
	wire_put48(nf_frame + ETH_SRC, st[A1].mac);
	fake_send(&st[A1].f, nf_frame, UDP_DATA + DHCP_MIN);
	assert_int_equal(nf_count(A1), 1); /* the other's broadcast, and no answer */
	assert_int_equal(nf_count(A2), 1);
}

static void test_gateway_answers_ping_and_nothing_else(void **state)
{
	(void)state;
	nf_echo(A1, GW_IP, ICMP_ECHO, 5);
	assert_int_equal(nf_got(A1, 0)[34], ICMP_ECHO_REPLY);
	assert_int_equal(nf_src(nf_got(A1, 0)), GW_IP);
	natfake_clear();
	nf_tcp(A1, GW_IP, 5, 80, TCP_SYN);
	assert_int_equal(nf_got(A1, 0)[34 + TCP_FLAGS], TCP_RST | TCP_F_ACK);
	natfake_clear();
	nf_udp(A1, GW_IP, 5, 80, 20);
	nf_echo(A1, GW_IP, ICMP_ECHO_REPLY, 5);
	nf_echo(S1, HOST_IP, ICMP_ECHO, 5); /* the host's address too, but no resets */
	assert_int_equal(nf_got(S1, 0)[34], ICMP_ECHO_REPLY);
	nf_tcp(S1, HOST_IP, 5, 80, TCP_SYN);
	nf_udp(S1, HOST_IP, 5, 80, 20);
	assert_int_equal(nf_count(A1), 0);
	assert_int_equal(nf_count(S1), 1);
}

/* ---- the host's own pings ---- */

/* S1 says that it is the answer to the first request of p that it got. */
static void answer(const struct ping *p, uint16_t id, uint16_t seq)
{
	uint32_t ids = (uint32_t)id << 16 | seq;

	fake_send(&st[S1].f, nf_frame,
		  fake_icmp(nf_frame, HOST, st[S1].mac, p->dst, HOST_IP, ICMP_ECHO_REPLY, 0, ids,
			    "0123456789abcdef", 16));
}

static void test_host_pings(void **state)
{
	struct ping p, other;
	const uint8_t *f;

	(void)state;
	assert_int_equal(ping_open(&p, &host, st[S1].ip), 0);
	assert_int_equal(ping_open(&other, &host, st[S1].ip), 0);
	assert_int_not_equal(p.id, other.id);
	ping_send(&p, fake_time);
	f = nf_got(S1, 0);
	assert_int_equal(f[34], ICMP_ECHO);
	assert_int_equal(nf_src(f), HOST_IP);
	assert_int_equal(nf_id(f), p.id);
	assert_int_equal(wire_get16(f + 34 + ICMP_SEQ), 1);
	assert_int_equal(ping_took(&p), 0);
	fake_time += 5000;
	answer(&p, p.id, 2); /* to no request that was sent */
	answer(&p, p.id + 1, 1);
	nf_frame[40] ^= 1; /* wrong checksum */
	wire_put16(nf_frame + 34 + ICMP_REST, p.id);
	fake_send(&st[S1].f, nf_frame, 58);
	assert_int_equal(ping_took(&p), 0);
	answer(&p, p.id, 1);
	assert_int_equal(ping_took(&p), 5000);
	fake_time += 5000;
	answer(&p, p.id, 1); /* a duplicate */
	assert_int_equal(ping_took(&p), 5000);
	assert_int_equal(ping_took(&other), 0);
	ping_send(&p, fake_time);
	assert_int_equal(ping_took(&p), 0);
	answer(&p, p.id, 1); /* to the one before */
	assert_int_equal(ping_took(&p), 0);
	ping_send(&p, fake_time + 10);
	answer(&p, p.id, 3); /* a guest's turn had begun before */
	assert_int_equal(ping_took(&p), 1);
	ping_close(&other);
	ping_close(&p);
	answer(&p, p.id, 2); /* to nobody any more */
	assert_int_equal(nf_count(A1), 0);
}

/* Its own address answers, and what it must not do without one. */
static void test_host_pings_itself(void **state)
{
	struct ping p;

	(void)state;
	assert_int_equal(ping_open(&p, &host, HOST_IP), 0);
	ping_send(&p, fake_time);
	assert_int_not_equal(ping_took(&p), 0);
	ping_close(&p);
	ipif_set_address(&host.outside, 0, 0, 0);
	assert_int_equal(ping_open(&p, &host, HOST_IP), -ENODEV);
}

/* A guest's query with the identifier of one of the host's is sent on with another. */
static void test_guest_and_host_ping(void **state)
{
	struct ping p;

	(void)state;
	assert_int_equal(ping_open(&p, &host, st[S1].ip), 0);
	nf_echo(A1, st[S1].ip, ICMP_ECHO, p.id);
	assert_int_not_equal(nf_id(nf_got(S1, 0)), p.id);
	answer(&p, nf_id(nf_got(S1, 0)), 1);
	assert_int_equal(nf_count(A1), 1);
	assert_int_equal(ping_took(&p), 0);
	ping_close(&p);
}

/* ---- DNS ---- */

/* A message with the question "a." and `id`. */
static uint32_t dns(uint8_t *msg, uint16_t id, bool answer)
{
	static const uint8_t q[] = { 1, 'a', 0, 0, 1, 0, 1 };

	memset(msg, 0, DNS_LEN);
	wire_put16(msg, id);
	wire_put16(msg + 2, answer ? 0x8180 : 0x0100);
	wire_put16(msg + 4, 1);
	memcpy(msg + DNS_LEN, q, sizeof(q));
	return DNS_LEN + sizeof(q);
}

static void send_dns(unsigned int from, uint32_t dst, uint16_t sport, uint16_t dport, uint16_t id)
{
	uint32_t len = dns(nf_frame + UDP_DATA, id, sport == 53);

	ipv4_build_udp(nf_frame, st[from].ip, dst, sport, dport, len);
	fake_eth(nf_frame, st[from].hop, st[from].mac, ETH_IPV4);
	fake_send(&st[from].f, nf_frame, UDP_DATA + len);
}

static void test_dns_query_and_answer(void **state)
{
	uint16_t port, id;

	(void)state;
	send_dns(A1, GW_IP, 4000, 53, 0x1111);
	assert_int_equal(nf_dst(nf_got(S2, 0)), FAKE_IP(2)); /* the configured server */
	assert_int_equal(nf_src(nf_got(S2, 0)), HOST_IP);
	assert_int_equal(nf_dport(nf_got(S2, 0)), 53);
	port = nf_sport(nf_got(S2, 0));
	id = wire_get16(nf_got(S2, 0) + UDP_DATA);
	send_dns(S1, HOST_IP, 53, port, id); /* not from the server */
	send_dns(S2, HOST_IP, 53, (uint16_t)(port + 1), id);
	send_dns(S2, HOST_IP, 53, port, (uint16_t)(id + 1));
	assert_int_equal(st[A1].f.count, 0);
	send_dns(S2, HOST_IP, 53, port, id);
	assert_int_equal(nf_src(nf_got(A1, 0)), GW_IP);
	assert_int_equal(nf_sport(nf_got(A1, 0)), 53);
	assert_int_equal(nf_dport(nf_got(A1, 0)), 4000);
	assert_int_equal(wire_get16(nf_got(A1, 0) + UDP_DATA), 0x1111);
	assert_int_equal(nf_count(A1), 1);
	send_dns(S2, HOST_IP, 53, port, id); /* once only */
	assert_int_equal(nf_count(A1), 0);
}

/* Two guests with the same address and port and identifier get each their own. */
static void test_dns_answers_are_not_mixed_up(void **state)
{
	uint16_t port[2], id[2];

	(void)state;
	send_dns(A1, GW_IP, 4000, 53, 0x1111);
	send_dns(B1, GW_IP, 4000, 53, 0x1111);
	for (unsigned int i = 0; i < 2; i++) {
		port[i] = nf_sport(nf_got(S2, i));
		id[i] = wire_get16(nf_got(S2, i) + UDP_DATA);
	}
	assert_int_not_equal(port[0], port[1]);
	send_dns(S2, HOST_IP, 53, port[1], id[1]);
	assert_int_equal(nf_count(A1), 0);
	assert_int_equal(nf_count(B1), 1);
}

static void test_dns_gives_up(void **state)
{
	uint16_t port, id;

	(void)state;
	send_dns(A1, GW_IP, 4000, 53, 0x1111);
	port = nf_sport(nf_got(S2, 0));
	id = wire_get16(nf_got(S2, 0) + UDP_DATA);
	natfake_pass(6);
	send_dns(S2, HOST_IP, 53, port, id);
	assert_int_equal(nf_count(A1), 0);
	assert_int_equal(fake_heap_live, 3 + 3 + 2); /* tables, leases: no port is left */
}

/* ---- the host's address by DHCP ---- */

static const struct hostif_config by_dhcp = { .hostname = "rack3",
					      .nat_buckets = 16,
					      .nat_most = 100 };

/* S1 is the DHCP server. */
static void server_says(struct hostif *h, uint8_t type, uint32_t ip, uint32_t server)
{
	struct dhcp_msg m = { .op = DHCP_OP_REPLY,
			      .type = type,
			      .xid = h->dhcpc.xid,
			      .yiaddr = ip,
			      .chaddr = wire_get48(h->outside.port.mac) };
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	dhcp_put32(&o, DHCP_OPT_SERVER, server);
	dhcp_put32(&o, DHCP_OPT_LEASE, 600);
	dhcp_put32(&o, DHCP_OPT_MASK, 0xffffff00);
	dhcp_put32(&o, DHCP_OPT_ROUTER, FAKE_IP(1));
	dhcp_put32(&o, DHCP_OPT_DNS, FAKE_IP(2));
	dhcp_end(&o);
	memcpy(nf_frame + UDP_DATA, o.buf, o.len);
	ipv4_build_udp(nf_frame, server, ip, 67, 68, o.len);
	fake_eth(nf_frame, wire_get48(h->outside.port.mac), st[S1].mac, ETH_IPV4);
	fake_send(&st[S1].f, nf_frame, UDP_DATA + o.len);
}

static void test_host_gets_and_loses_its_address(void **state)
{
	static struct hostif h;
	struct dhcp_msg m;

	(void)state;
	assert_int_equal(hostif_init(&h, "host2", FAKE_MAC(0x201), &by_dhcp), 0);
	assert_int_equal(netswitch_attach(&sw_out, &h.outside.port), 0);
	hostif_tick(&h, fake_time);
	m = got_dhcp(S1, 0, 67);
	assert_int_equal(m.type, DHCP_DISCOVER);
	assert_string_equal(m.hostname, "rack3");
	assert_int_equal(nf_src(st[S1].f.got[0].data), 0);
	server_says(&h, DHCP_OFFER, FAKE_IP(60), FAKE_IP(1));
	assert_int_equal(h.outside.addr, 0);
	natfake_clear();
	hostif_tick(&h, fake_time);
	m = got_dhcp(S1, 0, 67);
	assert_int_equal(m.type, DHCP_REQUEST);
	natfake_clear();
	server_says(&h, DHCP_ACK, FAKE_IP(60), FAKE_IP(1));
	assert_int_equal(h.outside.addr, FAKE_IP(60));
	assert_int_equal(h.outside.router, FAKE_IP(1));
	assert_int_equal(st[S2].f.count, 1); /* announced */
	fake_time += 300 * SECOND;
	natfake_clear();
	hostif_tick(&h, fake_time); /* renewing: asks for the server's MAC address first */
	assert_int_equal(wire_get16(st[S1].f.got[0].data + ETH_TYPE), ETH_ARP);
	fake_time += 300 * SECOND;
	hostif_tick(&h, fake_time);
	assert_int_equal(h.outside.addr, 0);
	netswitch_detach(&h.outside.port);
	hostif_exit(&h);
}

static void test_guests_without_a_way_out_are_told(void **state)
{
	(void)state;
	ipif_set_address(&host.outside, 0, 0, 0);
	nf_udp(A1, FAKE_IP(1), 5000, 9, 20);
	assert_int_equal(nf_got(A1, 0)[34], ICMP_UNREACHABLE);
	assert_int_equal(nf_count(S1), 0);
}

/* ---- life of a segment ---- */

static void test_segment_ends_in_use(void **state)
{
	static struct natnet n;
	struct natnet_config c = {
		.dhcp = { .addr = 0x0a1e0001,
			  .mask = 0xffffff00,
			  .first = 0x0a1e000a,
			  .last = 0x0a1e0010,
			  .lease = 3600 },
		.connections = 10,
	};
	uint16_t port, id;

	(void)state;
	assert_int_equal(natnet_init(&n, "third", FAKE_MAC(0x300), &host, &c), 0);
	assert_int_equal(netswitch_attach(&sw_b, &n.inside.port), 0);
	assert_int_equal(natnet_forward_add(&n, IP_TCP, 99, 0x0a1e000a, 80), 0);
	st[B1].ip = 0x0a1e000a;
	st[B1].hop = FAKE_MAC(0x300);
	nf_udp(B1, FAKE_IP(1), 5000, 9, 20);
	send_dns(B1, 0x0a1e0001, 4000, 53, 0x1111);
	port = nf_sport(nf_got(S2, 0));
	id = wire_get16(nf_got(S2, 0) + UDP_DATA);
	assert_int_equal(host.nat.flows, 1);
	netswitch_detach(&n.inside.port);
	natnet_exit(&n);
	memset(&n, 0xee, sizeof(n)); /* and nobody looks at it any more */
	assert_int_equal(host.nat.flows, 0);
	natfake_clear();
	send_dns(S2, HOST_IP, 53, port, id);
	nf_tcp(S1, HOST_IP, 4000, 99, TCP_SYN);
	nf_udp(S1, HOST_IP, 9, 5000, 20);
	netport_ready(&st[S1].f.p);
	natfake_pass(10);
	assert_int_equal(nf_count(B1), 0);
}

static void test_segments_that_cannot_be(void **state)
{
	static struct natnet n;
	static struct hostif h;
	struct natnet_config c = { .dhcp = { .addr = GW_IP, .mask = 0xffffff00, .lease = 3600 } };

	(void)state;
	assert_int_equal(natnet_init(&n, "none", GW, &host, &c), -EINVAL);
	c.dhcp.first = c.dhcp.last = IN_IP(9);
	for (unsigned long i = 0; i < 3; i++) {
		fake_heap_limit = i;
		assert_int_equal(hostif_init(&h, "none", HOST, &by_dhcp), -ENOMEM);
	}
	fake_heap_limit = 0;
	assert_int_equal(natnet_init(&n, "none", GW, &host, &c), -ENOMEM);
	fake_heap_limit = ~0ul;
}

int natnet_cases(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, natfake_setup, natfake_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_guest_gets_an_address),
		CASE(test_lease_opens_the_guard_on_the_way),
		CASE(test_dhcp_not_heard),
		CASE(test_gateway_answers_ping_and_nothing_else),
		CASE(test_host_pings),
		CASE(test_host_pings_itself),
		CASE(test_guest_and_host_ping),
		CASE(test_dns_query_and_answer),
		CASE(test_dns_answers_are_not_mixed_up),
		CASE(test_dns_gives_up),
		CASE(test_host_gets_and_loses_its_address),
		CASE(test_guests_without_a_way_out_are_told),
		CASE(test_segment_ends_in_use),
		CASE(test_segments_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
