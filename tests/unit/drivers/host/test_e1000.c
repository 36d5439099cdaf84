/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the 82540EM between a real switch and a device made from the manual: both ways, offload, */
/* full rings, interrupts, link, statistics. */
/* TEST_SOURCES: drivers/host/e1000.c drivers/host/e1000_tx.c drivers/host/e1000_rx.c */
/* TEST_SOURCES: tests/unit/drivers/host/e1000_model.c tests/unit/drivers/net/netfake.c */
/* TEST_SOURCES: tests/unit/drivers/host/nic_thread.c */
/* TEST_SOURCES: drivers/net/netswitch.c drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c */
/* TEST_SOURCES: hv/lib/ratelimit.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/fakes/fake_page.c */
#include "arch/cpu.h"
#include "drivers/host/e1000.h"
#include "e1000_model.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "nic_thread.h"
#include "tests/unit/drivers/net/netfake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WIRE_MAC FAKE_MAC(0x99)
#define GUEST	 FAKE_MAC(1)

static struct e1000 nic;
static struct netswitch sw;
static struct fake_port guest;
static uint8_t frame[NETPKT_LEN_MAX];

/* ---- what is around the driver ---- */

/* As long as the line is active, the handler; then, if it was woken, the thread. */
static void interrupt(void)
{
	for (unsigned int i = 0; i < 4 && model_interrupts(); i++) {
		e1000_interrupt(&nic);
		assert_false(model_interrupts());
		if (nic_thread_woken) {
			nic_thread_run();
		}
	}
	assert_false(model_interrupts());
}

static uint32_t udp(uint32_t len)
{
	return fake_udp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1000, 2000, len);
}

static uint32_t for_guest(uint32_t len)
{
	return fake_udp(frame, GUEST, WIRE_MAC, FAKE_IP(9), FAKE_IP(1), 1000, 2000, len);
}

/* The switch learns who is beyond the wire: what is for strangers goes to all, and never waits. */
static void greet(void)
{
	model_receive(frame, for_guest(18), E1000_RXD_EOP, 0);
	interrupt();
	assert_int_equal(guest.count, 1);
	fake_port_clear(&guest);
	nic.interrupts = 0;
	memset(&nic.port.stats, 0, sizeof(nic.port.stats));
}

static int setup(void **state)
{
	(void)state;
	fake_time = 1000000000;
	model_power_on();
	assert_int_equal(netswitch_init(&sw, "nic0", 64), 0);
	assert_int_equal(e1000_init(&nic, model.regs), 0);
	nic.port.max_len = ETH_FRAME_MAX;
	fake_port_init(&guest, "guest", GUEST);
	guest.p.offload = NETPORT_CSUM | NETPORT_TCP4;
	assert_int_equal(netswitch_attach(&sw, &nic.port), 0);
	assert_int_equal(netswitch_attach(&sw, &guest.p), 0);
	assert_int_equal(e1000_run(&nic), 0);
	e1000_use_interrupt(&nic);
	nic_thread_run();
	assert_false(nic_thread_waits);
	greet();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	netswitch_detach(&nic.port);
	netswitch_detach(&guest.p);
	netswitch_exit(&sw);
	fake_port_clear(&guest);
	model_forget_sent();
	page_free(nic.rx, E1000_RING_PAGE);
	page_free(nic.rx_buf, E1000_BUF_ORDER);
	page_free(nic.tx_buf, E1000_BUF_ORDER);
	assert_int_equal(fake_heap_live, 0);
	assert_int_equal(fake_page_live, 0);
	return 0;
}

/* ---- beginning ---- */

static void test_begin(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	(void)state;
	assert_memory_equal(nic.port.mac, mac, 6);
	assert_int_equal(model.resets, 1);
	assert_true(nic.port.link);
	assert_true(model.regs[E1000_ITR / 4] != 0);
	assert_int_equal(model.ims, E1000_INT_RECEIVE | E1000_INT_LSC);
	assert_int_equal(e1000_nic_ops.speed(&nic.port), 1000);
}

/* Where a reset loads no address, it is taken from the EEPROM, and the receiver told. */
static void test_address_from_eeprom(void **state)
{
	static struct e1000 other;
	struct e1000_model was = model;

	(void)state;
	model.no_address = true;
	assert_int_equal(e1000_init(&other, model.regs), 0);
	assert_memory_equal(other.port.mac, nic.port.mac, 6);
	assert_int_equal(model.regs[E1000_RAL / 4], 0x12005452);
	assert_int_equal(model.regs[E1000_RAH / 4], E1000_RAH_AV | 0x5634);
	page_free(other.rx, E1000_RING_PAGE);
	page_free(other.rx_buf, E1000_BUF_ORDER);
	page_free(other.tx_buf, E1000_BUF_ORDER);
	model = was;
}

