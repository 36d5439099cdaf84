/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio network cards between a real switch and a card made from the specification: both ways, */
/* offload, full rings, notifications, link, filter; and cards that break the rules. */
/* TEST_SOURCES: drivers/host/host_virtio_net.c drivers/host/host_virtio_net_tx.c drivers/host/host_virtio_net_rx.c */
/* TEST_SOURCES: drivers/host/host_virtio_net_ctrl.c drivers/host/host_virtio.c drivers/host/host_vring.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_hdr.c tests/unit/drivers/host/virtio_net_model.c */
/* TEST_SOURCES: tests/unit/drivers/host/nic_thread.c tests/unit/drivers/host/virtio_model.c */
/* TEST_SOURCES: tests/unit/drivers/net/netfake.c drivers/net/netswitch.c drivers/net/netport.c drivers/net/netguard.c */
/* TEST_SOURCES: drivers/net/mactable.c hv/lib/ratelimit.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/checksum.c hv/lib/string.c hv/lib/errno.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_page.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "drivers/host/host_virtio_net.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "nic_thread.h"
#include "tests/unit/drivers/net/netfake.h"
#include "virtio_net_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIRE_MAC FAKE_MAC(0x99)
#define GUEST	 FAKE_MAC(1)
#define RING	 HOST_VIRTIO_NET_RING

extern const struct host_pci_driver *const host_pci_drivers_start[];

static struct netport *nic;
static const struct netnic_ops *nic_ops;
static struct netswitch sw;
static struct fake_port guest;
static uint8_t frame[NETPKT_LEN_MAX];
static const uint8_t no_hdr[VIRTIO_NET_HDR];
static unsigned int logged;

/* ---- what is around the driver ---- */

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	logged += level == LOG_HOST;
}

int netport_offer(struct netport *p, const struct netnic_ops *ops)
{
	assert_false(p->link);
	nic = p;
	nic_ops = ops;
	p->max_len = ETH_FRAME_MAX;
	return netswitch_attach(&sw, p);
}

/* The card's interrupt, if it wants one; then, if it was woken, the thread. */
static void interrupt(void)
{
	if (model.interrupts) {
		model.interrupts = false;
		virtio_model.irq(virtio_model.arg);
	}
	if (nic_thread_woken) {
		nic_thread_run();
	}
}

static uint32_t udp(uint32_t len)
{
	return fake_udp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1000, 2000, len);
}

static uint32_t for_guest(uint32_t len)
{
	return fake_udp(frame, GUEST, WIRE_MAC, FAKE_IP(9), FAKE_IP(1), 1000, 2000, len);
}

static bool receive(const uint8_t *hdr, uint32_t len)
{
	return model_receive(hdr, frame, len, len + VIRTIO_NET_HDR);
}

static struct netnic_stats stats(void)
{
	struct netnic_stats s = { 0 };

	nic_ops->stats(nic, &s);
	return s;
}

static int probe(void)
{
	assert_true(host_pci_drivers_start[0]->match(&virtio_model_pci));
	nic = NULL;
	return host_pci_drivers_start[0]->probe(&virtio_model_pci);
}

/* The switch learns who is beyond the wire: what is for strangers goes to all, and never waits. */
static int start(void)
{
	assert_int_equal(netswitch_init(&sw, "nic0", 64), 0);
	fake_port_init(&guest, "guest", GUEST);
	guest.p.offload = NETPORT_CSUM | NETPORT_TCP4;
	assert_int_equal(netswitch_attach(&sw, &guest.p), 0);
	assert_int_equal(probe(), 0);
	nic_thread_run();
	receive(no_hdr, for_guest(18));
	interrupt();
	assert_int_equal(guest.count, 1);
	fake_port_clear(&guest);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	fake_time = 1000000000;
	logged = 0;
	model_power_on();
	return start();
}

static void free_nic(struct host_virtio_net *n)
{
	page_free(n->rx_buf, HOST_VIRTIO_NET_BUF_ORDER);
	page_free(n->tx_buf, HOST_VIRTIO_NET_BUF_ORDER);
	page_free(n->ctrl_buf, 0);
	host_vring_free(&n->rx);
	host_vring_free(&n->tx);
	host_vring_free(&n->ctrl);
	heap_free(n);
}

static int teardown(void **state)
{
	(void)state;
	netswitch_detach(nic);
	netswitch_detach(&guest.p);
	netswitch_exit(&sw);
	fake_port_clear(&guest);
	model_forget_sent();
	free_nic(virtio_model.arg);
	assert_int_equal(fake_heap_live, 0);
	assert_int_equal(fake_page_live, 0);
	return 0;
}

/* ---- beginning ---- */

