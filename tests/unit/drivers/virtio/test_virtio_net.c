/* SPDX-License-Identifier: BSD-2-Clause */
/* The network device over a network that the test plays: what a driver sends and receives, offload, */
/* waiting, buffers of every shape, rude drivers, the cable, saved state. */
/* TEST_SOURCES: drivers/virtio/virtio_net.c drivers/virtio/virtio_net_hdr.c drivers/net/netqueue.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_tx.c drivers/virtio/virtio_net_rx.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c drivers/net/checksum.c */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c tests/unit/fakes/fake_page.c hv/vm_config.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* TEST_SOURCES: hv/lib/string.c hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_ctrl.c drivers/virtio/virtio_net_filter.c drivers/virtio/virtio_net_steer.c */
/* TEST_SOURCES: tests/unit/drivers/virtio/fake_lan.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_driver.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_save.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld -Wl,--wrap=spin_unlock */
#include "drivers/net/netqueue.h"
#include "drivers/virtio/virtio_net.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/errno.h"
#include "tests/unit/drivers/virtio/fake_lan.h"
#include "tests/unit/fakes/fake_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NIC  VIRTIO_SLOT_NIC
#define W    VIRTQ_DESC_WRITE
#define N    VIRTQ_DESC_NEXT
#define HDR  VIRTIO_NET_HDR
#define LIVE (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)
enum { RX, TX };

#define PLAIN DRV_VERSION_1
#define MERGE (DRV_VERSION_1 | BIT(VIRTIO_NET_F_MRG_RXBUF))
#define SUMS  (MERGE | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM))
#define OFFLOAD                                                                                    \
	(SUMS | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                       \
	 BIT(VIRTIO_NET_F_GUEST_ECN))

static uint8_t arrived(uint64_t gpa)
{
	return fake_ram[gpa];
}

/* ---- what it is ---- */

static void test_configuration(void **state)
{
	uint8_t mac[6];

	(void)state;
	drv_map(NIC);
	assert_int_equal(drv_config_get(0, 4), 0x10411af4);
	assert_int_equal(drv_config_get(8, 4) >> 8, 0x020000);
	vm_config_mac(&fake_vm.cfg, 0, mac);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(drv_get(DRV_DEVICE + i, 1), mac[i]);
	}
	assert_int_equal(mac[0], 2);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_NET_STATUS, 2), 1);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_NET_MTU, 2), 1500);
	assert_false(lan.port->link); /* nobody drives it */
	drv_start(NIC, PLAIN, 2);
	assert_true(lan.port->link);
	drv_set_status(0);
	assert_false(lan.port->link);
}

/* Names differ, so do addresses; a configured one counts. */
static void test_addresses(void **state)
{
	struct vm_config a = { .name = "a" }, b = { .name = "b" };
	uint8_t mac[4][6];

	(void)state;
	vm_config_mac(&a, 0, mac[0]);
	vm_config_mac(&a, 1, mac[1]);
	vm_config_mac(&b, 0, mac[2]);
	memcpy(a.nics[0].mac, "\x52\x54\x00\x00\x00\x01", 6);
	vm_config_mac(&a, 0, mac[3]);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(mac[i][0] & 1);
		for (unsigned int k = 0; k < i; k++) {
			assert_memory_not_equal(mac[i], mac[k], 6);
		}
	}
	assert_memory_equal(mac[3], a.nics[0].mac, 6);
}

/* ---- sending ---- */

static void test_sends(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	drv_msix_on(3);
	lan_offer_frame(TX, 0, 60);
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(lan.last.len, 60);
	assert_int_equal(lan.frame[59], 118);
	assert_int_equal(drv_used(TX), 1);
	assert_int_equal(drv_used_len(TX, 0), 0);
	assert_int_equal(fake_msg.vector, 0x42);
}

/* 2.7.4: framing is the driver's; the head is a copy, the rest as it lies there. */
static void test_sends_pieces(void **state)
{
	uint64_t at = DRV_DATA(TX);

	(void)state;
	drv_start(NIC, PLAIN, 2);
	lan_put_header(at, 0, 0, 0, 0, 0);
	lan_put_frame(at + 0x100, 0, 1514);
	drv_desc(TX, 0, at, 5, N, 1);
	drv_desc(TX, 1, at + 5, 7, N, 2);
	drv_desc(TX, 2, at + 0x100, 100, N, 3);
	drv_desc(TX, 3, at + 0x100 + 100, 900, N, 4);
	drv_desc(TX, 4, at + 0x100 + 1000, 514, 0, 0);
	drv_offer(TX, 0);
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(lan.last.len, 1514);
	assert_int_equal(lan.last.segs, 3);
	assert_int_equal(lan.last.seg[0].len, NETPKT_HEAD);
	assert_memory_equal(lan.frame, &fake_ram[at + 0x100], 1514);
}