static void test_begin_fails(void **state)
{
	static struct e1000 other;
	struct e1000_model was = model;
	unsigned long live = fake_page_live;

	(void)state;
	model.no_address = model.no_eeprom = true;
	assert_int_equal(e1000_init(&other, model.regs), -ENODEV);
	model.no_address = false;
	model.reset_reads = 1000000;
	assert_int_equal(e1000_init(&other, model.regs), -ENODEV);
	model.reset_reads = 3;
	for (fake_page_limit = 0; fake_page_limit < 3;) {
		unsigned long limit = fake_page_limit;

		assert_int_equal(e1000_init(&other, model.regs), -ENOMEM);
		fake_page_limit = limit + 1;
	}
	fake_page_limit = ~0ul;
	assert_int_equal(fake_page_live, live);
	model = was;
}

/* ---- sending ---- */

static void sent_is(unsigned int i, const uint8_t *data, uint32_t len)
{
	assert_true(i < model.sent_count);
	assert_int_equal(model.sent[i].len, len < 60 ? 60 : len);
	assert_memory_equal(model.sent[i].data, data, len);
}

static void test_send(void **state)
{
	static const uint32_t lens[] = { 0, 18, 118, 119, 1472 };

	(void)state;
	for (unsigned int i = 0; i < 5 * E1000_RING; i++) {
		uint32_t len = udp(lens[i % ARRAY_SIZE(lens)]);

		assert_int_equal(fake_send(&guest, frame, len), 0);
		assert_int_equal(model.sent_count, 1);
		sent_is(0, frame, len);
		model_forget_sent();
	}
	assert_false(model_interrupts()); /* nobody waits */
	assert_int_equal(nic.port.stats.received, 5 * E1000_RING);
}

/* The field holds the pseudo header's sum, as a guest leaves it. */
static void make_partial(uint8_t *f, uint32_t len, uint8_t proto, unsigned int field)
{
	uint8_t pseudo[12];

	memcpy(pseudo, f + ETH_LEN + IPV4_SRC, 8);
	pseudo[8] = 0;
	pseudo[9] = proto;
	wire_put16(pseudo + 10, (uint16_t)(len - ETH_LEN - IPV4_LEN));
	wire_put16(f + ETH_LEN + IPV4_LEN + field, fake_sum(pseudo, 12, 0));
}

static void test_send_checksum(void **state)
{
	const struct netpkt partial = { .flags = NETPKT_CSUM_PARTIAL, .csum_start = 34 };
	struct netpkt pkt = partial;
	uint32_t len;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		len = udp(i * 7);
		make_partial(frame, len, IP_UDP, UDP_SUM);
		pkt.csum_offset = UDP_SUM;
		assert_int_equal(fake_send_pkt(&guest, frame, len, pkt, 3), 0);
		assert_true(fake_checksums_right(model.sent[0].data, len));
		model_forget_sent();
		len = fake_tcp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1, 2, TCP_F_ACK, i,
			       i * 7);
		make_partial(frame, len, IP_TCP, TCP_SUM);
		pkt.csum_offset = TCP_SUM;
		assert_int_equal(fake_send_pkt(&guest, frame, len, pkt, 3), 0);
		assert_true(fake_checksums_right(model.sent[0].data, len));
		model_forget_sent();
	}
}

static uint64_t send_gso(uint32_t payload, unsigned int segs)
{
	uint32_t len = fake_tcp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1, 2,
				TCP_F_ACK | TCP_PSH, 77, payload);
	struct netpkt pkt = { .flags = NETPKT_CSUM_PARTIAL,
			      .gso = NETPKT_GSO_TCP4,
			      .gso_size = 1460,
			      .csum_start = 34,
			      .csum_offset = TCP_SUM };

	make_partial(frame, len, IP_TCP, TCP_SUM);
	return fake_send_pkt(&guest, frame, len, pkt, segs);
}

/* The payload comes in order and whole, in frames that a receiver takes. */
static void check_cut(uint32_t payload)
{
	uint32_t at = 0;

	assert_int_equal(model.sent_count, (payload + 1459) / 1460);
	for (unsigned int i = 0; i < model.sent_count; i++) {
		const uint8_t *f = model.sent[i].data;
		uint32_t len = wire_get16(f + ETH_LEN + IPV4_TOTAL) - 40u;

		assert_true(fake_checksums_right(f, len + 54));
		assert_int_equal(wire_get32(f + 34 + TCP_SEQ), 77 + at);
		assert_int_equal(f[34 + TCP_FLAGS] & TCP_PSH, at + len == payload ? TCP_PSH : 0);
		assert_memory_equal(f + 54, frame + 54 + at, len);
		at += len;
	}
	assert_int_equal(at, payload);
}

