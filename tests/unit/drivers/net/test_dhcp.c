/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP server and client, message by message and against each other; the DNS forwarder's memory. */
/* Time is a number. */
/* TEST_SOURCES: drivers/net/dhcp.c drivers/net/dhcps.c drivers/net/dhcpc.c drivers/net/dns.c */
/* TEST_SOURCES: hv/lib/string.c tests/unit/fakes/fake_heap.c */
#include "drivers/net/dhcpc.h"
#include "drivers/net/dhcps.h"
#include "drivers/net/dns.h"
#include "drivers/net/wire.h"
#include "fakes/fake_heap.h"
#include "hv/base/random.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ul
#define IP(n)  (0x0a140000u + (n)) /* 10.20.0.n */
#define MAC(n) (0x525400000000ul + (n))
#define SERVER IP(1)

static struct dhcps s;
static uint64_t now;
static struct dhcps_reply r;
static struct dhcp_msg re; /* the reply, parsed */

static uint32_t random_state = 1;

void random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len-- > 0) {
		random_state = random_state * 1664525 + 1013904223;
		*p++ = (uint8_t)(random_state >> 24);
	}
}

static const struct dhcps_config config = {
	.addr = IP(1),
	.mask = 0xffffff00,
	.first = IP(10),
	.last = IP(13),
	.lease = 3600,
	.next_server = IP(99),
	.bootfile = "pxelinux.0",
	.host = { { MAC(77), IP(77) }, { MAC(78), IP(12) } },
	.hosts = 2,
};