static void test_send_offload(void **state)
{
	uint64_t at = DRV_DATA(TX);

	(void)state;
	drv_start(NIC, SUMS, 2);
	lan_offer_frame(TX, 0, 600);
	lan_put_header(at, VIRTIO_NET_NEEDS_CSUM | 0xf0, 0, 0, 34, 16); /* unknown flags: ignored */
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(lan.last.flags, NETPKT_CSUM_PARTIAL);
	assert_int_equal(lan.last.csum_start, 34);
	assert_int_equal(lan.last.csum_offset, 16);
}

/* What was not negotiated, and what makes no sense, is lost and counted. */
static void test_send_nonsense(void **state)
{
	static const struct {
		uint64_t features;
		uint32_t len;
		uint8_t flags, gso;
		uint16_t size, at, off;
	} cases[] = {
		{ PLAIN, 60, VIRTIO_NET_NEEDS_CSUM, 0, 0, 34, 16 },
		{ SUMS, 60, VIRTIO_NET_NEEDS_CSUM, VIRTIO_NET_GSO_TCP4, 1448, 34, 16 },
		{ OFFLOAD, 60, VIRTIO_NET_NEEDS_CSUM, VIRTIO_NET_GSO_TCP6, 1448, 54, 16 },
		{ OFFLOAD, 60, VIRTIO_NET_NEEDS_CSUM, 3, 1448, 34, 16 },    /* UDP */
		{ OFFLOAD, 60, VIRTIO_NET_NEEDS_CSUM, 0x81, 1448, 34, 16 }, /* ECN */
		{ OFFLOAD, 60, 0, VIRTIO_NET_GSO_TCP4, 1448, 0, 0 },
		{ OFFLOAD, 60, VIRTIO_NET_NEEDS_CSUM, VIRTIO_NET_GSO_TCP4, 0, 34, 16 },
		{ OFFLOAD, 60, VIRTIO_NET_NEEDS_CSUM, VIRTIO_NET_GSO_TCP4, 1448, 34, 16 },
		{ SUMS, 60, VIRTIO_NET_NEEDS_CSUM, 0, 0, 59, 0 },
		{ SUMS, 60, VIRTIO_NET_NEEDS_CSUM, 0, 0, 0xffff, 0xffff },
		{ SUMS, 60, VIRTIO_NET_NEEDS_CSUM, 0, 0, 0, 0 },
		{ SUMS, 13, 0, 0, 0, 0, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		drv_start(NIC, cases[i].features, 2);
		lan_offer_frame(TX, 0, cases[i].len);
		lan_put_header(DRV_DATA(TX), cases[i].flags, cases[i].gso, cases[i].size,
			       cases[i].at, cases[i].off);
		lan_kick(TX);
		assert_int_equal(lan.sent, 0);
		assert_int_equal(lan.malformed, i + 1);
		assert_int_equal(drv_used(TX), 1);
		assert_int_equal(drv_status(), LIVE);
	}
	drv_start(NIC, PLAIN, 2);
	drv_desc(TX, 0, DRV_DATA(TX), 4, 0, 0); /* not even a header */
	drv_offer(TX, 0);
	drv_desc(TX, 1, 0, FAKE_RAM, 0, 0); /* 1 MiB */
	drv_offer(TX, 1);
	lan_kick(TX);
	assert_int_equal(lan.malformed, ARRAY_SIZE(cases) + 2);
}

/* More pieces than the switch takes: lost, not read beyond. */
static void test_send_many_pieces(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	drv_desc(TX, 0, DRV_INDIRECT(TX), 16 * 16, VIRTQ_DESC_INDIRECT, 0);
	for (unsigned int i = 0; i < 16; i++) {
		drv_indirect(TX, i, DRV_DATA(TX) + 64 * i, 64, i < 15 ? N : 0, (uint16_t)(i + 1));
	}
	drv_offer(TX, 0);
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(lan.last.len, 1024 - HDR);
}

/* An indirect chain of 16 whose last piece alone is not empty. */
static void offer_hollow(unsigned int q, uint16_t head, uint32_t len, uint16_t flags)
{
	drv_desc(q, head, DRV_INDIRECT(q), 16 * 16, VIRTQ_DESC_INDIRECT, 0);
	for (unsigned int i = 0; i < 16; i++) {
		drv_indirect(q, i, DRV_DATA(q), i < 15 ? 0 : len,
			     (uint16_t)(flags | (i < 15 ? N : 0)), (uint16_t)(i + 1));
	}
	drv_offer(q, head);
}

/* Others get their turn every few packets, of so many descriptors; empty ones are no pieces. */
static void test_send_empty_pieces(void **state)
{
	unsigned int before = fake_checkpoints;

	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	lan_put_header(DRV_DATA(TX), 0, 0, 0, 0, 0);
	for (uint16_t i = 0; i < 12; i++) {
		offer_hollow(TX, i, HDR + 60, 0);
	}
	lan_kick(TX);
	assert_int_equal(lan.sent, 12);
	assert_int_equal(lan.last.segs, 1);
	assert_true(fake_checkpoints - before >= 4);
	assert_int_equal(lan.bursts, 1);
}

static unsigned int most_at_once, parked_before;

static void note_parked(void)
{
	unsigned int parked = container_of(lan.port, struct virtio_net, port)->pair[0]->tx.parked;

	most_at_once = (unsigned int)u64_max(most_at_once, parked - parked_before);
	parked_before = parked;
}

/* Nor are many packets at a stretch put behind one that waits. */
static void test_park_in_parts(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	lan.wait = ~0ul;
	for (uint16_t i = 0; i < 14; i++) {
		lan_offer_frame(TX, i, 60);
	}
	most_at_once = parked_before = 0;
	fake_on_checkpoint = note_parked;
	lan_kick(TX);
	fake_on_checkpoint = NULL;
	assert_int_equal(parked_before, 14);
	assert_in_range(most_at_once, 1, 8);
}

static unsigned int sent_first;

static void note_sent(void)
{
	sent_first = sent_first != 0 ? sent_first : lan.sent;
}

/* A packet that takes long does not come on top of others. */
static void test_long_packet_begins_a_turn(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	for (uint16_t i = 0; i < 4; i++) {
		lan_offer_frame(TX, i, 60);
	}
	lan_put_header(DRV_DATA(TX) + 0x7000, 0, 0, 0, 0, 0);
	drv_desc(TX, 4, DRV_DATA(TX) + 0x7000, HDR, N, 5);
	for (uint16_t i = 5; i < 16; i++) {
		drv_desc(TX, i, DRV_DATA(TX) + 0x7010, 64, i < 15 ? N : 0, (uint16_t)(i + 1));
	}
	drv_offer(TX, 4);
	sent_first = 0;
	fake_on_checkpoint = note_sent;
	lan_kick(TX);
	fake_on_checkpoint = NULL;
	assert_int_equal(lan.sent, 5);
	assert_int_equal(sent_first, 4);
}

/* A queue that takes chains of 100: more pieces than the switch does are put together. */
static void test_send_too_many_pieces(void **state)
{
	uint64_t at = DRV_DATA(TX);

	(void)state;
	for (unsigned int pieces = 62; pieces <= 100; pieces += pieces == 62 ? 1 : 37) {
		fake_guest_mem_reset();
		drv_map(NIC);
		drv_negotiate(DRV_VERSION_1);
		drv_queue_of(TX, 128);
		drv_set_status(LIVE);
		lan_put_header(at, 0, 0, 0, 0, 0);
		lan_put_frame(at + HDR, 0, 160 + 10 * pieces);
		drv_desc(TX, 0, at, HDR + 160, N, 1);
		for (unsigned int i = 0; i < pieces; i++) {
			drv_desc(TX, i + 1, at + HDR + 160 + 10 * i, 10, i + 1 < pieces ? N : 0,
				 (uint16_t)(i + 2));
		}
		drv_offer(TX, 0);
		lan.sent = 0;
		lan_kick(TX);
		assert_int_equal(lan.sent, 1);
		assert_int_equal(lan.last.segs, pieces == 62 ? 63 : 2);
		assert_memory_equal(lan.frame, &fake_ram[at + HDR], 160 + 10 * pieces);
	}
}

/* The network says wait: the buffer stays the driver's until somebody resumes, or the time is up. */
static void test_waits(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	lan.wait = FAKE_PC_START + 1000000;
	lan_offer_frame(TX, 0, 60);
	lan_offer_frame(TX, 1, 64);
	lan_kick(TX);
	assert_int_equal(drv_used(TX), 0);
	lan.wait = 0;
	fake_pass(500000);
	fake_pc_work();
	assert_int_equal(lan.sent, 0);
	fake_pass(600000);
	fake_pc_work();
	assert_int_equal(lan.sent, 2);
	assert_int_equal(drv_used(TX), 2);
	lan.wait = ~0ul;
	lan_offer_frame(TX, 2, 66);
	lan_kick(TX);
	lan.wait = 0;
	lan.port->ops->resume(lan.port);
	assert_int_equal(lan.sent, 2); /* only a thread of the VM's may read its memory */
	fake_pc_work();
	assert_int_equal(lan.sent, 3);
	assert_int_equal(lan.last.len, 66);
}

static void offer_to(uint16_t head, uint8_t mac, uint32_t len)
{
	lan_offer_frame(TX, head, len);
	memset(&fake_ram[DRV_DATA(TX) + 0x800ul * head + HDR], 0, 6);
	fake_ram[DRV_DATA(TX) + 0x800ul * head + HDR + 1] = mac;
}

static void fill_up(uint8_t mac)
{
	lan.wait = ~0ul;
	memset(lan.full, 0, sizeof(lan.full));
	lan.full[1] = mac;
}

/* Who waits for one receiver sends to others meanwhile; to each in order. */
static void test_waits_for_one_only(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	fill_up(7);
	offer_to(0, 7, 60);
	offer_to(1, 8, 61);
	offer_to(2, 7, 62);
	offer_to(3, 9, 63);
	lan_kick(TX);
	assert_int_equal(lan.sent, 2);
	assert_int_equal(lan.last.len, 63);
	assert_int_equal(drv_used(TX), 2);
	lan.port->ops->resume(lan.port); /* in vain */
	fake_pc_work();
	assert_int_equal(lan.sent, 2);
	lan.wait = 0;
	offer_to(4, 7, 64); /* behind those that wait, also if the notification comes first */
	lan_kick(TX);
	assert_int_equal(lan.sent, 2);
	lan.port->ops->resume(lan.port);
	fake_pc_work();
	assert_int_equal(lan.sent, 5);
	assert_int_equal(lan.last.len, 64);
	assert_int_equal(drv_used(TX), 5);
}

/* The ring is full of packets for one: a burst waits as a whole, later the last ones are lost. */
static void test_crowded(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	fill_up(7);
	for (uint16_t i = 0; i < DRV_SIZE - 1; i++) {
		offer_to(i, 7, 60);
	}
	offer_to(DRV_SIZE - 1, 8, 61);
	lan_kick(TX);
	assert_int_equal(lan.sent, 0);
	assert_int_equal(drv_used(TX), 0);
	fake_pass(VIRTIO_NET_PATIENCE);
	fake_pc_work();
	assert_int_equal(lan.sent, 1);
	assert_int_equal(drv_used(TX), 2);
	assert_int_equal(lan.port->stats.drops[NETPORT_DROP_CROWDED], 1);
	lan.wait = 0;
	lan.port->ops->resume(lan.port);
	fake_pc_work();
	assert_int_equal(lan.sent, DRV_SIZE - 1);
	assert_int_equal(drv_used(TX), DRV_SIZE);
}

/* Own rate: nothing is taken until it has recovered. */
static void test_waits_for_rate(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	lan.rate_wait = FAKE_PC_START + 5000000;
	offer_to(0, 7, 60);
	lan_kick(TX);
	assert_int_equal(lan.sent, 0);
	fake_pass(5000001);
	fake_pc_work();
	assert_int_equal(lan.sent, 1);
}

/* What it notifies of next, 2.7.10. */
static uint16_t event(void)
{
	return drv_get16(DRV_USED(TX) + 4 + 8 * DRV_SIZE);
}

/* A driver that goes on sending notifies of half a ring, and is looked at from time to time until it rests. */
static void test_polls(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	offer_to(0, 7, 60);
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(event(), DRV_SIZE / 2 + 1);
	offer_to(1, 7, 60);
	fake_pass(60000);
	fake_pc_work();
	assert_int_equal(lan.sent, 2);
	assert_int_equal(event(), DRV_SIZE / 2 + 2);
	fake_pass(60000);
	fake_pc_work();
	assert_int_equal(event(), DRV_SIZE / 2 + 2);
	fake_pass(60000);
	fake_pc_work();
	assert_int_equal(event(), 2);
	fake_pass(1000000);
	offer_to(2, 7, 60);
	lan_kick(TX);
	assert_int_equal(lan.sent, 3);
}

/* ---- receiving ---- */

static struct virtio_net_counts counts(void)
{
	struct virtio_net_counts c;

	virtio_net_counts(&fake_vm, 0, &c);
	return c;
}

static void test_receives(void **state)
{
	uint64_t at = DRV_DATA(RX);

	(void)state;
	drv_start(NIC, PLAIN, 2);
	drv_msix_on(3);
	lan_offer_room(RX, 0, HDR + 1514);
	assert_true(lan_arrive(100, NETPKT_CSUM_VALID, 0, 0));
	assert_int_equal(drv_used(RX), 1);
	assert_int_equal(drv_used_len(RX, 0), HDR + 100);
	assert_int_equal(fake_msg.vector, 0x41);
	assert_int_equal(arrived(at), 0); /* sums were not negotiated: no flags */
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_BUFFERS), 1);
	assert_int_equal(arrived(at + HDR + 99), (uint8_t)(99 * 3));
	assert_int_equal(lan.ready, 1);
}

