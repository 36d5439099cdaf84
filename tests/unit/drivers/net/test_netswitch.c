/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch: who gets what, learning and ageing, isolation, anti-spoofing, rates in virtual time, waiting */
/* for a full port, detaching, capture. */
/* TEST_SOURCES: drivers/net/netswitch.c drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c */
/* TEST_SOURCES: hv/lib/ratelimit.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/net/netfake.c */
#include "drivers/net/gso.h"
#include "drivers/net/mactable.h"
#include "drivers/net/pcap.h"
#include "fakes/fake_heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/drivers/net/netfake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS     1000000ul
#define SECOND (1000 * MS)
#define PORTS  4u

static struct netswitch sw;
static struct fake_port port[PORTS];
static uint8_t frame[NETPKT_LEN_MAX];

/* Four ports, 1 to 3 guests with addresses .1 to .3, 0 an uplink. */
static int setup(void **state)
{
	(void)state;
	fake_time = SECOND;
	assert_int_equal(netswitch_init(&sw, "lan", 256), 0);
	for (unsigned int i = 0; i < PORTS; i++) {
		fake_port_init(&port[i], "port", FAKE_MAC(i));
		port[i].p.policy = i == 0 ? NETPORT_UPLINK : 0;
		assert_int_equal(netswitch_attach(&sw, &port[i].p), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PORTS; i++) {
		if (port[i].p.sw != NULL) {
			netswitch_detach(&port[i].p);
		}
		fake_port_clear(&port[i]);
	}
	netswitch_exit(&sw);
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

static void expect(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	unsigned int want[PORTS] = { a, b, c, d };

	for (unsigned int i = 0; i < PORTS; i++) {
		if (port[i].count != want[i]) {
			fail_msg("port %u got %u frames, not %u", i, port[i].count, want[i]);
		}
		fake_port_clear(&port[i]);
	}
}

static uint64_t send(unsigned int from, uint64_t dst, uint64_t src)
{
	memset(frame, 0xab, 60);
	fake_eth(frame, dst, src, 0x9999);
	return fake_send(&port[from], frame, 60);
}

static uint64_t dropped(unsigned int i, enum netport_drop why)
{
	return port[i].p.stats.drops[why];
}

/* ---- who gets what ---- */

static void test_unicast_to_a_guest(void **state)
{
	(void)state;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	assert_int_equal(port[2].got[0].len, 60);
	assert_memory_equal(port[2].got[0].data, frame, 60);
	expect(0, 0, 1, 0);
	assert_int_equal(port[1].p.stats.sent, 1);
	assert_int_equal(port[1].p.stats.sent_bytes, 60);
	assert_int_equal(port[2].p.stats.received, 1);
	assert_int_equal(port[2].p.stats.received_bytes, 60);
}

static void test_group_addresses_reach_all_others(void **state)
{
	(void)state;
	send(1, ETH_BROADCAST, FAKE_MAC(1));
	expect(1, 0, 1, 1);
	send(0, 0x01005e000001, 0x020000000001);
	expect(0, 1, 1, 1);
}

/* Behind each receiver others get their turn. */
static void test_flood_is_sliced(void **state)
{
	(void)state;
	checkpoints = 0;
	send(1, ETH_BROADCAST, FAKE_MAC(1));
	assert_int_equal(checkpoints, PORTS);
	expect(1, 0, 1, 1);
}

/* Who got packets of a burst hears once, at its end, and stays until then; who got one alone at once. */
static void test_burst(void **state)
{
	struct netburst burst = { .count = 0 };
	struct netpkt pkt = { .burst = &burst };

	(void)state;
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	assert_int_equal(port[2].flushed, 1);
	for (unsigned int i = 0; i < 3; i++) {
		fake_eth(frame, FAKE_MAC(2 + i % 2), FAKE_MAC(1), 0x9999);
		assert_int_equal(fake_send_pkt(&port[1], frame, 60, pkt, 1), 0);
	}
	assert_int_equal(burst.count, 2);
	assert_int_equal(port[2].flushed + port[3].flushed, 1);
	assert_int_equal(port[2].p.users, 1);
	netport_burst_end(&burst);
	assert_int_equal(port[2].flushed, 2);
	assert_int_equal(port[3].flushed, 1);
	assert_int_equal(port[2].p.users, 0);
	port[2].room = 0; /* it has to make some */
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
	assert_int_not_equal(fake_send_pkt(&port[1], frame, 60, pkt, 1), 0);
	assert_true(port[2].flushed > 2);
	expect(0, 0, 3, 1);
}

/* More receivers than a burst holds: the rest hears at once. */
static void test_burst_of_too_many(void **state)
{
	static struct fake_port more[NETBURST_PORTS];
	struct netburst burst = { .count = 0 };
	struct netpkt pkt = { .burst = &burst };
	unsigned int flushed = 0;

	(void)state;
	for (unsigned int i = 0; i < NETBURST_PORTS; i++) {
		fake_port_init(&more[i], "more", FAKE_MAC(100 + i));
		assert_int_equal(netswitch_attach(&sw, &more[i].p), 0);
	}
	fake_eth(frame, ETH_BROADCAST, FAKE_MAC(1), 0x9999);
	fake_send_pkt(&port[1], frame, 60, pkt, 1);
	for (unsigned int i = 0; i < NETBURST_PORTS; i++) {
		flushed += more[i].flushed;
	}
	assert_int_equal(burst.count, NETBURST_PORTS);
	assert_int_equal(flushed, PORTS - 1);
	netport_burst_end(&burst);
	for (unsigned int i = 0; i < NETBURST_PORTS; i++) {
		assert_int_equal(more[i].flushed, 1);
		netswitch_detach(&more[i].p);
		fake_port_clear(&more[i]);
	}
	expect(1, 0, 1, 1);
}

static void test_unknown_is_flooded_until_learnt(void **state)
{
	(void)state;
	send(1, 0x020000000001, FAKE_MAC(1));
	expect(1, 0, 1, 1);
	send(0, FAKE_MAC(1), 0x020000000001);
	expect(0, 1, 0, 0);
	send(1, 0x020000000001, FAKE_MAC(1));
	expect(1, 0, 0, 0);
}

static void test_learnt_address_ages(void **state)
{
	(void)state;
	send(0, FAKE_MAC(1), 0x020000000001);
	expect(0, 1, 0, 0);
	fake_time += MACTABLE_AGE;
	send(1, 0x020000000001, FAKE_MAC(1));
	expect(1, 0, 0, 0);
	fake_time += 1;
	send(1, 0x020000000001, FAKE_MAC(1));
	expect(1, 0, 1, 1);
	assert_int_equal(sw.macs.learnt[0], 1);
	netswitch_tick(&sw, fake_time);
	assert_int_equal(sw.macs.learnt[0], 0);
}

static void test_learnt_address_moves(void **state)
{
	(void)state;
	send(0, FAKE_MAC(1), 0x020000000001);
	send(2, FAKE_MAC(1), 0x020000000001);
	expect(0, 2, 0, 0);
	send(1, 0x020000000001, FAKE_MAC(1));
	expect(0, 0, 1, 0);
}

static void test_configured_address_does_not_move(void **state)
{
	(void)state;
	send(3, FAKE_MAC(1), FAKE_MAC(2));
	send(0, FAKE_MAC(1), FAKE_MAC(2));
	expect(0, 2, 0, 0);
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	expect(0, 0, 1, 0);
}

static void test_to_itself_goes_nowhere(void **state)
{
	(void)state;
	send(1, FAKE_MAC(1), FAKE_MAC(1));
	expect(0, 0, 0, 0);
	assert_int_equal(dropped(1, NETPORT_DROP_FILTERED), 1);
}

static void test_link_local_group_is_never_forwarded(void **state)
{
	(void)state;
	send(1, 0x0180c2000000, FAKE_MAC(1)); /* spanning tree */
	send(1, 0x0180c200000e, FAKE_MAC(1)); /* LLDP */
	expect(0, 0, 0, 0);
	send(1, 0x0180c2000010, FAKE_MAC(1));
	expect(1, 0, 1, 1);
}

static void test_tags_need_permission(void **state)
{
	(void)state;
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), ETH_VLAN);
	fake_send(&port[1], frame, 64);
	assert_int_equal(dropped(1, NETPORT_DROP_FILTERED), 1);
	port[1].p.policy |= NETPORT_TAGGED;
	fake_send(&port[1], frame, 64);
	expect(0, 0, 1, 0);
}