static int setup(void **state)
{
	(void)state;
	now = SECOND;
	assert_int_equal(dhcps_init(&s, &config), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dhcps_exit(&s);
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

/* Sends m as a client; the reply's type, 0: none. */
static unsigned int ask(const struct dhcp_msg *m, uint32_t requested, uint32_t server,
			enum dhcps_way *way)
{
	struct dhcp_out o;
	enum dhcps_way w;

	dhcp_begin(&o, m);
	dhcp_put32(&o, DHCP_OPT_REQUESTED, requested);
	dhcp_put32(&o, DHCP_OPT_SERVER, server);
	dhcp_put(&o, DHCP_OPT_HOSTNAME, "web", 3);
	dhcp_end(&o);
	w = dhcps_input(&s, o.buf, o.len, m->chaddr, now, &r);
	if (way != NULL) {
		*way = w;
	}
	if (w == DHCPS_NOTHING) {
		return 0;
	}
	assert_true(r.out.len >= DHCP_MIN && r.out.len <= DHCP_MAX);
	assert_true(dhcp_parse(r.out.buf, r.out.len, &re));
	assert_int_equal(re.op, DHCP_OP_REPLY);
	assert_int_equal(re.xid, m->xid);
	assert_int_equal(re.chaddr, m->chaddr);
	assert_int_equal(re.server, SERVER);
	return re.type;
}

static unsigned int send(enum dhcp_type type, unsigned int mac, uint32_t ciaddr, uint32_t requested,
			 uint32_t server)
{
	struct dhcp_msg m = { .op = DHCP_OP_REQUEST,
			      .type = (uint8_t)type,
			      .xid = 0x1234 + mac,
			      .ciaddr = ciaddr,
			      .chaddr = MAC(mac) };

	return ask(&m, requested, server, NULL);
}

/* DISCOVER and REQUEST; the address. */
static uint32_t get(unsigned int mac)
{
	uint32_t ip;

	if (send(DHCP_DISCOVER, mac, 0, 0, 0) != DHCP_OFFER) {
		return 0;
	}
	ip = re.yiaddr;
	assert_int_equal(send(DHCP_REQUEST, mac, 0, ip, SERVER), DHCP_ACK);
	assert_int_equal(re.yiaddr, ip);
	return ip;
}

/* ---- server ---- */

static void test_rfc2131_3_1_offer_and_ack(void **state)
{
	(void)state;
	assert_int_equal(send(DHCP_DISCOVER, 1, 0, 0, 0), DHCP_OFFER);
	assert_int_equal(re.yiaddr, IP(10));
	assert_int_equal(re.mask, 0xffffff00);
	assert_int_equal(re.router, IP(1));
	assert_int_equal(re.dns, IP(1));
	assert_int_equal(re.lease, 3600);
	assert_int_equal(re.t1, 1800);
	assert_int_equal(re.t2, 3150);
	assert_int_equal(re.siaddr, IP(99));
	assert_string_equal((char *)r.out.buf + DHCP_FILE, "pxelinux.0");
	assert_int_equal(send(DHCP_REQUEST, 1, 0, IP(10), SERVER), DHCP_ACK);
	assert_int_equal(re.yiaddr, IP(10));
	assert_string_equal(s.lease[0].name, "web");
	assert_true(dhcps_is_used(&s.lease[0], now + 3600 * SECOND - 1));
	assert_false(dhcps_is_used(&s.lease[0], now + 3600 * SECOND));
}

static void test_fixed_addresses(void **state)
{
	(void)state;
	assert_int_equal(get(77), IP(77));
	assert_int_equal(get(1), IP(10));
	assert_int_equal(get(2), IP(11));
	assert_int_equal(get(3), IP(13)); /* 12 is kept for another */
	assert_int_equal(get(4), 0);
	assert_int_equal(get(78), IP(12));
	assert_int_equal(send(DHCP_REQUEST, 78, 0, IP(13), 0), DHCP_NAK);
	assert_int_equal(send(DHCP_REQUEST, 4, 0, IP(77), 0), DHCP_NAK);
}

static void test_pool_exhausted_and_relieved(void **state)
{
	(void)state;
	get(1);
	get(2);
	get(3);
	assert_int_equal(send(DHCP_DISCOVER, 4, 0, 0, 0), 0);
	assert_int_equal(s.exhausted, 1);
	send(DHCP_RELEASE, 2, IP(11), 0, SERVER);
	assert_int_equal(get(4), IP(11));
	now += 3601 * SECOND;
	assert_int_equal(get(5), IP(10));
}

/* An offer that is not taken up blocks its address for a minute. */
static void test_offers_lapse(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(send(DHCP_DISCOVER, i, 0, 0, 0), DHCP_OFFER);
	}
	assert_int_equal(send(DHCP_DISCOVER, 4, 0, 0, 0), 0);
	now += DHCPS_OFFER;
	assert_int_equal(send(DHCP_DISCOVER, 4, 0, 0, 0), DHCP_OFFER);
}

static void test_rfc2131_4_3_1_which_address(void **state)
{
	(void)state;
	send(DHCP_DISCOVER, 1, 0, IP(13), 0); /* the requested one */
	assert_int_equal(re.yiaddr, IP(13));
	assert_int_equal(get(1), IP(13)); /* the current one */
	send(DHCP_RELEASE, 1, IP(13), 0, SERVER);
	assert_int_equal(get(2), IP(10)); /* never used rather than used */
	assert_int_equal(get(3), IP(11));
	send(DHCP_DISCOVER, 1, 0, IP(10), 0); /* the previous one, not another's */
	assert_int_equal(re.yiaddr, IP(13));
	send(DHCP_DISCOVER, 4, 0, IP(50), 0); /* not of the range */
	assert_int_equal(s.exhausted, 1);
}

static void test_rfc2131_4_3_2_request(void **state)
{
	(void)state;
	get(1);
	assert_int_equal(send(DHCP_REQUEST, 1, 0, IP(10), 0), DHCP_ACK); /* INIT-REBOOT */
	now += 1800 * SECOND;
	assert_int_equal(send(DHCP_REQUEST, 1, IP(10), 0, 0), DHCP_ACK); /* RENEWING */
	assert_int_equal(re.ciaddr, IP(10));
	assert_true(dhcps_is_used(&s.lease[0], now + 3599 * SECOND));
	assert_int_equal(send(DHCP_REQUEST, 2, 0, IP(10), 0), DHCP_NAK); /* another's */
	assert_int_equal(re.yiaddr, 0);
	assert_int_equal(re.lease, 0);
	assert_int_equal(re.siaddr, 0);
	assert_int_equal(send(DHCP_REQUEST, 2, 0, 0xc0a80001, 0), DHCP_NAK); /* another network's */
	assert_int_equal(send(DHCP_REQUEST, 2, 0, 0, 0), DHCP_NAK);
	assert_int_equal(send(DHCP_REQUEST, 2, IP(11), 0, 0), DHCP_ACK); /* we forgot it: free */
}

static void test_rfc2131_4_3_2_other_server_chosen(void **state)
{
	(void)state;
	assert_int_equal(send(DHCP_DISCOVER, 1, 0, 0, 0), DHCP_OFFER);
	assert_int_equal(send(DHCP_REQUEST, 1, 0, IP(10), IP(200)), 0);
	assert_false(dhcps_is_used(&s.lease[0], now));
}

static void test_rfc2131_4_3_3_decline(void **state)
{
	(void)state;
	get(1);
	send(DHCP_DECLINE, 2, 0, IP(10), SERVER); /* not its own */
	assert_true(s.lease[0].state == DHCPS_BOUND);
	send(DHCP_DECLINE, 1, 0, IP(10), SERVER);
	assert_int_equal(get(1), IP(11));
	assert_int_equal(send(DHCP_REQUEST, 1, 0, IP(10), 0), DHCP_NAK);
	assert_int_equal(get(2), IP(13));
	assert_int_equal(get(3), 0);
	now += DHCPS_DECLINED;
	assert_int_equal(get(3), IP(10));
}

static void test_rfc2131_4_3_4_release(void **state)
{
	(void)state;
	get(1);
	send(DHCP_RELEASE, 2, IP(10), 0, SERVER);
	assert_true(dhcps_is_used(&s.lease[0], now));
	send(DHCP_RELEASE, 1, IP(10), 0, SERVER);
	assert_false(dhcps_is_used(&s.lease[0], now));
}

static void test_rfc2131_4_3_5_inform(void **state)
{
	(void)state;
	assert_int_equal(send(DHCP_INFORM, 1, IP(50), 0, 0), DHCP_ACK);
	assert_int_equal(re.yiaddr, 0);
	assert_int_equal(re.lease, 0);
	assert_int_equal(re.mask, 0xffffff00);
	assert_int_equal(send(DHCP_INFORM, 1, 0x01020304, 0, 0), 0);
}

static void test_rfc2131_4_1_where_replies_go(void **state)
{
	static const struct {
		uint8_t type;
		uint16_t flags;
		uint32_t ciaddr, requested;
		enum dhcps_way way;
		uint32_t ip;
	} rows[] = {
		{ DHCP_DISCOVER, 0, 0, 0, DHCPS_UNICAST, IP(10) },
		{ DHCP_DISCOVER, DHCP_FLAG_BROADCAST, 0, 0, DHCPS_BROADCAST, 0 },
		{ DHCP_REQUEST, 0, 0, IP(10), DHCPS_UNICAST, IP(10) },
		{ DHCP_REQUEST, DHCP_FLAG_BROADCAST, IP(10), 0, DHCPS_UNICAST, IP(10) },
		{ DHCP_REQUEST, 0, 0, IP(200), DHCPS_BROADCAST, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dhcp_msg m = { .op = DHCP_OP_REQUEST,
				      .type = rows[i].type,
				      .flags = rows[i].flags,
				      .ciaddr = rows[i].ciaddr,
				      .chaddr = MAC(1) };
		enum dhcps_way way;

		ask(&m, rows[i].requested, 0, &way);
		assert_int_equal(way, rows[i].way);
		assert_int_equal(re.flags, rows[i].flags);
		if (way == DHCPS_UNICAST) {
			assert_int_equal(r.ip, rows[i].ip);
			assert_int_equal(r.mac, MAC(1));
		}
	}
}

static void test_messages_that_are_not_heard(void **state)
{
	struct dhcp_msg m = { .op = DHCP_OP_REQUEST, .type = DHCP_DISCOVER, .chaddr = MAC(1) };
	struct dhcp_out o;

	(void)state;
	dhcp_begin(&o, &m);
	dhcp_end(&o);
	assert_int_equal(dhcps_input(&s, o.buf, o.len, MAC(2), now, &r), DHCPS_NOTHING);
	for (uint32_t len = 0; len < DHCP_OPTIONS + 3; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, o.buf, len);
		assert_int_equal(dhcps_input(&s, exact, len, MAC(1), now, &r), DHCPS_NOTHING);
		free(exact);
	}
	m.giaddr = IP(3);
	assert_int_equal(ask(&m, 0, 0, NULL), 0);
	m.giaddr = 0;
	m.op = DHCP_OP_REPLY;
	assert_int_equal(ask(&m, 0, 0, NULL), 0);
	m.op = DHCP_OP_REQUEST;
	for (unsigned int type = 0; type < 256; type++) {
		if (type != DHCP_DISCOVER && type != DHCP_REQUEST && type != DHCP_INFORM) {
			m.type = (uint8_t)type;
			assert_int_equal(ask(&m, IP(200), 0, NULL), 0);
		}
	}
	m.type = DHCP_DISCOVER;
	m.chaddr = 0;
	assert_int_equal(ask(&m, 0, 0, NULL), 0);
}

static void test_configurations(void **state)
{
	static const struct {
		const char *what;
		uint32_t first, last, lease, host;
		int err;
	} rows[] = {
		{ "as it should be", IP(10), IP(20), 60, IP(5), 0 },
		{ "backwards", IP(20), IP(10), 60, IP(5), -EINVAL },
		{ "outside", IP(10), 0x0a140105, 60, IP(5), -EINVAL },
		{ "the network's address", IP(0), IP(10), 60, IP(5), -EINVAL },
		{ "the broadcast address", IP(200), IP(255), 60, IP(5), -EINVAL },
		{ "the gateway's", IP(1), IP(10), 60, IP(5), -EINVAL },
		{ "short lease", IP(10), IP(20), 59, IP(5), -EINVAL },
		{ "host elsewhere", IP(10), IP(20), 60, 0x01020304, -EINVAL },
		{ "everything", 0, 0xffffffff, 60, IP(5), -EINVAL },
	};
	struct dhcps other;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dhcps_config c = config;

		c.first = rows[i].first;
		c.last = rows[i].last;
		c.lease = rows[i].lease;
		c.host[0].ip = rows[i].host;
		assert_int_equal(dhcps_init(&other, &c), rows[i].err);
		dhcps_exit(&other);
	}
	fake_heap_limit = 0;
	assert_int_equal(dhcps_init(&other, &config), -ENOMEM);
	fake_heap_limit = ~0ul;
}