static void test_begin(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	(void)state;
	assert_memory_equal(nic->mac, mac, 6);
	assert_true(nic->link);
	assert_int_equal(virtio_model.status, 15);
	assert_int_equal(nic->offload, NETPORT_CSUM | NETPORT_TCP4 | NETPORT_TCP6);
	assert_false(virtio_model.accepted &
		     (BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
		      BIT(VIRTIO_NET_F_MRG_RXBUF)));
	for (unsigned int i = 0; i < VIRTIO_MODEL_QUEUES; i++) {
		assert_true(virtio_model.q[i].enabled);
		assert_int_equal(virtio_model.q[i].vector, 0);
	}
	assert_int_equal(virtio_model.config_vector, 0);
	assert_true(virtio_model.q[0].kicks >= 1);
}

/* What it cannot do is not asked for. */
static void test_plain_card(void **state)
{
	(void)state;
	teardown(NULL);
	model_power_on();
	virtio_model.queues = 2;
	virtio_model.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MAC);
	start();
	assert_int_equal(nic->offload, 0);
	assert_true(nic->link);
	nic_ops->set_promiscuous(nic, true);
	assert_int_equal(model.commands, 0);
	assert_int_equal(logged, 0);
}

static void test_begin_fails(void **state)
{
	unsigned long heap = fake_heap_live, pages = fake_page_live;
	struct virtio_model was = virtio_model;

	(void)state;
	virtio_model.offered &= ~BIT(VIRTIO_NET_F_MAC);
	assert_int_equal(probe(), -ENOTSUP);
	virtio_model.offered &= ~BIT(VIRTIO_F_VERSION_1);
	assert_int_equal(probe(), -ENOTSUP);
	virtio_model.offered = was.offered;
	for (fake_page_limit = 0; fake_page_limit < 6;) {
		unsigned long limit = fake_page_limit;

		assert_int_equal(probe(), -ENOMEM);
		fake_page_limit = limit + 1;
	}
	fake_page_limit = ~0ul;
	fake_heap_limit = 0;
	assert_int_equal(probe(), -ENOMEM);
	fake_heap_limit = ~0ul;
	assert_int_equal(fake_heap_live, heap);
	assert_int_equal(fake_page_live, pages);
	nic = &((struct host_virtio_net *)was.arg)->port;
	virtio_model = was;
}

/* Too few queues: from the interrupt on nothing is freed, but the card is off. */
static void test_no_queues(void **state)
{
	struct virtio_model was = virtio_model;

	(void)state;
	virtio_model.queues = 1;
	assert_int_equal(probe(), -ENODEV);
	assert_int_equal(virtio_model.status, 0);
	free_nic(virtio_model.arg);
	nic = &((struct host_virtio_net *)was.arg)->port;
	virtio_model = was;
}

/* ---- sending ---- */

static void sent_is(unsigned int i, const uint8_t *hdr, const uint8_t *data, uint32_t len)
{
	assert_true(i < model.sent_count);
	assert_int_equal(model.sent[i].len, len);
	assert_memory_equal(model.sent[i].hdr, hdr, VIRTIO_NET_HDR);
	assert_memory_equal(model.sent[i].data, data, len);
}

static void test_send(void **state)
{
	static const uint32_t lens[] = { 0, 18, 118, 119, 1472 };

	(void)state;
	for (unsigned int i = 0; i < 5 * RING; i++) {
		uint32_t len = udp(lens[i % ARRAY_SIZE(lens)]);

		assert_int_equal(fake_send(&guest, frame, len), 0);
		assert_int_equal(model.sent_count, 1);
		sent_is(0, no_hdr, frame, len);
		model_forget_sent();
		model.backwards = i & 1;
	}
	assert_false(model.interrupts); /* nobody waits */
	assert_int_equal(nic->stats.received, 5 * RING);
}

static void test_send_offload(void **state)
{
	const uint32_t payload = 40000;
	uint32_t len = fake_tcp(frame, WIRE_MAC, GUEST, FAKE_IP(1), FAKE_IP(9), 1, 2, TCP_F_ACK, 7,
				payload);
	struct netpkt pkt = { .flags = NETPKT_CSUM_PARTIAL | NETPKT_ECN,
			      .gso = NETPKT_GSO_TCP4,
			      .gso_size = 1460,
			      .csum_start = 34,
			      .csum_offset = TCP_SUM };
	uint8_t hdr[VIRTIO_NET_HDR] = { VIRTIO_NET_NEEDS_CSUM,
					VIRTIO_NET_GSO_TCP4 | VIRTIO_NET_GSO_ECN };

	(void)state;
	bytes_put_le16(hdr + VIRTIO_NET_HDR_LEN, 54);
	bytes_put_le16(hdr + VIRTIO_NET_HDR_GSO_SIZE, 1460);
	bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_START, 34);
	bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_OFFSET, TCP_SUM);
	for (unsigned int i = 0; i < 40; i++) {
		assert_int_equal(fake_send_pkt(&guest, frame, len, pkt, 20), 0);
		sent_is(0, hdr, frame, len);
		model_forget_sent();
	}
}