static void test_isolated_ports_see_only_others(void **state)
{
	(void)state;
	port[1].p.policy |= NETPORT_ISOLATED;
	port[2].p.policy |= NETPORT_ISOLATED;
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	expect(0, 0, 0, 0);
	send(1, ETH_BROADCAST, FAKE_MAC(1));
	expect(1, 0, 0, 1);
	send(1, 0x020000000009, FAKE_MAC(1));
	expect(1, 0, 0, 1);
	send(1, FAKE_MAC(3), FAKE_MAC(1));
	send(3, FAKE_MAC(1), FAKE_MAC(3));
	expect(0, 1, 0, 1);
}

static void test_malformed(void **state)
{
	(void)state;
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
	fake_send(&port[1], frame, 13);
	fake_send(&port[1], frame, 0);
	send(1, FAKE_MAC(2), FAKE_MAC(1) | ETH_GROUP);
	fake_send_pkt(&port[1], frame, 100, (struct netpkt){ .gso = NETPKT_GSO_TCP4 }, 1);
	fake_send_pkt(&port[1], frame, 10000, (struct netpkt){ 0 }, NETPKT_SEGS_MAX);
	expect(0, 0, 0, 0);
	assert_int_equal(dropped(1, NETPORT_DROP_MALFORMED), 5);
	assert_int_equal(port[1].p.stats.sent, 0);
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
	fake_send(&port[1], frame, 14);
	expect(0, 0, 1, 0);
}

static void test_too_long_for_the_receiver(void **state)
{
	(void)state;
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
	fake_send(&port[1], frame, 1515);
	assert_int_equal(dropped(2, NETPORT_DROP_TOO_LONG), 1);
	assert_int_equal(port[2].p.stats.received, 0);
	fake_send(&port[1], frame, 1514);
	port[2].p.max_len = 9014;
	fake_send(&port[1], frame, 9014);
	assert_int_equal(port[2].p.stats.received, 2);
}

static void test_link(void **state)
{
	(void)state;
	send(2, FAKE_MAC(1), 0x020000000001);
	netport_set_link(&port[2].p, false);
	netport_set_link(&port[2].p, false);
	assert_int_equal(port[2].link_changes, 1);
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	send(2, FAKE_MAC(1), FAKE_MAC(2));
	expect(0, 1, 0, 0);
	assert_int_equal(dropped(2, NETPORT_DROP_LINK), 2);
	netport_set_link(&port[2].p, true);
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	send(1, 0x020000000001, FAKE_MAC(1)); /* forgotten */
	expect(1, 0, 2, 1);
	assert_int_equal(port[2].link_changes, 2);
}

static void test_every_drop_has_a_name(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
		assert_non_null(netport_drop_name((enum netport_drop)i));
	}
}

/* ---- long packets ---- */

static const struct netpkt gso = {
	.flags = NETPKT_CSUM_PARTIAL,
	.gso = NETPKT_GSO_TCP4,
	.gso_size = 1460,
	.csum_start = 34,
	.csum_offset = TCP_SUM,
};

static uint32_t build_long(uint32_t payload)
{
	uint32_t len = fake_tcp(frame, FAKE_MAC(2), FAKE_MAC(1), FAKE_IP(1), FAKE_IP(2), 1, 2,
				TCP_F_ACK, 77, payload);

	wire_put16(frame + 34 + TCP_SUM, fake_sum(frame + 26, 8, IP_TCP + len - 34));
	return len;
}