static void test_send_long(void **state)
{
	static const uint32_t lens[] = { 2000, 1460 * 2, 1460 * 2 + 1, 30000, 65495 };

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		uint32_t payload = lens[i % ARRAY_SIZE(lens)];

		assert_int_equal(send_gso(payload, 3 + i), 0);
		check_cut(payload);
		model_forget_sent();
	}
}

/* As many as there are of one packet, cut for a NIC that only sums: they share what it is told of sums. */
static void test_send_cut(void **state)
{
	const uint32_t payload = GSO_CUT_MAX * NETPKT_GSO_MIN;
	uint32_t len = fake_tcp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1, 2, TCP_F_ACK, 77,
				payload);
	struct netpkt pkt = { .flags = NETPKT_CSUM_PARTIAL,
			      .gso = NETPKT_GSO_TCP4,
			      .gso_size = NETPKT_GSO_MIN,
			      .csum_start = 34,
			      .csum_offset = TCP_SUM };

	(void)state;
	nic.port.offload = NETPORT_CSUM;
	make_partial(frame, len, IP_TCP, TCP_SUM);
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(fake_send_pkt(&guest, frame, len, pkt, 20), 0);
		assert_int_equal(model.sent_count, GSO_CUT_MAX);
		for (unsigned int i = 0; i < GSO_CUT_MAX; i++) {
			assert_true(fake_checksums_right(model.sent[i].data, 54 + NETPKT_GSO_MIN));
			assert_memory_equal(model.sent[i].data + 54,
					    frame + 54 + i * NETPKT_GSO_MIN, NETPKT_GSO_MIN);
		}
		model_forget_sent();
	}
}

/* A full ring makes the sender wait; once the wire was free, an interrupt lets it go on. */
static void test_send_full(void **state)
{
	uint32_t len = udp(500);
	unsigned int n = 0;

	(void)state;
	model.held = true;
	while (n < 2 * E1000_RING && fake_send(&guest, frame, len) == 0) {
		n++;
	}
	assert_int_equal(n, E1000_RING - 1);
	assert_true(model.ims & E1000_INT_TXDW);
	assert_int_equal(guest.resumed, 0);
	model_release();
	assert_int_equal(model.sent_count, n);
	interrupt();
	assert_int_equal(guest.resumed, 1);
	assert_false(model.ims & E1000_INT_TXDW);
	assert_int_equal(fake_send(&guest, frame, len), 0);
	assert_int_equal(model.sent_count, n + 1);
}

static void test_send_long_full(void **state)
{
	unsigned int n = 0;

	(void)state;
	model.held = true;
	while (n < E1000_RING && send_gso(65000, 20) == 0) {
		n++;
	}
	assert_int_equal(n, (E1000_RING - 1) / 33);
	assert_int_equal(fake_send(&guest, frame, udp(100)), 0); /* a short one still fits */
	model_release();
	interrupt();
	assert_int_equal(send_gso(65000, 20), 0);
}

/* ---- receiving ---- */

static void test_receive(void **state)
{
	static const uint32_t lens[] = { 18, 118, 119, 1472 };

	(void)state;
	for (unsigned int i = 0; i < 5 * E1000_RING; i++) {
		uint32_t len = for_guest(lens[i % ARRAY_SIZE(lens)]);

		assert_true(model_receive(frame, len, E1000_RXD_EOP | E1000_RXD_IXSM, 0));
		assert_true(model_interrupts());
		interrupt();
		assert_int_equal(guest.count, 1);
		assert_int_equal(guest.got[0].len, len);
		assert_memory_equal(guest.got[0].data, frame, len);
		assert_int_equal(guest.got[0].flags, NETPKT_NOW);
		fake_port_clear(&guest);
	}
	assert_int_equal(nic.port.stats.sent, 5 * E1000_RING);
}

/* Masked until the thread has served it; what comes meanwhile makes no interrupt of its own. */
static void test_receive_moderated(void **state)
{
	uint32_t len = for_guest(100);

	(void)state;
	model_receive(frame, len, E1000_RXD_EOP, 0);
	e1000_interrupt(&nic);
	for (unsigned int i = 0; i < 50; i++) {
		model_receive(frame, len, E1000_RXD_EOP, 0);
		assert_false(model_interrupts());
	}
	nic_thread_run();
	assert_int_equal(guest.count, 51);
	interrupt(); /* one more for what came behind its back */
	assert_int_equal(guest.count, 51);
	assert_int_equal(nic.interrupts, 2);
}