/* No buffers yet: the packet waits; the driver's next notification brings it. */
static void test_keeps(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	for (unsigned int i = 0; i < 20; i++) {
		assert_true(lan_arrive(60 + i, 0, 0, 0));
	}
	assert_int_equal(drv_used(RX), 0);
	for (uint16_t i = 0; i < 15; i++) {
		lan_offer_room(RX, i, 1600);
	}
	lan_kick(RX);
	while (fake_works-- > 0) {
		fake_pc_work();
	}
	assert_int_equal(drv_used(RX), 15);
	assert_int_equal(drv_used_len(RX, 14), HDR + 74);
}

static void test_full(void **state)
{
	unsigned int n = 0;

	(void)state;
	drv_start(NIC, PLAIN, 2);
	while (lan_arrive(1514, 0, 0, 0)) {
		n++;
	}
	assert_in_range(n, NETQUEUE_SIZE / 1536 - 1, NETQUEUE_SIZE / 1536 + 1);
	assert_false(lan_arrive(1514, 0, 0, 0));
	lan_offer_room(RX, 0, 1600);
	lan_kick(RX);
	assert_int_equal(lan.ready, 1);
	assert_true(lan_arrive(1514, 0, 0, 0));
	drv_set_status(0); /* forgets them all */
	drv_start(NIC, PLAIN, 2);
	assert_true(lan_arrive(60, 0, 0, 0));
	lan_offer_room(RX, 0, 1600);
	lan_kick(RX);
	assert_int_equal(drv_used_len(RX, 0), HDR + 60);
}