/* ---- messages ---- */

static void test_rfc2132_options(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[12];
		uint8_t len;
		bool ok;
		unsigned int type;
	} rows[] = {
		{ "type", { 53, 1, 1, 255 }, 4, true, 1 },
		{ "pads", { 0, 0, 53, 1, 3, 0, 255 }, 7, true, 3 },
		{ "no end", { 53, 1, 2 }, 3, true, 2 },
		{ "behind the end", { 255, 53, 1, 2 }, 4, true, 0 },
		{ "wrong length of the type", { 53, 2, 1, 1, 255 }, 5, true, 0 },
		{ "runs over", { 53, 1 }, 2, false, 0 },
		{ "no length", { 53 }, 1, false, 0 },
		{ "255 long", { 12, 255, 1 }, 3, false, 0 },
		{ "nothing", { 0 }, 0, true, 0 },
		{ "overload of the file field", { 52, 1, 1, 255 }, 4, true, 8 },
		{ "overload of both", { 52, 1, 3, 255 }, 4, false, 0 },
		{ "overload again within itself", { 52, 1, 1, 255 }, 4, true, 8 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *p = calloc(1, DHCP_OPTIONS + rows[i].len);
		struct dhcp_msg m;

		p[DHCP_HTYPE] = 1;
		p[DHCP_HLEN] = 6;
		wire_put32(p + DHCP_MAGIC, DHCP_COOKIE);
		memcpy(p + DHCP_FILE, (uint8_t[]){ 53, 1, 8, 52, 1, 3, 255 }, 7);
		p[DHCP_SNAME + 60] = 12;
		p[DHCP_SNAME + 61] = 40; /* over the end of the field */
		memcpy(p + DHCP_OPTIONS, rows[i].bytes, rows[i].len);
		if (dhcp_parse(p, DHCP_OPTIONS + rows[i].len, &m) != rows[i].ok ||
		    (rows[i].ok && m.type != rows[i].type)) {
			fail_msg("%s", rows[i].what);
		}
		free(p);
	}
}