static void test_receive_checksum(void **state)
{
	static const struct {
		uint8_t status, errors, flags;
	} cases[] = {
		{ E1000_RXD_TCPCS, 0, NETPKT_CSUM_VALID },
		{ 0, 0, 0 },
		{ E1000_RXD_TCPCS | E1000_RXD_IXSM, 0, 0 },
		{ E1000_RXD_TCPCS, E1000_RXE_TCPE, 0 },
	};
	uint32_t len = for_guest(100);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		model_receive(frame, len, cases[i].status | E1000_RXD_EOP, cases[i].errors);
		interrupt();
		assert_int_equal(guest.count, i + 1);
		assert_int_equal(guest.got[i].flags, cases[i].flags | NETPKT_NOW);
	}
}

static void test_receive_errors(void **state)
{
	static const uint8_t errors[] = { 1, 2, 4, 0x10, 0x80 };
	uint32_t len = for_guest(100);
	struct netnic_stats s;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		model_receive(frame, len, E1000_RXD_EOP, errors[i]);
	}
	model_receive(frame, len, 0, 0); /* the first part of something longer */
	model_receive(frame, 0, E1000_RXD_EOP, 0);
	interrupt();
	assert_int_equal(guest.count, 0);
	model.regs[E1000_CRCERRS / 4] = 3;
	e1000_nic_ops.stats(&nic.port, &s);
	assert_int_equal(s.errors, ARRAY_SIZE(errors) + 2 + 3);
	assert_int_equal(s.missed, 0);
}

/* What the ring has no room for is lost and counted; then all goes on. */
static void test_receive_too_much(void **state)
{
	uint32_t len = for_guest(100);
	struct netnic_stats s;

	(void)state;
	for (unsigned int i = 0; i < E1000_RING + 10; i++) {
		assert_int_equal(model_receive(frame, len, E1000_RXD_EOP, 0), i < E1000_RING - 1);
	}
	interrupt();
	assert_int_equal(guest.count, E1000_RING - 1);
	e1000_nic_ops.stats(&nic.port, &s);
	assert_int_equal(s.missed, 11);
	assert_true(model_receive(frame, len, E1000_RXD_EOP, 0));
	interrupt();
	assert_int_equal(guest.count, E1000_RING);
}

/* ---- the rest ---- */

static void test_link(void **state)
{
	uint32_t len = udp(100);

	(void)state;
	model_set_link(false);
	interrupt();
	assert_false(nic.port.link);
	assert_int_equal(fake_send(&guest, frame, len), 0); /* lost */
	assert_int_equal(model.sent_count, 0);
	model_set_link(true);
	interrupt();
	assert_true(nic.port.link);
	fake_send(&guest, frame, len);
	assert_int_equal(model.sent_count, 1);
}

static void test_promiscuous(void **state)
{
	const uint32_t all = E1000_RCTL_UPE | E1000_RCTL_MPE;
	uint32_t rctl = model.regs[E1000_RCTL / 4];

	(void)state;
	assert_int_equal(rctl & all, 0);
	e1000_nic_ops.set_promiscuous(&nic.port, true);
	assert_int_equal(model.regs[E1000_RCTL / 4], rctl | all);
	e1000_nic_ops.set_promiscuous(&nic.port, false);
	assert_int_equal(model.regs[E1000_RCTL / 4], rctl);
}

/* The line is shared: another's interrupt is none of ours. */
static void test_shared_line(void **state)
{
	uint32_t ims = model.ims;

	(void)state;
	nic_thread_woken = false;
	e1000_interrupt(&nic);
	assert_false(nic_thread_woken);
	assert_int_equal(model.ims, ims);
	assert_int_equal(nic.interrupts, 0);
}

/* Without an interrupt the thread comes by itself, and asks for none. */
static void test_polled(void **state)
{
	uint32_t len = for_guest(100);

	(void)state;
	nic.by_interrupt = false;
	model.ims = 0;
	model_receive(frame, len, E1000_RXD_EOP, 0);
	model_set_link(false);
	model_set_link(true);
	nic_thread_run();
	assert_true(nic_thread_waits);
	assert_int_equal(guest.count, 1);
	assert_int_equal(model.ims, 0);
	model.held = true;
	len = udp(500);
	while (fake_send(&guest, frame, len) == 0) {
	}
	assert_int_equal(model.ims, 0);
	model_release();
	nic_thread_run();
	assert_int_equal(guest.resumed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_from_eeprom, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begin_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_checksum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_long_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_moderated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_checksum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_too_much, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promiscuous, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_polled, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