/* All segments of a packet, or none. */
static void test_more(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	assert_false(lan_arrive(1514, 0, 0, NETQUEUE_SIZE / 1514));
	assert_true(lan_arrive(1514, 0, 0, 44));
}

/* 5.1.6.4: one packet over several buffers, counted in the first; seen at once. */
static void test_merges(void **state)
{
	static const uint32_t room[] = { 13, 500, 12, 64, 1000, 200 };
	uint32_t done = 0;

	(void)state;
	drv_start(NIC, MERGE, 2);
	drv_msix_on(3);
	for (uint16_t i = 0; i < ARRAY_SIZE(room); i++) {
		lan_offer_room(RX, i, room[i]);
	}
	assert_true(lan_arrive(1514, 0, 0, 0));
	assert_int_equal(drv_used(RX), 5);
	assert_int_equal(drv_get16(DRV_DATA(RX) + VIRTIO_NET_HDR_BUFFERS), 5);
	for (unsigned int i = 0; i < 5; i++) {
		uint32_t len = drv_used_len(RX, i), skip = i == 0 ? HDR : 0;

		assert_int_equal(len, u64_min(room[i], HDR + 1514 - done));
		for (uint32_t b = skip; b < len; b++) {
			uint32_t at = done + b - HDR;

			assert_int_equal(fake_ram[DRV_DATA(RX) + 0x800 * i + b],
					 at == 46 ? 0x80 : (uint8_t)(at * 3));
		}
		done += len;
	}
	assert_int_equal(done, HDR + 1514);
}