static void test_64_kib_guest_to_guest_uncut(void **state)
{
	uint32_t len = build_long(65535 - 40);

	(void)state;
	port[2].p.offload = NETPORT_CSUM | NETPORT_TCP4;
	fake_send_pkt(&port[1], frame, len, gso, 18);
	assert_int_equal(port[2].got[0].len, len);
	assert_int_equal(port[2].got[0].gso, NETPKT_GSO_TCP4);
	assert_int_equal(port[2].got[0].gso_size, 1460);
	assert_int_equal(port[2].got[0].flags, NETPKT_CSUM_PARTIAL);
	assert_int_equal(port[2].got[0].csum_start, 34);
	assert_memory_equal(port[2].got[0].data, frame, len);
	expect(0, 0, 1, 0);
}

static void test_64_kib_to_a_port_without_offload(void **state)
{
	uint32_t len = build_long(65535 - 40);

	(void)state;
	fake_send_pkt(&port[1], frame, len, gso, 18);
	assert_int_equal(port[2].count, 45);
	for (unsigned int i = 0; i < 45; i++) {
		assert_true(fake_checksums_right(port[2].got[i].data, port[2].got[i].len));
	}
	expect(0, 0, 45, 0);
}

/* All 45 segments or none. */
static void test_segments_need_room_for_all(void **state)
{
	uint32_t len = build_long(65535 - 40);

	(void)state;
	port[2].room = 44;
	assert_int_equal(fake_send_pkt(&port[1], frame, len, gso, 18), fake_time + NETSWITCH_STALL);
	expect(0, 0, 0, 0);
	port[2].room = 45;
	netport_ready(&port[2].p);
	assert_int_equal(port[1].resumed, 1);
	assert_int_equal(fake_send_pkt(&port[1], frame, len, gso, 18), 0);
	expect(0, 0, 45, 0);
}

/* Tiny segments, hundreds of them, are not made for a receiver: nothing else runs meanwhile. */
static void test_too_many_segments_to_cut(void **state)
{
	struct netpkt tiny = gso;
	uint32_t len;

	(void)state;
	tiny.gso_size = NETPKT_GSO_MIN;
	len = build_long(GSO_CUT_MAX * NETPKT_GSO_MIN);
	port[2].room = GSO_CUT_MAX;
	assert_int_equal(fake_send_pkt(&port[1], frame, len, tiny, 18), 0);
	expect(0, 0, GSO_CUT_MAX, 0);
	len = build_long(GSO_CUT_MAX * NETPKT_GSO_MIN + 1);
	port[2].room = GSO_CUT_MAX + 1;
	assert_int_equal(fake_send_pkt(&port[1], frame, len, tiny, 18), 0);
	expect(0, 0, 0, 0);
	assert_int_equal(dropped(2, NETPORT_DROP_TOO_LONG), 1);
	port[2].p.offload = NETPORT_CSUM | NETPORT_TCP4;
	assert_int_equal(fake_send_pkt(&port[1], frame, len, tiny, 18), 0);
	expect(0, 0, 1, 0);
}

/* No TCP goes to a group, and to an address that nobody has it begins anew with a short segment. */
static void test_long_packets_are_not_flooded(void **state)
{
	uint32_t len = build_long(65535 - 40);

	(void)state;
	wire_put48(frame, 0x020000000009);
	assert_int_equal(fake_send_pkt(&port[1], frame, len, gso, 18), 0);
	wire_put48(frame, ETH_BROADCAST);
	assert_int_equal(fake_send_pkt(&port[1], frame, len, gso, 18), 0);
	expect(0, 0, 0, 0);
	assert_int_equal(dropped(1, NETPORT_DROP_FILTERED), 2);
}

/* ---- waiting ---- */

static void test_full_port_is_waited_for(void **state)
{
	(void)state;
	port[2].room = 1;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), fake_time + NETSWITCH_STALL);
	assert_int_equal(send(3, FAKE_MAC(2), FAKE_MAC(3)), fake_time + NETSWITCH_STALL);
	assert_int_equal(port[1].p.stats.waits, 1);
	assert_int_equal(port[1].p.stats.sent, 1);
	netport_ready(&port[1].p); /* another's room is no news */
	assert_int_equal(port[1].resumed + port[3].resumed, 0);
	port[2].room = 2;
	netport_ready(&port[2].p);
	netport_ready(&port[2].p);
	assert_int_equal(port[1].resumed, 1);
	assert_int_equal(port[3].resumed, 1);
	assert_int_equal(port[0].resumed, 0);
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	expect(0, 0, 2, 0);
	assert_int_equal(dropped(2, NETPORT_DROP_FULL), 0);
}

static void test_stalled_port_loses_packets(void **state)
{
	uint64_t until;

	(void)state;
	port[2].room = 0;
	until = send(1, FAKE_MAC(2), FAKE_MAC(1));
	fake_time = until - 1;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), until);
	fake_time = until;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	assert_int_equal(dropped(2, NETPORT_DROP_FULL), 1);
	fake_time += SECOND;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	assert_int_equal(dropped(2, NETPORT_DROP_FULL), 2);
	port[2].room = 1; /* and is waited for again once it has taken one */
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), fake_time + NETSWITCH_STALL);
	expect(0, 0, 1, 0);
}

static void test_flood_waits_for_nobody(void **state)
{
	(void)state;
	port[2].room = 0;
	assert_int_equal(send(1, ETH_BROADCAST, FAKE_MAC(1)), 0);
	expect(1, 0, 0, 1);
	assert_int_equal(dropped(2, NETPORT_DROP_FULL), 1);
}

static void test_port_that_never_waits(void **state)
{
	(void)state;
	port[0].p.policy |= NETPORT_NEVER_WAIT;
	port[2].room = 0;
	assert_int_equal(send(0, FAKE_MAC(2), 0x020000000001), 0);
	assert_int_equal(dropped(2, NETPORT_DROP_FULL), 1);
	netswitch_set_rates(&port[0].p, 1000, 0, fake_time);
	port[2].room = 100;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send(0, FAKE_MAC(2), 0x020000000001), 0);
	}
	assert_true(dropped(0, NETPORT_DROP_RATE) > 40);
}