static void test_host_names_are_harmless(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "web-1.example", "web-1.example" },
		{ "\033[2J", "" },
		{ "a b", "" },
		{ "0123456789012345678901234567890123456789", "0123456789012345678901234567890" },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dhcp_msg m = { .op = 1 };
		struct dhcp_out o;

		dhcp_begin(&o, &m);
		dhcp_put(&o, DHCP_OPT_HOSTNAME, rows[i].name, (uint8_t)strlen(rows[i].name));
		dhcp_end(&o);
		assert_true(dhcp_parse(o.buf, o.len, &m));
		assert_string_equal(m.hostname, rows[i].want);
	}
}

static void test_building_never_overflows(void **state)
{
	struct dhcp_msg m = { .op = 1, .type = 1 };
	static const uint8_t data[255];
	struct dhcp_out o;

	(void)state;
	dhcp_begin(&o, &m);
	for (unsigned int i = 0; i < 100; i++) {
		dhcp_put(&o, 200, data, (uint8_t)(255 - i * 2));
	}
	dhcp_end(&o);
	assert_true(o.len <= DHCP_MAX);
	assert_int_equal(o.buf[o.len - 1], DHCP_OPT_END);
	assert_true(dhcp_parse(o.buf, o.len, &m));
}

/* ---- client ---- */