/* Too few buffers: none is used until there are enough. A packet that never can fit is lost. */
static void test_merge_waits(void **state)
{
	(void)state;
	drv_start(NIC, MERGE, 2);
	for (uint16_t i = 0; i < 4; i++) {
		lan_offer_room(RX, i, 300);
	}
	assert_true(lan_arrive(1514, 0, 0, 0));
	assert_int_equal(drv_used(RX), 0);
	lan_offer_room(RX, 4, 300);
	lan_kick(RX);
	assert_int_equal(drv_used(RX), 0);
	lan_offer_room(RX, 5, 300);
	lan_kick(RX);
	assert_int_equal(drv_used(RX), 6);
	drv_start(NIC, MERGE, 2);
	for (uint16_t i = 0; i < 16; i++) {
		lan_offer_room(RX, i, 64);
	}
	assert_true(lan_arrive(1514, 0, 0, 0));
	assert_int_equal(counts().lost, 1);
	assert_true(lan_arrive(100, 0, 0, 0));
	assert_int_equal(drv_used(RX), 2);
}

/* Empty descriptors do no harm; 96 others are all that a packet is worth. */
static void test_receive_many_pieces(void **state)
{
	(void)state;
	drv_start(NIC, MERGE | BIT(VIRTIO_F_INDIRECT_DESC), 2);
	for (uint16_t i = 0; i < 16; i++) {
		offer_hollow(RX, i, 100, W);
	}
	assert_true(lan_arrive(1514, 0, 0, 0));
	assert_int_equal(drv_used(RX), 16);
	drv_start(NIC, MERGE | BIT(VIRTIO_F_INDIRECT_DESC), 2);
	for (unsigned int i = 0; i < 16; i++) {
		drv_indirect(RX, i, DRV_DATA(RX) + 10 * i, 10, W | (i < 15 ? N : 0),
			     (uint16_t)(i + 1));
	}
	for (uint16_t i = 0; i < 16; i++) {
		drv_desc(RX, i, DRV_INDIRECT(RX), 16 * 16, VIRTQ_DESC_INDIRECT, 0);
		drv_offer(RX, i);
	}
	assert_true(lan_arrive(1514, 0, 0, 0));
	assert_int_equal(counts().lost, 1);
	assert_true(
		lan_arrive_as(1514, 0, 0, 0)); /* who would wait does not, for what never comes */
	assert_int_equal(counts().lost, 2);
	assert_int_equal(drv_used(RX), 0);
	assert_true(lan_arrive(900, 0, 0, 0));
	assert_int_equal(drv_used(RX), 6);
}