/* Room that appears between refusal and waiting is found by the second attempt. */
static bool room_appears(struct netport *p, const struct netpkt *pkt)
{
	static int calls;

	(void)p;
	(void)pkt;
	return ++calls % 2 == 0;
}

static void test_no_wake_up_is_lost(void **state)
{
	static const struct netport_ops racy = { .receive = room_appears };
	const struct netport_ops *ops = port[2].p.ops;

	(void)state;
	port[2].p.ops = &racy;
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	port[2].p.ops = ops;
}

/* ---- attaching and detaching ---- */

static void test_one_mac_address_once(void **state)
{
	struct fake_port twin;

	(void)state;
	fake_port_init(&twin, "twin", FAKE_MAC(2));
	assert_int_equal(netswitch_attach(&sw, &twin.p), -EEXIST);
	fake_port_init(&twin, "zero", 0);
	assert_int_equal(netswitch_attach(&sw, &twin.p), -EEXIST);
}

static void test_ports_run_out(void **state)
{
	static struct fake_port more[NETSWITCH_PORTS - PORTS + 1];
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		fake_port_init(&more[i], "more", 0);
		more[i].p.policy = NETPORT_UPLINK;
		assert_int_equal(netswitch_attach(&sw, &more[i].p),
				 i < ARRAY_SIZE(more) - 1 ? 0 : -ENOSPC);
	}
	for (i = 0; i < ARRAY_SIZE(more) - 1; i++) {
		netswitch_detach(&more[i].p);
	}
}

static void test_no_memory(void **state)
{
	struct netswitch none;

	(void)state;
	fake_heap_limit = 0;
	assert_int_equal(netswitch_init(&none, "none", 256), -ENOMEM);
	fake_heap_limit = ~0ul;
}

static void leave_port(void)
{
	port[2].p.users = 0;
}

static void test_detach_waits_for_users_and_frees_waiters(void **state)
{
	(void)state;
	port[2].room = 0;
	assert_int_not_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0);
	port[2].p.users = 1;
	on_yield = leave_port;
	yielded = 0;
	netswitch_detach(&port[2].p);
	on_yield = NULL;
	assert_int_equal(yielded, 1);
	assert_int_equal(port[1].resumed, 1);
	assert_int_equal(send(1, FAKE_MAC(2), FAKE_MAC(1)), 0); /* now unknown */
	expect(1, 0, 0, 1);
	assert_int_equal(netswitch_attach(&sw, &port[2].p), 0);
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	port[2].room = 1;
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	expect(0, 0, 1, 0);
}

/* ---- the table ---- */

static void test_table_is_bounded_and_fresh_entries_stay(void **state)
{
	struct mactable t;
	unsigned int found = 0;
	uint32_t cursor = 0;

	(void)state;
	assert_int_equal(mactable_init(&t, 4), 0);
	for (uint64_t mac = 1; mac <= 1000; mac++) {
		mactable_learn(&t, mac, 1, UINT16_MAX, mac);
	}
	assert_int_equal(t.learnt[1], 16);
	while (mactable_next(&t, &cursor) != NULL) {
		found++;
	}
	assert_int_equal(found, 16);
	mactable_learn(&t, 5000, 2, UINT16_MAX, 1001);
	assert_int_equal(mactable_find(&t, 5000, 1001), -1);
	assert_int_equal(mactable_fix(&t, 5000, 3), 0); /* configuration pushes */
	assert_int_equal(mactable_find(&t, 5000, 1001), 3);
	assert_int_equal(t.learnt[1], 15);
	mactable_learn(&t, 6000, 2, UINT16_MAX, MACTABLE_AGE + 2000); /* the old make way */
	assert_int_equal(mactable_find(&t, 6000, MACTABLE_AGE + 2000), 2);
	mactable_expire(&t, MACTABLE_AGE + 2000);
	assert_int_equal(t.learnt[1], 0);
	mactable_forget_port(&t, 3, false);
	assert_int_equal(mactable_find(&t, 5000, ~0ul), 3);
	mactable_forget_port(&t, 3, true);
	assert_int_equal(mactable_find(&t, 5000, 0), -1);
	mactable_exit(&t);
}

static void test_table_set_full_of_configured_addresses(void **state)
{
	struct mactable t;
	int r = 0;

	(void)state;
	assert_int_equal(mactable_init(&t, 1), 0);
	for (uint64_t mac = 1; mac <= MACTABLE_WAYS; mac++) {
		assert_int_equal(mactable_fix(&t, mac, 1), 0);
	}
	r = mactable_fix(&t, 77, 1);
	assert_int_equal(r, -ENOSPC);
	mactable_exit(&t);
}

/* A guest that makes addresses up fills its own share, not the table. */
static void test_made_up_addresses_fill_one_share(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		send(1, FAKE_MAC(2), 0x020000000000 + i);
	}
	assert_int_equal(sw.macs.learnt[1], 64);
	send(0, FAKE_MAC(2), 0x060000000001);
	assert_int_equal(mactable_find(&sw.macs, 0x060000000001, fake_time), 0);
}

/* ---- anti-spoofing ---- */

enum frame_kind { ARP, IP, DHCP_ASK, DHCP_ANSWER, OTHER, IP6 };

static uint32_t build(enum frame_kind kind, uint64_t mac, uint64_t arp_mac, uint32_t ip)
{
	switch (kind) {
	case ARP:
		return fake_arp(frame, FAKE_MAC(2), mac, ARP_REPLY, arp_mac, ip, FAKE_MAC(2),
				FAKE_IP(2));
	case IP:
		return fake_tcp(frame, FAKE_MAC(2), mac, ip, FAKE_IP(2), 5, 6, TCP_SYN, 1, 10);
	case DHCP_ASK:
		return fake_udp(frame, ETH_BROADCAST, mac, ip, IPV4_BROADCAST, 68, 67, 300);
	case DHCP_ANSWER:
		return fake_udp(frame, FAKE_MAC(2), mac, ip, FAKE_IP(2), 67, 68, 300);
	case IP6:
		memset(frame, 0, 100);
		frame[ETH_LEN] = 0x60;
		return 40 + fake_eth(frame, FAKE_MAC(2), mac, ETH_IPV6);
	default:
		memset(frame, 0, 100);
		return 46 + fake_eth(frame, FAKE_MAC(2), mac, 0x88b5);
	}
}