static struct dhcpc c;
static struct dhcp_out sent;
static struct dhcp_msg said; /* what the client sent, parsed */

static enum dhcpc_way tick(void)
{
	enum dhcpc_way way = dhcpc_tick(&c, now, &sent);

	if (way != DHCPC_NOTHING) {
		assert_true(dhcp_parse(sent.buf, sent.len, &said));
		assert_int_equal(said.chaddr, MAC(1));
	}
	return way;
}

/* Passes what was sent to the server and its reply back; did the address change? */
static bool converse(void)
{
	enum dhcps_way way = dhcps_input(&s, sent.buf, sent.len, MAC(1), now, &r);

	return way != DHCPS_NOTHING && dhcpc_input(&c, r.out.buf, r.out.len, now);
}

static void bind_client(void)
{
	dhcpc_init(&c, MAC(1), "host1");
	assert_int_equal(tick(), DHCPC_BROADCAST);
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_false(converse());
	assert_int_equal(tick(), DHCPC_BROADCAST);
	assert_int_equal(said.type, DHCP_REQUEST);
	assert_int_equal(said.requested, IP(10));
	assert_int_equal(said.server, SERVER);
	assert_true(converse());
	assert_int_equal(tick(), DHCPC_NOTHING);
}

static void test_client_gets_an_address(void **state)
{
	(void)state;
	bind_client();
	assert_int_equal(c.addr, IP(10));
	assert_int_equal(c.mask, 0xffffff00);
	assert_int_equal(c.router, IP(1));
	assert_int_equal(c.dns, IP(1));
	assert_string_equal(s.lease[0].name, "host1");
}