/* One copy while there are buffers; then those who can wait do, others take two. */
static void test_copies(void **state)
{
	(void)state;
	drv_start(NIC, MERGE, 2);
	assert_false(lan_arrive_as(60, 0, 0, 0));
	for (uint16_t i = 0; i < 3; i++) {
		lan_offer_room(RX, i, 1600);
	}
	lan_kick(RX);
	assert_int_equal(lan.ready, 1);
	assert_true(lan_arrive_as(60, 0, 0, 0));
	assert_true(lan_arrive(61, 0, 0, 0));
	assert_true(lan_arrive_as(62, 0, 0, 0));
	assert_int_equal(counts().direct, 3);
	assert_int_equal(drv_used(RX), 3);
	assert_false(lan_arrive_as(63, 0, 0, 0));
	assert_true(lan_arrive(64, 0, 0, 0));
	lan_offer_room(RX, 3, 1600);
	lan_offer_room(RX, 4, 1600);
	assert_false(lan_arrive_as(65, 0, 0, 0)); /* nor do they overtake */
	assert_int_equal(counts().queued, 1);
	assert_true(lan_arrive_as(65, 0, 0, 0));
	assert_int_equal(counts().direct, 4);
	assert_int_equal(drv_used_len(RX, 4), HDR + 65);
	assert_int_equal(fake_mem_windows, 0);
}