static void test_spoofing(void **state)
{
	static const struct {
		const char *what;
		uint8_t flags;
		enum frame_kind kind;
		uint64_t mac, arp_mac;
		uint32_t ip;
		bool passes;
	} rows[] = {
		{ "anything, unguarded", 0, ARP, FAKE_MAC(9), FAKE_MAC(8), FAKE_IP(7), true },
		{ "DHCP answer, unguarded", 0, DHCP_ANSWER, FAKE_MAC(1), 0, FAKE_IP(7), true },
		{ "own MAC", NETGUARD_MAC, OTHER, FAKE_MAC(1), 0, 0, true },
		{ "another's MAC", NETGUARD_MAC, OTHER, FAKE_MAC(3), 0, 0, false },
		{ "own MAC, another's ARP", NETGUARD_MAC, ARP, FAKE_MAC(1), FAKE_MAC(3), FAKE_IP(1),
		  false },
		{ "own MAC, any IP", NETGUARD_MAC, IP, FAKE_MAC(1), 0, FAKE_IP(9), true },
		{ "own IP", NETGUARD_ALL, IP, FAKE_MAC(1), 0, FAKE_IP(1), true },
		{ "own second IP", NETGUARD_ALL, IP, FAKE_MAC(1), 0, FAKE_IP(11), true },
		{ "another's IP", NETGUARD_ALL, IP, FAKE_MAC(1), 0, FAKE_IP(3), false },
		{ "no IP", NETGUARD_ALL, IP, FAKE_MAC(1), 0, 0, false },
		{ "own ARP", NETGUARD_ALL, ARP, FAKE_MAC(1), FAKE_MAC(1), FAKE_IP(1), true },
		{ "answering another's ARP", NETGUARD_ALL, ARP, FAKE_MAC(1), FAKE_MAC(1),
		  FAKE_IP(3), false },
		{ "ARP probe", NETGUARD_ALL, ARP, FAKE_MAC(1), FAKE_MAC(1), 0, true },
		{ "asking for an address", NETGUARD_ALL, DHCP_ASK, FAKE_MAC(1), 0, 0, true },
		{ "asking as another", NETGUARD_ALL, DHCP_ASK, FAKE_MAC(1), 0, FAKE_IP(3), false },
		{ "being a DHCP server", NETGUARD_ALL, DHCP_ANSWER, FAKE_MAC(1), 0, FAKE_IP(1),
		  false },
		{ "DHCP server allowed", NETGUARD_MAC | NETGUARD_IP, DHCP_ANSWER, FAKE_MAC(1), 0,
		  FAKE_IP(1), true },
		{ "IPv6 past an IPv4 guard", NETGUARD_ALL, IP6, FAKE_MAC(1), 0, 0, false },
		{ "IPv6 with the MAC guarded", NETGUARD_MAC, IP6, FAKE_MAC(1), 0, 0, true },
		{ "other protocols past an IPv4 guard", NETGUARD_ALL, OTHER, FAKE_MAC(1), 0, 0,
		  false },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct netguard g = { rows[i].flags, 2, { FAKE_IP(1), FAKE_IP(11) }, 0 };
		uint64_t before = dropped(1, NETPORT_DROP_SPOOFED);

		netswitch_set_guard(&port[1].p, &g);
		fake_send(&port[1], frame,
			  build(rows[i].kind, rows[i].mac, rows[i].arp_mac, rows[i].ip));
		if ((port[2].count == 1) != rows[i].passes ||
		    dropped(1, NETPORT_DROP_SPOOFED) - before != !rows[i].passes) {
			fail_msg("%s", rows[i].what);
		}
		fake_port_clear(&port[2]);
	}
}

static void test_guarded_frames_cut_short(void **state)
{
	struct netguard g = { NETGUARD_ALL, 1, { FAKE_IP(1) }, 0 };

	(void)state;
	netswitch_set_guard(&port[1].p, &g);
	build(ARP, FAKE_MAC(1), FAKE_MAC(1), FAKE_IP(1));
	fake_send(&port[1], frame, ETH_LEN + ARP_LEN - 1);
	frame[ETH_LEN + ARP_PLEN] = 16;
	fake_send(&port[1], frame, 60);
	build(IP, FAKE_MAC(1), 0, FAKE_IP(1));
	fake_send(&port[1], frame, ETH_LEN + IPV4_LEN - 1);
	frame[ETH_LEN] = 0x4f; /* options up to behind the frame */
	fake_send(&port[1], frame, ETH_LEN + IPV4_LEN + 10);
	assert_int_equal(dropped(1, NETPORT_DROP_MALFORMED), 4);
	expect(0, 0, 0, 0);
}

/* The host's own address on that network is nobody's, however little else is guarded. */
static void test_host_address_is_the_hosts(void **state)
{
	static const struct {
		uint8_t flags;
		enum frame_kind kind;
		uint32_t ip;
		bool passes;
	} rows[] = {
		{ NETGUARD_MAC, ARP, FAKE_IP(9), false },
		{ NETGUARD_MAC, IP, FAKE_IP(9), false },
		{ NETGUARD_MAC, ARP, FAKE_IP(8), true },
		{ NETGUARD_MAC, IP, FAKE_IP(8), true },
		{ NETGUARD_ALL, ARP, FAKE_IP(9), false }, /* even if it was given that */
		{ 0, ARP, FAKE_IP(9), true },		  /* the host's own port */
	};

	(void)state;
	netswitch_set_host(&sw, FAKE_IP(9));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct netguard g = { rows[i].flags, 1, { FAKE_IP(9) }, 0 };

		netswitch_set_guard(&port[1].p, &g);
		fake_send(&port[1], frame,
			  build(rows[i].kind, FAKE_MAC(1), FAKE_MAC(1), rows[i].ip));
		assert_int_equal(port[2].count, rows[i].passes);
		fake_port_clear(&port[2]);
	}
	assert_int_equal(dropped(1, NETPORT_DROP_SPOOFED), 3);
	netswitch_set_host(&sw, 0);
	netswitch_set_guard(&port[1].p, &(struct netguard){ NETGUARD_MAC, 0, { 0 }, 0 });
	fake_send(&port[1], frame, build(ARP, FAKE_MAC(1), FAKE_MAC(1), FAKE_IP(9)));
	assert_int_equal(port[2].count, 1);
}