/* RFC 2131, 4.4.5: T1 asks the server, T2 asks all, and at the end the address is gone. */
static void test_rfc2131_4_4_5_renewing(void **state)
{
	(void)state;
	bind_client();
	now = c.t1;
	assert_int_equal(tick(), DHCPC_TO_SERVER);
	assert_int_equal(said.ciaddr, IP(10));
	assert_int_equal(said.requested, 0);
	assert_int_equal(said.server, 0);
	assert_true(converse());
	assert_int_equal(c.state, DHCPC_BOUND);
	now = c.t1;
	assert_int_equal(tick(), DHCPC_TO_SERVER);
	assert_int_equal(tick(), DHCPC_NOTHING);
	now = c.t2;
	assert_int_equal(tick(), DHCPC_BROADCAST);
	assert_int_equal(c.addr, IP(10));
	now = c.expires;
	assert_int_equal(tick(), DHCPC_BROADCAST);
	assert_int_equal(said.type, DHCP_DISCOVER);
	assert_int_equal(c.addr, 0);
}

/* RFC 2131, 4.1: more patient each time, and after four requests all over again. */
static void test_rfc2131_4_1_backing_off(void **state)
{
	uint64_t last;

	(void)state;
	dhcpc_init(&c, MAC(1), "");
	now = SECOND;
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t want = 4ul << u64_min(i, 4);

		assert_int_equal(tick(), DHCPC_BROADCAST);
		last = now;
		assert_in_range(c.next - last, (want - 1) * SECOND, (want + 1) * SECOND);
		assert_int_equal(tick(), DHCPC_NOTHING);
		now = c.next;
	}
	tick();
	converse();
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(tick(), DHCPC_BROADCAST);
		assert_int_equal(said.type, DHCP_REQUEST);
		now = c.next;
	}
	tick();
	assert_int_equal(said.type, DHCP_DISCOVER);
}

static void answer(uint8_t type, uint32_t xid, uint64_t mac, uint32_t yiaddr, uint32_t server,
		   uint32_t lease, uint32_t mask)
{
	struct dhcp_msg m = {
		.op = DHCP_OP_REPLY, .type = type, .xid = xid, .chaddr = mac, .yiaddr = yiaddr
	};

	dhcp_begin(&r.out, &m);
	dhcp_put32(&r.out, DHCP_OPT_SERVER, server);
	dhcp_put32(&r.out, DHCP_OPT_LEASE, lease);
	dhcp_put32(&r.out, DHCP_OPT_MASK, mask);
	dhcp_end(&r.out);
}