/* Without bus mastering, or broken, its memory is not touched. */
static void test_not_master(void **state)
{
	(void)state;
	drv_start(NIC, MERGE, 2);
	lan_offer_room(RX, 0, 1600);
	lan_kick(RX);
	drv_config_set(4, 2, 3);
	assert_false(lan_arrive_as(60, 0, 0, 0));
	assert_int_equal(drv_used(RX), 0);
	drv_config_set(4, 2, 7);
	assert_true(lan_arrive_as(60, 0, 0, 0));
	assert_int_equal(drv_used(RX), 1);
}

static void test_too_small(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	lan_offer_room(RX, 0, HDR + 60);
	assert_true(lan_arrive(61, 0, 0, 0));
	assert_int_equal(counts().lost, 1);
	assert_true(lan_arrive(60, 0, 0, 0));
	assert_int_equal(drv_used(RX), 1);
}

/* What another CPU does behind the next release of a port's lock; the linker brings calls of spin_unlock here. */
static void (*meanwhile)(void);
void __real_spin_unlock(struct spinlock *l);
void __wrap_spin_unlock(struct spinlock *l);
void __wrap_spin_unlock(struct spinlock *l)
{
	void (*fn)(void) = meanwhile;

	__real_spin_unlock(l);
	if (fn != NULL && l->rank == LOCK_NET_PORT) {
		meanwhile = NULL;
		fn();
	}
}

static void offer_meanwhile(void)
{
	lan_offer_room(RX, 0, HDR + 60);
	lan_kick(RX);
}

/* A buffer that comes while the sender finds none is no reason to lose its packet: it waits, and fits then. */
static void test_room_just_in_time(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	meanwhile = offer_meanwhile;
	assert_false(lan_arrive_as(60, 0, 0, 0));
	assert_null(meanwhile);
	assert_int_equal(counts().lost, 0);
	assert_int_equal(lan.ready, 1);
	assert_true(lan_arrive_as(60, 0, 0, 0));
	assert_int_equal(drv_used(RX), 1);
}

/* 5.1.6.4: what a driver negotiated it is told; the header's fields. */
static void test_receive_offload(void **state)
{
	uint64_t at = DRV_DATA(RX);

	(void)state;
	drv_start(NIC, OFFLOAD, 2);
	assert_int_equal(lan.port->offload, NETPORT_CSUM | NETPORT_TCP4);
	for (uint16_t i = 0; i < 4; i++) {
		lan_offer_room(RX, i, 1600);
	}
	assert_true(lan_arrive(3000, NETPKT_CSUM_PARTIAL | NETPKT_ECN, NETPKT_GSO_TCP4, 0));
	assert_int_equal(drv_used(RX), 2);
	assert_int_equal(arrived(at), VIRTIO_NET_NEEDS_CSUM);
	assert_int_equal(arrived(at + 1), VIRTIO_NET_GSO_TCP4 | VIRTIO_NET_GSO_ECN);
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_LEN), 34 + 32);
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_GSO_SIZE), 1448);
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_CSUM_START), 34);
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_CSUM_OFFSET), 16);
	assert_int_equal(drv_get16(at + VIRTIO_NET_HDR_BUFFERS), 2);
	assert_true(lan_arrive(100, NETPKT_CSUM_VALID, 0, 0));
	assert_int_equal(arrived(at + 0x1000), VIRTIO_NET_DATA_VALID);
	drv_start(NIC, PLAIN, 2);
	assert_int_equal(lan.port->offload, 0);
}

/* ---- rude drivers ---- */

static void expect_broken(void)
{
	assert_int_equal(drv_status(), LIVE | VIRTIO_NEEDS_RESET);
	assert_int_equal(drv_used(RX) + drv_used(TX), 0);
	drv_start(NIC, PLAIN, 2);
	lan_offer_frame(TX, 0, 60);
	lan_kick(TX);
	assert_int_equal(drv_used(TX), 1);
}

static void test_writable_to_send(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	drv_desc(TX, 0, DRV_DATA(TX), 60, W, 0);
	drv_offer(TX, 0);
	lan_kick(TX);
	expect_broken();
}

static void test_readable_to_receive(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN, 2);
	drv_desc(RX, 0, DRV_DATA(RX), 1600, 0, 0);
	drv_offer(RX, 0);
	lan_arrive(60, 0, 0, 0);
	expect_broken();
}