/* A checksum that a receiver, or its NIC, is to complete changes nothing that the guard has looked at. */
static void test_guarded_frames_with_checksums(void **state)
{
	static const struct {
		enum frame_kind kind;
		uint16_t field;
		bool passes;
	} rows[] = {
		{ ARP, ETH_LEN + ARP_SHA, false },
		{ ARP, ETH_LEN + ARP_SPA + 2, false },
		{ ARP, ETH_LEN + ARP_LEN, true },
		{ IP, ETH_LEN, false },
		{ IP, ETH_LEN + IPV4_SRC + 2, false },
		{ IP, ETH_LEN + IPV4_LEN + UDP_SPORT, false },
		{ IP, ETH_LEN + IPV4_LEN + UDP_DPORT, false },
		{ IP, ETH_LEN + IPV4_LEN + TCP_SUM, true },
		{ DHCP_ASK, ETH_LEN + IPV4_LEN + UDP_SUM, true },
	};
	struct netguard g = { NETGUARD_ALL, 1, { FAKE_IP(1) }, 0 };

	(void)state;
	netswitch_set_guard(&port[1].p, &g);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t len = build(rows[i].kind, FAKE_MAC(1), FAKE_MAC(1), FAKE_IP(1));
		uint64_t before = dropped(1, NETPORT_DROP_MALFORMED);

		fake_send_pkt(&port[1], frame, len + 2,
			      (struct netpkt){ .flags = NETPKT_CSUM_PARTIAL,
					       .csum_start = ETH_LEN,
					       .csum_offset = (uint16_t)(rows[i].field - ETH_LEN) },
			      1);
		if ((port[2].count == 1) != rows[i].passes ||
		    dropped(1, NETPORT_DROP_MALFORMED) - before != !rows[i].passes) {
			fail_msg("row %u", i);
		}
		fake_port_clear(&port[2]);
	}
}

/* ---- leases ---- */

/* A DHCP message of a server at `from`, for client `mac`: type in option 53 behind `pads` pad options. */
static void give_lease(unsigned int from, uint64_t mac, uint32_t ip, uint8_t type,
		       unsigned int pads)
{
	uint32_t len = fake_udp(frame, ETH_BROADCAST, FAKE_MAC(from), FAKE_IP(254), IPV4_BROADCAST,
				67, 68, 300);
	uint8_t *msg = frame + 42;

	memset(msg, 0, 300);
	msg[0] = 2;
	msg[1] = 1;
	msg[2] = 6;
	wire_put32(msg + 16, ip);
	wire_put48(msg + 28, mac);
	wire_put32(msg + 236, 0x63825363);
	msg[240 + pads] = 53;
	msg[241 + pads] = 1;
	msg[242 + pads] = type;
	msg[243 + pads] = 255;
	fake_send(&port[from], frame, len);
}

static bool may_send_from(unsigned int from, uint32_t ip)
{
	uint32_t len = fake_udp(frame, FAKE_MAC(3), FAKE_MAC(from), ip, FAKE_IP(3), 9, 9, 20);
	unsigned int before = port[3].count;

	fake_send(&port[from], frame, len);
	return port[3].count == before + 1;
}

static void test_lease_opens_the_guard(void **state)
{
	struct netguard all = { .flags = NETGUARD_ALL };

	(void)state;
	netswitch_set_guard(&port[1].p, &all);
	netswitch_set_guard(&port[2].p, &all);
	assert_false(may_send_from(1, FAKE_IP(50)));
	give_lease(0, FAKE_MAC(1), FAKE_IP(50), 2, 0); /* an offer gives nothing */
	assert_false(may_send_from(1, FAKE_IP(50)));
	give_lease(0, FAKE_MAC(1), FAKE_IP(50), 5, 3);
	assert_true(may_send_from(1, FAKE_IP(50)));
	assert_false(may_send_from(2, FAKE_IP(50)));
	give_lease(0, FAKE_MAC(2), FAKE_IP(50), 5, 0); /* now the other's */
	assert_false(may_send_from(1, FAKE_IP(50)));
	assert_true(may_send_from(2, FAKE_IP(50)));
	give_lease(2, FAKE_MAC(1), FAKE_IP(60), 5, 0); /* a guest gives none */
	assert_false(may_send_from(1, FAKE_IP(60)));
	give_lease(0, FAKE_MAC(1), 0, 5, 0); /* to DHCPINFORM */
	assert_false(may_send_from(1, 0));
}

static void test_lease_malformed(void **state)
{
	struct netguard all = { .flags = NETGUARD_ALL };
	uint32_t len;

	(void)state;
	netswitch_set_guard(&port[1].p, &all);
	give_lease(0, FAKE_MAC(1), FAKE_IP(50), 5, 57); /* option 53 ends with the message */
	assert_true(may_send_from(1, FAKE_IP(50)));
	netswitch_set_guard(&port[1].p, &all);
	give_lease(0, FAKE_MAC(1), FAKE_IP(50), 5, 58); /* and here is cut by its end */
	assert_false(may_send_from(1, FAKE_IP(50)));
	give_lease(0, FAKE_MAC(1), FAKE_IP(50), 5, 0);
	netswitch_set_guard(&port[1].p, &all);
	len = ETH_LEN + IPV4_LEN + UDP_LEN + 300;
	for (uint32_t cut = ETH_LEN; cut < len; cut++) { /* never reads past the end */
		fake_send(&port[0], frame, cut);
	}
	assert_false(may_send_from(1, FAKE_IP(50)));
}

/* ---- rates ---- */