static void test_client_believes_only_answers_to_its_questions(void **state)
{
	(void)state;
	dhcpc_init(&c, MAC(1), "");
	answer(DHCP_OFFER, 0, MAC(1), IP(50), SERVER, 60, 0);
	assert_false(dhcpc_input(&c, r.out.buf, r.out.len, now)); /* nothing was asked */
	assert_int_equal(c.state, DHCPC_SELECTING);
	tick();
	answer(DHCP_OFFER, c.xid + 1, MAC(1), IP(50), SERVER, 60, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	answer(DHCP_OFFER, c.xid, MAC(2), IP(50), SERVER, 60, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	answer(DHCP_OFFER, c.xid, MAC(1), IP(50), 0, 60, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	answer(DHCP_ACK, c.xid, MAC(1), IP(50), SERVER, 60, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	assert_int_equal(c.state, DHCPC_SELECTING);
	answer(DHCP_OFFER, c.xid, MAC(1), IP(50), SERVER, 60, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	tick();
	answer(DHCP_ACK, c.xid, MAC(1), IP(51), SERVER, 60, 0);
	assert_false(dhcpc_input(&c, r.out.buf, r.out.len, now)); /* not what was offered */
	answer(DHCP_NAK, c.xid, MAC(1), 0, IP(2), 0, 0);
	assert_false(dhcpc_input(&c, r.out.buf, r.out.len, now)); /* another server's */
	assert_int_equal(c.state, DHCPC_REQUESTING);
	answer(DHCP_ACK, c.xid, MAC(1), IP(50), SERVER, 1, 0xff00ff00);
	assert_true(dhcpc_input(&c, r.out.buf, r.out.len, now));
	assert_int_equal(c.mask, 0xffffff00);		/* not the nonsense that it said */
	assert_int_equal(c.expires, now + 60 * SECOND); /* no lease of a second */
}

static void test_client_loses_its_address_by_nak(void **state)
{
	(void)state;
	bind_client();
	now = c.t1;
	tick();
	answer(DHCP_NAK, c.xid, MAC(1), 0, SERVER, 0, 0);
	assert_true(dhcpc_input(&c, r.out.buf, r.out.len, now));
	assert_int_equal(c.addr, 0);
	assert_int_equal(tick(), DHCPC_NOTHING);
	now += SECOND;
	assert_int_equal(tick(), DHCPC_BROADCAST);
}

static void test_client_with_a_lease_for_ever(void **state)
{
	(void)state;
	dhcpc_init(&c, MAC(1), "");
	tick();
	answer(DHCP_OFFER, c.xid, MAC(1), IP(50), SERVER, 0xffffffff, 0);
	dhcpc_input(&c, r.out.buf, r.out.len, now);
	tick();
	answer(DHCP_ACK, c.xid, MAC(1), IP(50), SERVER, 0xffffffff, 0);
	assert_true(dhcpc_input(&c, r.out.buf, r.out.len, now));
	assert_true(c.t1 > now + 365ul * 86400 * SECOND);
}

/* ---- DNS ---- */

static uint8_t msg[600];
static struct dns dns;

/* A query or answer for "name.test", type A. */
static uint32_t question(uint16_t id, uint16_t flags, const char *name)
{
	uint32_t n = (uint32_t)strlen(name);

	memset(msg, 0, sizeof(msg));
	wire_put16(msg, id);
	wire_put16(msg + 2, flags);
	wire_put16(msg + 4, 1);
	msg[DNS_LEN] = (uint8_t)n;
	memcpy(msg + DNS_LEN + 1, name, n);
	memcpy(msg + DNS_LEN + 1 + n, "\4test\0\0\1\0\1", 10);
	return DNS_LEN + 1 + n + 10;
}

static struct dns_query *ask_dns(void *owner, unsigned int client, uint16_t id)
{
	uint32_t len = question(id, 0x0100, "name");
	struct dns_query *q = dns_ask(&dns, owner, IP(client), 1000, msg, len, now);

	if (q != NULL) {
		q->port = 5000;
	}
	return q;
}

static void test_dns_answer_finds_its_client(void **state)
{
	struct dns_query *q;
	uint16_t id;
	uint32_t len;

	(void)state;
	memset(&dns, 0, sizeof(dns));
	q = ask_dns(&dns, 1, 0x1111);
	assert_non_null(q);
	id = wire_get16(msg);
	assert_int_equal(id, q->id);
	len = question(id, 0x8180, "name");
	assert_ptr_equal(dns_answer(&dns, 5000, msg, len, now), q);
	assert_int_equal(wire_get16(msg), 0x1111);
	dns_end(q);
	assert_null(dns_answer(&dns, 5000, msg, len, now));
}

static void test_rfc5452_9_1_forged_answers(void **state)
{
	struct dns_query *q;
	uint16_t id;

	(void)state;
	memset(&dns, 0, sizeof(dns));
	q = ask_dns(&dns, 1, 0x1111);
	id = q->id;
	assert_null(dns_answer(&dns, 5001, msg, question(id, 0x8180, "name"), now));
	assert_null(dns_answer(&dns, 5000, msg, question((uint16_t)(id + 1), 0x8180, "name"), now));
	assert_null(dns_answer(&dns, 5000, msg, question(id, 0x8180, "nama"), now));
	assert_null(dns_answer(&dns, 5000, msg, question(id, 0x8180, "Name"), now));
	assert_null(dns_answer(&dns, 5000, msg, question(id, 0x0100, "name"), now));
	assert_null(dns_answer(&dns, 5000, msg, question(id, 0x8180, "name"), now + DNS_TIME));
	assert_non_null(dns_answer(&dns, 5000, msg, question(id, 0x8180, "name"), now));
}

static void test_dns_questions(void **state)
{
	uint32_t len = question(1, 0, "name");

	(void)state;
	for (uint32_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, msg, cut);
		assert_int_equal(dns_question_len(exact, cut), 0);
		free(exact);
	}
	assert_int_equal(dns_question_len(msg, len), len - DNS_LEN);
	msg[DNS_LEN] = 0xc0; /* a pointer, to itself */
	msg[DNS_LEN + 1] = DNS_LEN;
	assert_int_equal(dns_question_len(msg, len), 0);
	len = question(1, 0, "name");
	wire_put16(msg + 4, 2);
	assert_int_equal(dns_question_len(msg, len), 0);
	wire_put16(msg + 4, 0);
	assert_int_equal(dns_question_len(msg, len), 0);
	wire_put16(msg + 4, 1);
	memset(msg + DNS_LEN, 1, 400); /* 127 labels are 255 bytes with the root, 128 too many */
	msg[DNS_LEN + 254] = 0;
	assert_int_equal(dns_question_len(msg, sizeof(msg)), 259);
	msg[DNS_LEN + 254] = 1;
	msg[DNS_LEN + 256] = 0;
	assert_int_equal(dns_question_len(msg, sizeof(msg)), 0);
	len = question(1, 0x8000, "name"); /* an answer is no query */
	assert_null(dns_ask(&dns, &dns, IP(1), 1, msg, len, now));
	len = question(1, 0x2800, "name"); /* UPDATE */
	assert_null(dns_ask(&dns, &dns, IP(1), 1, msg, len, now));
}

static void test_dns_is_bounded(void **state)
{
	unsigned int a = 0, b = 0, ended = 0;
	struct dns_query *q;

	(void)state;
	memset(&dns, 0, sizeof(dns));
	for (uint16_t i = 0; i < 100; i++) {
		a += ask_dns(&dns, 1, i) != NULL;
	}
	assert_int_equal(a, DNS_QUERIES_PER);
	assert_null(ask_dns(&dns, 1, 0)); /* a repetition */
	for (uint16_t i = 0; i < 200; i++) {
		b += ask_dns(&c, 2 + i / 10, i) != NULL;
	}
	assert_int_equal(a + b, DNS_QUERIES);
	while ((q = dns_of(&dns, &dns)) != NULL) {
		dns_end(q);
		ended++;
	}
	assert_int_equal(ended, a);
	assert_null(dns_late(&dns, now + DNS_TIME - 1));
	while ((q = dns_late(&dns, now + DNS_TIME)) != NULL) {
		dns_end(q);
		ended++;
	}
	assert_int_equal(ended, DNS_QUERIES);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_rfc2131_3_1_offer_and_ack),
		CASE(test_fixed_addresses),
		CASE(test_pool_exhausted_and_relieved),
		CASE(test_offers_lapse),
		CASE(test_rfc2131_4_3_1_which_address),
		CASE(test_rfc2131_4_3_2_request),
		CASE(test_rfc2131_4_3_2_other_server_chosen),
		CASE(test_rfc2131_4_3_3_decline),
		CASE(test_rfc2131_4_3_4_release),
		CASE(test_rfc2131_4_3_5_inform),
		CASE(test_rfc2131_4_1_where_replies_go),
		CASE(test_messages_that_are_not_heard),
		CASE(test_configurations),
		CASE(test_rfc2132_options),
		CASE(test_host_names_are_harmless),
		CASE(test_building_never_overflows),
		CASE(test_client_gets_an_address),
		CASE(test_rfc2131_4_4_5_renewing),
		CASE(test_rfc2131_4_1_backing_off),
		CASE(test_client_believes_only_answers_to_its_questions),
		CASE(test_client_loses_its_address_by_nak),
		CASE(test_client_with_a_lease_for_ever),
		CASE(test_dns_answer_finds_its_client),
		CASE(test_rfc5452_9_1_forged_answers),
		CASE(test_dns_questions),
		CASE(test_dns_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