static void test_no_room_for_header(void **state)
{
	(void)state;
	drv_start(NIC, MERGE, 2);
	lan_offer_room(RX, 0, HDR - 1);
	lan_arrive(60, 0, 0, 0);
	expect_broken();
}

static void test_loop_to_receive(void **state)
{
	(void)state;
	drv_start(NIC, MERGE, 2);
	drv_desc(RX, 0, DRV_DATA(RX), 16, W | N, 0);
	drv_offer(RX, 0);
	lan_arrive(1514, 0, 0, 0);
	expect_broken();
}

/* ---- cable, saved state ---- */

static void test_cable(void **state)
{
	(void)state;
	drv_start(NIC, PLAIN | BIT(VIRTIO_NET_F_STATUS), 2);
	drv_msix_on(3);
	drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	virtio_net_set_link(&fake_vm, 0, false);
	assert_false(lan.port->link);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_NET_STATUS, 2), 0);
	assert_int_equal(fake_msg.vector, 0x40);
	virtio_net_set_link(&fake_vm, 0, true);
	assert_true(lan.port->link);
	assert_null(virtio_net_port(&fake_vm, 1));
	assert_ptr_equal(virtio_net_port(&fake_vm, 0), lan.port);
}

/* Packets that wait to be sent go with the VM, those that wait for its driver do not. */
static void test_saved_parked(void **state)
{
	(void)state;
	drv_start(NIC, DRV_FEATURES, 2);
	fill_up(7);
	for (uint16_t i = 0; i < 3; i++) {
		offer_to(i, 7, 60u + i);
	}
	lan_kick(TX);
	lan_offer_room(RX, 0, 1600);
	lan_kick(RX);
	lan.wait = 0;
	assert_int_equal(fake_pc_save_and_load("virtio-net", 1000), 0);
	fake_pc_work();
	assert_int_equal(lan.sent, 3);
	assert_int_equal(lan.last.len, 62);
	assert_int_equal(drv_used(TX), 3);
	assert_true(lan_arrive(70, 0, 0, 0));
	assert_int_equal(drv_used(RX), 1);
	assert_int_equal(
		fake_pc_load_corrupt("virtio-net",
				     offsetof(struct virtio_net_state, parked[0].count) + 1, 1),
		-EINVAL);
}

static void test_saved(void **state)
{
	(void)state;
	drv_start(NIC, OFFLOAD, 2);
	lan_offer_room(RX, 0, 1600);
	assert_int_equal(fake_pc_save_and_load("virtio-net", 1000), 0);
	assert_int_equal(lan.leased, 0x0a140002);
	assert_true(lan.port->link);
	assert_int_equal(lan.port->offload, NETPORT_CSUM | NETPORT_TCP4);
	assert_true(lan_arrive(200, 0, 0, 0));
	assert_int_equal(drv_used(RX), 1);
	lan_offer_frame(TX, 0, 60);
	lan_kick(TX);
	assert_int_equal(lan.sent, 1);
	assert_int_equal(
		fake_pc_load_corrupt("virtio-net", offsetof(struct virtio_net_state, unplugged), 2),
		-EINVAL);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, lan_start, lan_stop)
	const struct CMUnitTest tests[] = {
		CASE(test_configuration),
		CASE(test_addresses),
		CASE(test_sends),
		CASE(test_sends_pieces),
		CASE(test_send_offload),
		CASE(test_send_nonsense),
		CASE(test_send_many_pieces),
		CASE(test_send_empty_pieces),
		CASE(test_park_in_parts),
		CASE(test_long_packet_begins_a_turn),
		CASE(test_send_too_many_pieces),
		CASE(test_waits),
		CASE(test_waits_for_one_only),
		CASE(test_crowded),
		CASE(test_waits_for_rate),
		CASE(test_polls),
		CASE(test_receives),
		CASE(test_keeps),
		CASE(test_full),
		CASE(test_more),
		CASE(test_merges),
		CASE(test_merge_waits),
		CASE(test_receive_many_pieces),
		CASE(test_copies),
		CASE(test_not_master),
		CASE(test_too_small),
		CASE(test_room_just_in_time),
		CASE(test_receive_offload),
		CASE(test_writable_to_send),
		CASE(test_readable_to_receive),
		CASE(test_no_room_for_header),
		CASE(test_loop_to_receive),
		CASE(test_cable),
		CASE(test_saved),
		CASE(test_saved_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