struct rate_case {
	uint64_t rate; /* bytes per second */
	uint32_t len;
	uint64_t seconds;
	bool receive;
};

/* Sends as fast as it is let for that long; bytes that arrived. */
static uint64_t blast(const struct rate_case *c)
{
	uint64_t end = fake_time + c->seconds * SECOND, bytes = 0;
	const struct netpkt plain = { 0 };
	const struct netpkt *pkt = c->len > 1514 ? &gso : &plain;

	port[2].empty = true;
	port[2].p.offload = NETPORT_CSUM | NETPORT_TCP4;
	while (fake_time < end) {
		uint64_t wait = fake_send_pkt(&port[1], frame, c->len, *pkt, 2);

		if (wait == 0) {
			bytes += c->len;
		}
		fake_time = wait != 0 ? wait : fake_time + 1000; /* 1 us of work per packet */
	}
	return bytes;
}

static void test_rate_holds_within_two_percent(void **state)
{
	static const struct rate_case rows[] = {
		{ 125000, 60, 10, false },	{ 125000, 1514, 10, false },
		{ 1250000, 1514, 10, false },	{ 125000000, 1514, 1, false },
		{ 12500000, 65549, 10, false }, { 1250000, 65549, 60, false },
		{ 1250000, 1514, 10, true },	{ 12500000, 65549, 10, true },
		{ 33333333, 777, 1, false },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rate_case *c = &rows[i];
		uint64_t ideal = c->rate * c->seconds, got;

		if (c->len > 1514) {
			build_long(65535 - 40);
			ideal = ideal * c->len / (c->len + 44 * 54); /* headers count too */
		} else {
			fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
		}
		fake_time += SECOND;
		netswitch_set_rates(&port[1].p, c->receive ? 0 : c->rate, 0, fake_time);
		netswitch_set_rates(&port[2].p, 0, c->receive ? c->rate : 0, fake_time);
		port[2].room = 1000000000;
		got = blast(c);
		if (got < ideal * 98 / 100 || got > ideal * 102 / 100) {
			fail_msg("row %u: %lu bytes, not %lu", i, got, ideal);
		}
	}
	port[2].empty = false;
	port[2].count = 0;
}

static void test_rate_zero_is_none_and_idle_time_is_not_saved_up(void **state)
{
	struct netport *p = &port[1].p;
	uint32_t through = 0;

	(void)state;
	netswitch_set_rates(p, 0, 0, fake_time);
	ratelimit_charge(&p->send_rate, 1000000, fake_time);
	assert_int_equal(netport_rate_wait(p, fake_time), 0);
	netswitch_set_rates(p, 1000000, 0, fake_time);
	fake_time += 3600 * SECOND;
	while (netport_rate_wait(p, fake_time) == 0) {
		ratelimit_charge(&p->send_rate, 100, fake_time);
		through += 100;
	}
	assert_in_range(through, 5000, 5200); /* 5 ms of it */
	netswitch_set_rates(p, 0, 0, fake_time);
}

/* ---- capture ---- */

static uint8_t file[1000000];
static size_t file_len;

static void read_capture(unsigned int i, size_t most)
{
	struct pcap_counts counts;
	size_t n = most;

	while (pcap_read(&port[i].p, file + file_len, &n, &counts) && n > 0) {
		file_len += n;
		n = most;
	}
}

/* Length of the n-th record's packet; its bytes in *data. */
static uint32_t record(unsigned int n, const uint8_t **data)
{
	size_t at = 24;

	while (n-- > 0) {
		at += 16 + bytes_get_le32(file + at + 8);
	}
	assert_true(at + 16 <= file_len);
	assert_true(at + 16 + bytes_get_le32(file + at + 8) <= file_len);
	*data = file + at + 16;
	return bytes_get_le32(file + at + 12);
}

static void test_capture_of_a_port(void **state)
{
	const uint8_t *data;
	struct pcap_counts counts;
	size_t len = 10;

	(void)state;
	file_len = 0;
	fake_time = 5 * SECOND + 7;
	assert_int_equal(pcap_start(&port[1].p, 100000, 65600), 0);
	assert_int_equal(pcap_start(&port[1].p, 100000, 65600), -EBUSY);
	send(1, FAKE_MAC(2), FAKE_MAC(1));
	send(3, FAKE_MAC(2), FAKE_MAC(3)); /* none of its packets */
	send(3, FAKE_MAC(1), FAKE_MAC(3));
	read_capture(1, 7);
	assert_int_equal(file_len, 24 + 2 * (16 + 60));
	assert_int_equal(bytes_get_le32(file), 0xa1b23c4d);
	assert_int_equal(bytes_get_le32(file + 20), 1);
	assert_int_equal(bytes_get_le32(file + 24), 5);
	assert_int_equal(bytes_get_le32(file + 28), 7);
	assert_int_equal(record(0, &data), 60);
	assert_int_equal(wire_get48(data), FAKE_MAC(2));
	assert_int_equal(record(1, &data), 60);
	assert_int_equal(wire_get48(data), FAKE_MAC(1));
	pcap_stop(&port[1].p);
	assert_false(pcap_read(&port[1].p, file, &len, &counts));
}

/* Somebody looks at it by name: it stays that long. */
static void test_port_is_held_by_name(void **state)
{
	struct netport *p = netswitch_hold_port(&sw, "port");

	(void)state;
	assert_ptr_equal(p, &port[0].p);
	assert_int_equal(p->users, 1);
	netswitch_release_port(p);
	assert_int_equal(p->users, 0);
	assert_null(netswitch_hold_port(&sw, "por"));
}

static void test_capture_completes_checksums_and_forgets_what_waits(void **state)
{
	uint32_t len = build_long(30000);
	const uint8_t *data;

	(void)state;
	file_len = 0;
	assert_int_equal(pcap_start(&port[1].p, 100000, 65600), 0);
	port[2].room = 0;
	assert_int_not_equal(fake_send_pkt(&port[1], frame, len, gso, 18), 0);
	port[2].room = 100;
	assert_int_equal(fake_send_pkt(&port[1], frame, len, gso, 18), 0);
	read_capture(1, 1000);
	assert_int_equal(file_len, 24 + 16 + len);
	assert_int_equal(record(0, &data), len);
	assert_true(fake_checksums_right(data, len));
	pcap_stop(&port[1].p);
}