/* What the receiver of another packet knows of sums is no driver's to say. */
static void test_send_valid(void **state)
{
	const struct netpkt pkt = { .flags = NETPKT_CSUM_VALID };
	uint32_t len = udp(100);

	(void)state;
	assert_int_equal(fake_send_pkt(&guest, frame, len, pkt, 2), 0);
	sent_is(0, no_hdr, frame, len);
}

/* The card takes what is there without being told of each. */
static void test_no_kick(void **state)
{
	unsigned int kicks;

	(void)state;
	model.quiet = true;
	fake_send(&guest, frame, udp(10));
	kicks = virtio_model.q[1].kicks;
	fake_send(&guest, frame, udp(20));
	assert_int_equal(virtio_model.q[1].kicks, kicks);
	model_release();
	assert_int_equal(model.sent_count, 2);
}

/* A full ring makes the sender wait; once the card was done, an interrupt lets it go on. */
static void test_send_full(void **state)
{
	uint32_t len = udp(500);
	unsigned int n = 0;

	(void)state;
	model.held = true;
	while (n < 2 * RING && fake_send(&guest, frame, len) == 0) {
		n++;
	}
	assert_int_equal(n, RING);
	assert_int_equal(guest.resumed, 0);
	model.backwards = true;
	model_release();
	assert_int_equal(model.sent_count, n);
	assert_true(model.interrupts);
	interrupt();
	assert_int_equal(guest.resumed, 1);
	assert_int_equal(fake_send(&guest, frame, len), 0);
	assert_int_equal(model.sent_count, n + 1);
	assert_false(model.interrupts); /* nobody waits any more */
}

/* ---- receiving ---- */

static void test_receive(void **state)
{
	static const uint32_t lens[] = { 18, 118, 119, 1472 };
	uint64_t before = nic->stats.sent;

	(void)state;
	for (unsigned int i = 0; i < 5 * RING; i++) {
		uint32_t len = for_guest(lens[i % ARRAY_SIZE(lens)]);

		assert_true(receive(no_hdr, len));
		assert_true(model.interrupts);
		interrupt();
		assert_int_equal(guest.count, 1);
		assert_int_equal(guest.got[0].len, len);
		assert_memory_equal(guest.got[0].data, frame, len);
		assert_int_equal(guest.got[0].flags, NETPKT_NOW);
		fake_port_clear(&guest);
	}
	assert_int_equal(nic->stats.sent - before, 5 * RING);
	assert_true(stats().interrupts > 0);
}

/* As many as there are buffers, for one interrupt; one more finds none. */
static void test_receive_many(void **state)
{
	uint32_t len = for_guest(60);

	(void)state;
	guest.empty = true;
	for (unsigned int i = 0; i < RING; i++) {
		assert_true(receive(no_hdr, len));
	}
	assert_false(receive(no_hdr, len));
	interrupt();
	assert_int_equal(guest.count, RING);
	assert_true(receive(no_hdr, len));
	interrupt();
	assert_int_equal(guest.count, RING + 1);
}

static void test_receive_sums(void **state)
{
	uint8_t valid[VIRTIO_NET_HDR] = { VIRTIO_NET_DATA_VALID };
	uint8_t partial[VIRTIO_NET_HDR] = { VIRTIO_NET_NEEDS_CSUM };

	(void)state;
	receive(valid, for_guest(30));
	interrupt();
	assert_true(guest.got[0].flags & NETPKT_CSUM_VALID);
	bytes_put_le16(partial + VIRTIO_NET_HDR_CSUM_START, 34);
	bytes_put_le16(partial + VIRTIO_NET_HDR_CSUM_OFFSET, UDP_SUM);
	receive(partial, for_guest(30));
	interrupt();
	assert_true(guest.got[1].flags & NETPKT_CSUM_PARTIAL);
	assert_int_equal(guest.got[1].csum_start, 34);
	bytes_put_le16(partial + VIRTIO_NET_HDR_CSUM_START, 0xfff0); /* outside of it */
	receive(partial, for_guest(30));
	interrupt();
	assert_int_equal(guest.count, 2);
	assert_int_equal(nic->stats.drops[NETPORT_DROP_MALFORMED], 1);
}

/* No packet, more than a buffer holds, or cut for somebody who did not ask for it. */
static void test_receive_nonsense(void **state)
{
	static const uint32_t bytes[] = { 0, 1, VIRTIO_NET_HDR, HOST_VIRTIO_NET_BUFFER + 1,
					  0xffffffff };
	static const uint8_t gso[VIRTIO_NET_HDR] = { VIRTIO_NET_NEEDS_CSUM, VIRTIO_NET_GSO_TCP4 };
	uint32_t len = for_guest(30);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bytes); i++) {
		model_receive(no_hdr, frame, len, bytes[i]);
		interrupt();
	}
	receive(gso, len);
	interrupt();
	assert_int_equal(stats().errors, ARRAY_SIZE(bytes) + 1);
	assert_int_equal(guest.count, 0);
	receive(no_hdr, len);
	interrupt();
	assert_int_equal(guest.count, 1);
}

/* ---- cards that break the rules ---- */

static void is_off(void)
{
	uint32_t len = udp(20);

	interrupt();
	assert_int_equal(virtio_model.status, 0);
	assert_false(nic->link);
	assert_int_equal(logged, 1);
	for (unsigned int i = 0; i < 3 * RING; i++) {
		assert_int_equal(fake_send(&guest, frame, len), 0); /* lost, and nobody waits */
	}
	assert_int_equal(logged, 1);
}

static void test_sent_nonsense(void **state)
{
	enum virtio_model_lie habit = *(const enum virtio_model_lie *)*state;

	setup(NULL);
	virtio_model.lie = habit;
	fake_send(&guest, frame, udp(1000));
	virtio_model.lie = VIRTIO_MODEL_IS_RIGHT;
	fake_send(&guest, frame, udp(20));
	is_off();
	teardown(NULL);
}

static void test_received_nonsense(void **state)
{
	enum virtio_model_lie habit = *(const enum virtio_model_lie *)*state;

	setup(NULL);
	virtio_model.lie = habit;
	receive(no_hdr, for_guest(20));
	is_off();
	teardown(NULL);
}

/* ---- link and filter ---- */

static void test_link(void **state)
{
	(void)state;
	model_set_link(false);
	interrupt();
	assert_false(nic->link);
	model_set_link(true);
	interrupt();
	assert_true(nic->link);
	assert_int_equal(nic_ops->speed(nic), 0);
}

static void test_promiscuous(void **state)
{
	(void)state;
	nic_ops->set_promiscuous(nic, true);
	assert_int_equal(model.commands, 1);
	assert_memory_equal(model.command, ((uint8_t[]){ 0, 0, 1 }), 3);
	nic_ops->set_promiscuous(nic, false);
	assert_int_equal(model.command[2], 0);
	assert_int_equal(logged, 0);
	model.ack = 1;
	nic_ops->set_promiscuous(nic, true);
	assert_int_equal(logged, 1);
	model.ack = 0;
	nic_ops->set_promiscuous(nic, true);
	assert_int_equal(model.commands, 4);
}

/* A card that does not answer has the buffer: it is never asked again. */
static void test_promiscuous_silent(void **state)
{
	uint64_t before = fake_time;

	(void)state;
	model.deaf = true;
	nic_ops->set_promiscuous(nic, true);
	assert_true(fake_time - before < 2000000000);
	nic_ops->set_promiscuous(nic, true);
	assert_int_equal(model.commands, 1);
	assert_int_equal(logged, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define BREAKS(t, h)                                                                               \
	{                                                                                          \
#t " " #h, t, NULL, NULL, (void *)&habits[h]                                       \
	}

int main(void)
{
	static const enum virtio_model_lie habits[] = { VIRTIO_MODEL_IS_RIGHT,
							VIRTIO_MODEL_NO_SUCH_ENTRY,
							VIRTIO_MODEL_NOT_A_HEAD, VIRTIO_MODEL_TWICE,
							VIRTIO_MODEL_RUNS_AWAY };
	const struct CMUnitTest tests[] = {
		CASE(test_begin),
		CASE(test_plain_card),
		CASE(test_begin_fails),
		CASE(test_no_queues),
		CASE(test_send),
		CASE(test_send_offload),
		CASE(test_send_valid),
		CASE(test_no_kick),
		CASE(test_send_full),
		CASE(test_receive),
		CASE(test_receive_many),
		CASE(test_receive_sums),
		CASE(test_receive_nonsense),
		BREAKS(test_sent_nonsense, VIRTIO_MODEL_NO_SUCH_ENTRY),
		BREAKS(test_sent_nonsense, VIRTIO_MODEL_NOT_A_HEAD),
		BREAKS(test_sent_nonsense, VIRTIO_MODEL_TWICE),
		BREAKS(test_sent_nonsense, VIRTIO_MODEL_RUNS_AWAY),
		BREAKS(test_received_nonsense, VIRTIO_MODEL_NO_SUCH_ENTRY),
		BREAKS(test_received_nonsense, VIRTIO_MODEL_RUNS_AWAY),
		CASE(test_link),
		CASE(test_promiscuous),
		CASE(test_promiscuous_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