/* Another CPU has recorded a packet in between: that one stays. */
static void test_capture_forgets_no_other_packet(void **state)
{
	struct netpkt pkt = { 0 };
	struct netseg seg = { frame, 60 };
	uint64_t first, second;
	const uint8_t *data;
	struct pcap *c;

	(void)state;
	file_len = 0;
	fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x88b5);
	pkt.seg = &seg;
	pkt.segs = 1;
	pkt.len = 60;
	assert_int_equal(pcap_start(&port[1].p, 100000, 65600), 0);
	c = port[1].p.capture;
	first = pcap_record(c, &pkt);
	frame[20] = 0x77;
	second = pcap_record(c, &pkt);
	pcap_undo(c, first);
	read_capture(1, 1000);
	assert_int_equal(file_len, 24 + 2 * (16 + 60));
	assert_int_equal(record(1, &data), 60);
	assert_int_equal(data[20], 0x77);
	pcap_undo(c, second); /* was read */
	first = pcap_record(c, &pkt);
	pcap_undo(c, first);
	pcap_undo(c, first);
	read_capture(1, 1000);
	assert_int_equal(file_len, 24 + 2 * (16 + 60));
	pcap_stop(&port[1].p);
}

static void test_capture_sizes(void **state)
{
	(void)state;
	assert_int_equal(pcap_start(&port[1].p, 100000, NETPKT_HEAD - 1), -EINVAL);
	assert_int_equal(pcap_start(&port[1].p, 40 + 2000, 2000), -EINVAL);
	assert_int_equal(pcap_start(&port[1].p, 0xffffffff, 262144), -EINVAL);
	fake_heap_limit = 1;
	assert_int_equal(pcap_start(&port[1].p, 100000, 2000), -ENOMEM);
	fake_heap_limit = ~0ul;
}

/* Any lengths, any reading: the file stays a file, and what is not in it was counted. */
static void test_capture_ring_loses_whole_packets(void **state)
{
	struct pcap_counts counts = { 0 };
	uint64_t seed = 1;
	size_t n;
	unsigned int sent = 0, kept = 0;

	(void)state;
	file_len = 0;
	assert_int_equal(pcap_start(&port[1].p, 5000, 2000), 0);
	for (unsigned int i = 0; i < 2000 && file_len < sizeof(file) - 10000; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		memset(frame, (int)i, 1600);
		wire_put16(frame + 20, (uint16_t)i);
		fake_eth(frame, FAKE_MAC(2), FAKE_MAC(1), 0x9999);
		fake_send(&port[1], frame, 60 + (uint32_t)(seed >> 33) % 1400);
		sent++;
		n = (seed >> 50) % 1500;
		assert_true(pcap_read(&port[1].p, file + file_len, &n, &counts));
		file_len += n;
	}
	read_capture(1, 100);
	n = 0;
	assert_true(pcap_read(&port[1].p, file, &n, &counts));
	for (size_t at = 24; at < file_len; kept++) {
		assert_true(bytes_get_le32(file + at + 8) <= 1460);
		assert_int_equal(wire_get16(file + at + 16 + ETH_TYPE), 0x9999);
		assert_int_equal(file[at + 16 + 30], (uint8_t)wire_get16(file + at + 16 + 20));
		at += 16 + bytes_get_le32(file + at + 8);
	}
	assert_true(counts.lost > 0);
	assert_int_equal(counts.packets, kept);
	assert_int_equal(kept + counts.lost, sent);
	pcap_stop(&port[1].p);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_unicast_to_a_guest),
		CASE(test_group_addresses_reach_all_others),
		CASE(test_flood_is_sliced),
		CASE(test_burst),
		CASE(test_burst_of_too_many),
		CASE(test_unknown_is_flooded_until_learnt),
		CASE(test_learnt_address_ages),
		CASE(test_learnt_address_moves),
		CASE(test_configured_address_does_not_move),
		CASE(test_to_itself_goes_nowhere),
		CASE(test_link_local_group_is_never_forwarded),
		CASE(test_tags_need_permission),
		CASE(test_isolated_ports_see_only_others),
		CASE(test_malformed),
		CASE(test_too_long_for_the_receiver),
		CASE(test_link),
		CASE(test_every_drop_has_a_name),
		CASE(test_64_kib_guest_to_guest_uncut),
		CASE(test_64_kib_to_a_port_without_offload),
		CASE(test_segments_need_room_for_all),
		CASE(test_too_many_segments_to_cut),
		CASE(test_long_packets_are_not_flooded),
		CASE(test_full_port_is_waited_for),
		CASE(test_stalled_port_loses_packets),
		CASE(test_flood_waits_for_nobody),
		CASE(test_port_that_never_waits),
		CASE(test_no_wake_up_is_lost),
		CASE(test_one_mac_address_once),
		CASE(test_ports_run_out),
		CASE(test_no_memory),
		CASE(test_detach_waits_for_users_and_frees_waiters),
		CASE(test_table_is_bounded_and_fresh_entries_stay),
		CASE(test_table_set_full_of_configured_addresses),
		CASE(test_made_up_addresses_fill_one_share),
		CASE(test_spoofing),
		CASE(test_host_address_is_the_hosts),
		CASE(test_guarded_frames_cut_short),
		CASE(test_guarded_frames_with_checksums),
		CASE(test_lease_opens_the_guard),
		CASE(test_lease_malformed),
		CASE(test_rate_holds_within_two_percent),
		CASE(test_rate_zero_is_none_and_idle_time_is_not_saved_up),
		CASE(test_port_is_held_by_name),
		CASE(test_capture_of_a_port),
		CASE(test_capture_completes_checksums_and_forgets_what_waits),
		CASE(test_capture_forgets_no_other_packet),
		CASE(test_capture_sizes),
		CASE(test_capture_ring_loses_whole_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
