/* SPDX-License-Identifier: BSD-2-Clause */
/* The network device's control queue: each command and each malformed form of it, what the filter takes then, */
/* several pairs of queues, announcements, saved state. */
/* TEST_SOURCES: drivers/virtio/virtio_net.c drivers/virtio/virtio_net_hdr.c drivers/net/netqueue.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_tx.c drivers/virtio/virtio_net_rx.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c drivers/net/checksum.c */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c tests/unit/fakes/fake_page.c hv/vm_config.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* TEST_SOURCES: hv/lib/string.c hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_ctrl.c drivers/virtio/virtio_net_filter.c drivers/virtio/virtio_net_steer.c */
/* TEST_SOURCES: tests/unit/drivers/virtio/fake_lan.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_driver.c */
/* TEST_SOURCES: drivers/virtio/virtio_net_save.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_net.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "hv/lib/errno.h"
#include "tests/unit/drivers/virtio/fake_lan.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NIC   VIRTIO_SLOT_NIC
#define W     VIRTQ_DESC_WRITE
#define N     VIRTQ_DESC_NEXT
#define LIVE  (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)
#define PAIRS 3u
enum { RX, TX, CTRL };
#define RXQ(pair) (2 * (pair) + RX)
#define TXQ(pair) (2 * (pair) + TX)
#define MQ_CTRL	  (2 * PAIRS)

#define MERGE (DRV_VERSION_1 | BIT(VIRTIO_NET_F_MRG_RXBUF))
#define KNOWS                                                                                      \
	(MERGE | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |                           \
	 BIT(VIRTIO_NET_F_CTRL_MAC) | BIT(VIRTIO_NET_F_ANNOUNCE) | BIT(VIRTIO_NET_F_CTRL_OFFL) |   \
	 BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |    \
	 BIT(VIRTIO_NET_F_GUEST_ECN))
#define MANY (KNOWS | BIT(VIRTIO_NET_F_MQ))

enum { OK, ERR, NONE = 0xff };

void fake_pc_configure(struct vm *vm)
{
	vm->cfg.cpus = PAIRS;
}

static unsigned int ctrl; /* the control queue's number */

static void begin(uint64_t features)
{
	ctrl = features & BIT(VIRTIO_NET_F_MQ) ? MQ_CTRL : (unsigned int)CTRL;
	drv_start(NIC, features, ctrl + 1);
}

/* Header and data in one buffer, the answer in another. */
static uint8_t command(uint8_t class, uint8_t number, const void *data, uint32_t len)
{
	uint64_t at = DRV_DATA(ctrl), answer = at + 0x1000;

	fake_ram[at] = class;
	fake_ram[at + 1] = number;
	memcpy(&fake_ram[at + 2], data, len);
	fake_ram[answer] = NONE;
	drv_desc(ctrl, 0, at, 2 + len, N, 1);
	drv_desc(ctrl, 1, answer, 1, W, 0);
	drv_offer(ctrl, 0);
	lan_kick(ctrl);
	return fake_ram[answer];
}

static uint8_t mode(uint8_t number, uint8_t on)
{
	return command(VIRTIO_NET_CTRL_MODE, number, &on, 1);
}

static uint8_t set_pairs(uint16_t pairs)
{
	return command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_PAIRS_SET, &pairs, 2);
}

static uint8_t set_offloads(uint64_t offloads)
{
	return command(VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFL_SET, &offloads, 8);
}

static uint8_t set_mac(const char *mac)
{
	return command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_ADDR_SET, mac, 6);
}

/* A table of so many addresses base, base + 1, …; bytes written. */
static uint32_t put_table(uint8_t *to, uint32_t entries, const uint8_t base[6])
{
	memcpy(to, &entries, 4);
	for (uint32_t i = 0; i < entries; i++) {
		memcpy(to + 4 + 6ul * i, base, 6);
		to[4 + 6ul * i + 5] = (uint8_t)(base[5] + i);
	}
	return 4 + 6 * entries;
}

static const uint8_t uni[6] = { 0x52, 0x54, 0, 7, 0, 0 }, multi[6] = { 1, 0, 0x5e, 0, 0, 0 };

static uint8_t set_tables(uint32_t unis, uint32_t multis)
{
	uint8_t raw[0x800];
	uint32_t len = put_table(raw, unis, uni);

	len += put_table(raw + len, multis, multi);
	return command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_TABLE_SET, raw, len);
}

/* Does a frame to that address reach the driver? */
static bool takes(const uint8_t mac[6], unsigned int last)
{
	uint8_t frame[64] = { 0 };
	struct netseg seg = { frame, sizeof(frame) };
	struct netpkt pkt = { .seg = &seg, .segs = 1, .len = sizeof(frame) };
	uint16_t before = drv_used(RX);

	memcpy(frame, mac, 6);
	frame[5] = (uint8_t)(mac[5] + last);
	lan_offer_room(RX, before % DRV_SIZE, 1600);
	lan_kick(RX);
	assert_true(lan.port->ops->receive(lan.port, &pkt));
	lan.port->ops->flush(lan.port);
	fake_pc_work();
	if (drv_used(RX) != before) {
		return true;
	}
	drv_put16(DRV_AVAIL(RX) + 2, before); /* not asked for again: start over */
	begin(KNOWS);
	return false;
}

/* ---- what it offers ---- */

static void test_offers(void **state)
{
	(void)state;
	drv_map(NIC);
	assert_int_equal(drv_offered() & MANY, MANY);
	assert_int_equal(drv_get(VIRTIO_COMMON_NUM_QUEUES, 2), 2 * PAIRS + 1);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_NET_PAIRS, 2), PAIRS);
}

/* ---- modes and addresses ---- */

/* Takes those of the list, in its order; the others not. One start for each that is not taken. */
static void expect(uint8_t mode_on, uint32_t unis, uint32_t multis, const bool taken[5])
{
	const uint8_t *to[] = { lan.port->mac, (const uint8_t *)"\xff\xff\xff\xff\xff\xff", uni,
				multi, (const uint8_t *)"\x52\x54\0\x09\0\0" };

	for (unsigned int i = 0; i < ARRAY_SIZE(to); i++) {
		begin(KNOWS);
		assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, mode_on & 1), OK);
		assert_int_equal(mode(VIRTIO_NET_CTRL_ALLMULTI, mode_on >> 1), OK);
		assert_int_equal(set_tables(unis, multis), OK);
		assert_int_equal(takes(to[i], 0), taken[i]);
	}
}

static void test_filter(void **state)
{
	(void)state;
	begin(KNOWS);
	assert_true(takes(uni, 0)); /* everything, until it says what it wants */
	expect(0, 0, 0, (bool[]){ true, true, false, false, false });
	expect(1, 0, 0, (bool[]){ true, true, true, true, true });
	expect(2, 0, 0, (bool[]){ true, true, false, true, false });
	expect(0, 3, 0, (bool[]){ true, true, true, false, false });
	expect(0, 0, 3, (bool[]){ true, true, false, true, false });
}

/* The last of a full table; one more and all of that kind are taken. */
static void test_table_limits(void **state)
{
	uint32_t half = VIRTIO_NET_MACS / 2;

	(void)state;
	begin(KNOWS);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_int_equal(set_tables(half, half), OK);
	assert_true(takes(uni, half - 1));
	assert_true(takes(multi, half - 1));
	assert_false(takes(multi, half));
	expect(0, VIRTIO_NET_MACS + 1, 1, (bool[]){ true, true, true, true, true });
	expect(0, 1, VIRTIO_NET_MACS, (bool[]){ true, true, true, true, false });
}

/* The filter holds for what goes to this card alone: cut segments have room kept for them. */
static void test_filter_and_cut(void **state)
{
	(void)state;
	begin(KNOWS);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_true(lan_arrive(1514, 0, 0, 2));
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_true(lan_arrive(1514, NETPKT_CUT, 0, 1));
	assert_true(lan_arrive(1514, NETPKT_CUT, 0, 0));
	for (uint16_t i = 0; i < 3; i++) {
		lan_offer_room(RX, i, 1600);
	}
	lan_kick(RX);
	assert_int_equal(drv_used(RX), 3);
}

/* A table that is shorter or longer than it says leaves the old one. */
static void test_bad_tables(void **state)
{
	static const struct {
		uint32_t unis, multis; /* as they say */
		uint32_t len;	       /* of the data */
	} cases[] = {
		{ 0, 0, 0 },	      { 0, 0, 3 },
		{ 0, 0, 4 },	      { 0, 0, 7 },
		{ 0, 0, 9 },	      { 1, 0, 8 },
		{ 1, 0, 10 },	      { 1, 0, 13 },
		{ 1, 1, 14 },	      { 1, 1, 19 },
		{ 1, 1, 21 },	      { 0xffffffff, 0, 14 },
		{ 65, 0, 100 },	      { 0x2aaaaaab, 0, 4096 },
		{ 0, 0xffffffff, 8 }, { 0, 100, 600 },
	};
	static uint8_t raw[4096];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t second = 4 + (cases[i].unis < 10 ? 6 * cases[i].unis : 0);

		begin(KNOWS);
		assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
		assert_int_equal(set_tables(1, 0), OK);
		memset(raw, 0, sizeof(raw));
		memcpy(raw, &cases[i].unis, 4);
		memcpy(raw + second, &cases[i].multis, 4);
		assert_int_equal(
			command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_TABLE_SET, raw, cases[i].len),
			ERR);
		assert_int_equal(drv_status(), LIVE);
		assert_true(takes(uni, 0));
	}
}

static void test_mac(void **state)
{
	uint8_t old[6];

	(void)state;
	begin(KNOWS);
	memcpy(old, lan.port->mac, 6);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_int_equal(set_mac("\x52\x54\0\7\0\0"), OK);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(drv_get(DRV_DEVICE + i, 1), uni[i]);
	}
	assert_true(takes(uni, 0));
	assert_int_equal(set_mac("\1\0\0\0\0\1"), ERR); /* a group's, none */
	assert_int_equal(set_mac("\0\0\0\0\0\0"), ERR);
	assert_true(takes(uni, 0));
	assert_false(takes(old, 0)); /* begins anew: the old one is back */
	assert_int_equal(drv_get(DRV_DEVICE, 1), old[0]);
	assert_int_equal(drv_get(DRV_DEVICE + 5, 1), old[5]);
}

/* With anti-spoofing it keeps the address that it has. */
static void test_mac_guarded(void **state)
{
	(void)state;
	begin(KNOWS);
	lan.port->guard.flags = NETGUARD_MAC;
	assert_int_equal(set_mac("\x52\x54\0\7\0\0"), ERR);
	assert_int_equal(drv_get(DRV_DEVICE, 1), lan.port->mac[0]);
	assert_int_equal(drv_get(DRV_DEVICE + 5, 1), lan.port->mac[5]);
	assert_int_equal(set_mac((const char *)lan.port->mac), OK);
	lan.port->guard.flags = 0;
}

/* ---- malformed ---- */

/* Wrong class, command, length, value, or a feature that was not negotiated: refused, and no more. */
static void test_refused(void **state)
{
	static const struct {
		uint64_t features;
		uint8_t class, number;
		uint8_t len;
		uint8_t first; /* byte of the data */
		uint8_t answer;
	} cases[] = {
		{ MANY, 0, 0, 1, 1, OK },
		{ MANY, 0, 0, 1, 2, ERR },
		{ MANY, 0, 0, 0, 0, ERR },
		{ MANY, 0, 0, 2, 1, ERR },
		{ MANY, 0, 1, 9, 1, ERR },
		{ MANY, 0, 2, 1, 1, ERR }, /* CTRL_RX_EXTRA */
		{ MANY & ~BIT(VIRTIO_NET_F_CTRL_RX), 0, 0, 1, 1, ERR },
		{ MANY, 1, 1, 6, 2, OK },
		{ MANY, 1, 1, 5, 2, ERR },
		{ MANY, 1, 1, 7, 2, ERR },
		{ MANY, 1, 2, 6, 2, ERR },
		{ MANY & ~BIT(VIRTIO_NET_F_CTRL_MAC), 1, 1, 6, 2, ERR },
		{ MANY & ~BIT(VIRTIO_NET_F_CTRL_RX), 1, 0, 8, 0, ERR },
		{ MANY, 2, 0, 2, 1, ERR }, /* VLAN */
		{ MANY, 3, 0, 0, 0, OK },
		{ MANY, 3, 0, 1, 0, ERR },
		{ MANY, 3, 1, 0, 0, ERR },
		{ MANY & ~BIT(VIRTIO_NET_F_ANNOUNCE), 3, 0, 0, 0, ERR },
		{ MANY, 4, 0, 2, 3, OK },
		{ MANY, 4, 0, 2, 4, ERR },
		{ MANY, 4, 0, 2, 0, ERR },
		{ MANY, 4, 0, 1, 1, ERR },
		{ MANY, 4, 0, 3, 1, ERR },
		{ MANY, 4, 1, 2, 1, ERR }, /* RSS */
		{ KNOWS, 4, 0, 2, 1, ERR },
		{ MANY, 5, 0, 8, 0x82, OK },
		{ MANY, 5, 0, 8, 1, ERR }, /* not the guest's */
		{ MANY, 5, 0, 8, 0x12, ERR },
		{ MANY, 5, 0, 7, 2, ERR },
		{ MANY & ~BIT(VIRTIO_NET_F_CTRL_OFFL), 5, 0, 8, 2, ERR },
		{ MANY, 6, 0, 1, 0, ERR },
		{ MANY, 255, 255, 200, 255, ERR },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t data[256] = { cases[i].first };

		begin(cases[i].features);
		assert_int_equal(command(cases[i].class, cases[i].number, data, cases[i].len),
				 cases[i].answer);
		assert_int_equal(drv_used(ctrl), 1);
		assert_int_equal(drv_used_len(ctrl, 0), 1);
		assert_int_equal(drv_status(), LIVE);
	}
}

/* 2.7.4: framing is the driver's. */
static void test_framing(void **state)
{
	static const uint8_t raw[] = { VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFL_SET, 2 };
	uint64_t at, answer;

	(void)state;
	begin(KNOWS);
	at = DRV_DATA(ctrl);
	answer = at + 0x1000;
	for (uint16_t i = 0; i < 10; i++) { /* each byte in a buffer of its own */
		fake_ram[at + 16ul * i] = i < sizeof(raw) ? raw[i] : 0;
		drv_desc(ctrl, i, at + 16ul * i, 1, N, (uint16_t)(i + 1));
	}
	fake_ram[answer] = fake_ram[answer + 1] = NONE;
	drv_desc(ctrl, 10, answer, 1, W | N, 11);
	drv_desc(ctrl, 11, answer + 1, 64, W, 0);
	drv_offer(ctrl, 0);
	lan_kick(ctrl);
	assert_int_equal(fake_ram[answer], OK);
	assert_int_equal(fake_ram[answer + 1], NONE);
	assert_int_equal(drv_used_len(ctrl, 0), 1);
	assert_int_equal(lan.port->offload, NETPORT_CSUM);
}

/* Too short for a command, but the answer has a place. */
static void test_short(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < 2; len++) {
		uint64_t at;

		begin(KNOWS);
		at = DRV_DATA(ctrl);
		fake_ram[at] = VIRTIO_NET_CTRL_ANNOUNCE;
		fake_ram[at + 64] = NONE;
		drv_desc(ctrl, 0, at, len, N, 1);
		drv_desc(ctrl, 1, at + 64, 1, W, 0);
		drv_offer(ctrl, 0);
		lan_kick(ctrl);
		assert_int_equal(fake_ram[at + 64], ERR);
		assert_int_equal(drv_status(), LIVE);
	}
}

/* No place for the answer, loops, memory that there is not, order: the device is broken, until a reset. */
static void test_broken(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags[2];
	} cases[] = {
		{ 0x8000, 3, { 0, 0 } },     { 0x8000, 3, { N, 0 } },
		{ 0x8000, 3, { W | N, 0 } }, { FAKE_RAM - 1, 3, { N, W } },
		{ 0x8000, 3, { N, W | N } }, { ~0ul, 3, { N, W } },
		{ 0x8000, ~0u, { N, W } },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(KNOWS);
		for (uint16_t k = 0; k < 2; k++) {
			drv_desc(ctrl, k, cases[i].addr, cases[i].len, cases[i].flags[k],
				 (uint16_t)(k ^ 1u));
		}
		drv_offer(ctrl, 0);
		lan_kick(ctrl);
		assert_int_equal(drv_status(), LIVE | VIRTIO_NEEDS_RESET);
		assert_int_equal(drv_used(ctrl), 0);
		begin(KNOWS);
		assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	}
}

/* A driver that does not know the queue may use it for nothing. */
static void test_unknown_queue(void **state)
{
	(void)state;
	begin(MERGE);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), NONE);
	lan_kick(MQ_CTRL);
	assert_int_equal(drv_status(), LIVE);
}

/* A full ring of long commands is done in parts, with others' turn in between. */
static void test_in_parts(void **state)
{
	unsigned int works;

	(void)state;
	begin(KNOWS);
	fake_ram[DRV_DATA(ctrl)] = VIRTIO_NET_CTRL_ANNOUNCE;
	for (uint16_t i = 0; i < 7; i++) {
		drv_desc(ctrl, i, DRV_DATA(ctrl), i == 0 ? 2 : 0, N, (uint16_t)(i + 1));
	}
	drv_desc(ctrl, 7, DRV_DATA(ctrl) + 64, 1, W, 0);
	for (uint16_t i = 0; i < 12; i++) {
		drv_offer(ctrl, 0);
	}
	works = fake_works;
	drv_kick(ctrl);
	assert_int_equal(drv_used(ctrl), 4);
	assert_true(fake_works > works);
	fake_pc_work();
	assert_int_equal(drv_used(ctrl), 8);
	fake_pc_work();
	assert_int_equal(drv_used(ctrl), 12);
}

/* ---- offload ---- */

/* What it does not take any more is not given to it: nobody could complete the sum. */
static void test_offloads(void **state)
{
	uint64_t all = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
		       BIT(VIRTIO_NET_F_GUEST_ECN);

	(void)state;
	begin(KNOWS);
	assert_int_equal(lan.port->offload, NETPORT_CSUM | NETPORT_TCP4);
	assert_int_equal(set_offloads(0), OK);
	assert_int_equal(lan.port->offload, 0);
	for (uint16_t i = 0; i < 4; i++) {
		lan_offer_room(RX, i, 1600);
	}
	lan_kick(RX);
	assert_true(lan_arrive(100, NETPKT_CSUM_PARTIAL, 0, 0)); /* on its way as that changed */
	assert_true(lan_arrive(2000, NETPKT_CSUM_PARTIAL, NETPKT_GSO_TCP4, 0));
	assert_int_equal(drv_used(RX), 0);
	assert_true(lan_arrive(100, NETPKT_CSUM_VALID, 0, 0));
	assert_int_equal(drv_used(RX), 1);
	assert_int_equal(fake_ram[DRV_DATA(RX)], 0);
	assert_int_equal(set_offloads(all), OK);
	assert_int_equal(lan.port->offload, NETPORT_CSUM | NETPORT_TCP4);
	assert_true(lan_arrive(2000, NETPKT_CSUM_PARTIAL, NETPKT_GSO_TCP4, 0));
	assert_int_equal(drv_used(RX), 3);
	assert_int_equal(set_offloads(all | BIT(VIRTIO_NET_F_GUEST_TSO6)), ERR);
	assert_int_equal(lan.port->offload, NETPORT_CSUM | NETPORT_TCP4);
}

/* A packet that was let in as the driver still took it is not told of as if its sum were there. */
static void test_offloads_meanwhile(void **state)
{
	uint8_t frame[64] = { 0 }, hdr[VIRTIO_NET_HDR];
	struct netseg seg = { frame, sizeof(frame) };
	struct netpkt pkt = { .seg = &seg,
			      .segs = 1,
			      .len = 64,
			      .flags = NETPKT_CSUM_PARTIAL,
			      .csum_start = 34,
			      .csum_offset = 16 };

	(void)state;
	virtio_net_hdr_write(hdr, 0, &pkt, 1);
	assert_int_equal(hdr[VIRTIO_NET_HDR_FLAGS], VIRTIO_NET_NEEDS_CSUM);
	assert_int_equal(hdr[VIRTIO_NET_HDR_CSUM_START], 34);
	assert_int_equal(hdr[VIRTIO_NET_HDR_CSUM_OFFSET], 16);
}

/* ---- announcing ---- */

static unsigned int link_status(void)
{
	return (unsigned int)drv_get(DRV_DEVICE + VIRTIO_NET_STATUS, 2);
}

static void test_announces(void **state)
{
	(void)state;
	begin(KNOWS);
	drv_msix_on(4);
	drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	assert_int_equal(link_status(), VIRTIO_NET_LINK_UP);
	virtio_net_set_link(&fake_vm, 0, false);
	assert_int_equal(link_status(), 0);
	fake_sent = 0;
	virtio_net_set_link(&fake_vm, 0, true);
	assert_int_equal(link_status(), VIRTIO_NET_LINK_UP | VIRTIO_NET_ANNOUNCE);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(command(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCED, "", 0), OK);
	assert_int_equal(link_status(), VIRTIO_NET_LINK_UP);
	assert_int_equal(fake_pc_save_and_load("virtio-net", 1000), 0);
	assert_int_equal(link_status(), VIRTIO_NET_LINK_UP | VIRTIO_NET_ANNOUNCE);
	fake_sent = 0;
	fake_pc_work(); /* other devices are not loaded before */
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x40);
	begin(MERGE);
	virtio_net_set_link(&fake_vm, 0, true);
	assert_int_equal(link_status(), VIRTIO_NET_LINK_UP);
}

/* ---- several pairs ---- */

#define QUIET 100000000u /* ns */

/* A frame of flow n with its answers' ports, or the answer. */
static void make_flow(uint8_t frame[64], unsigned int n, bool answer)
{
	static const uint8_t udp[] = { 0x45, 0, 0, 50, 0,  0, 0x40, 0, 64, 17, 0,    0,
				       10,   0, 0, 1,  10, 0, 0,    2, 4,  0,  0x13, 0x88 };

	memset(frame, 0, 64);
	frame[12] = 8;
	memcpy(frame + 14, udp, sizeof(udp));
	frame[29] = answer ? 2 : 1;
	frame[33] = answer ? 1 : 2;
	memcpy(frame + 34, answer ? "\x13\x88\x04\0" : "\x04\0\x13\x88", 4);
	frame[answer ? 37 : 35] = (uint8_t)n;
	frame[39] = 30;
}

static void send_flow(unsigned int pair, unsigned int n)
{
	uint64_t at = DRV_DATA(TXQ(pair));

	memset(&fake_ram[at], 0, VIRTIO_NET_HDR);
	make_flow(&fake_ram[at + VIRTIO_NET_HDR], n, false);
	drv_desc(TXQ(pair), 0, at, VIRTIO_NET_HDR + 64, 0, 0);
	drv_offer(TXQ(pair), 0);
	lan_kick(TXQ(pair));
}

static bool receive_flow(unsigned int n, uint8_t flags)
{
	uint8_t frame[64];
	struct netseg seg = { frame, sizeof(frame) };
	struct netpkt pkt = { .seg = &seg, .segs = 1, .len = sizeof(frame), .flags = flags };
	bool taken;

	make_flow(frame, n, true);
	taken = lan.port->ops->receive(lan.port, &pkt);
	lan.port->ops->flush(lan.port);
	fake_pc_work();
	return taken;
}

static void offer_rooms(unsigned int pair, unsigned int n)
{
	for (uint16_t i = 0; i < n; i++) {
		lan_offer_room(RXQ(pair), i, 200);
	}
	lan_kick(RXQ(pair));
}

static void offer_all(void)
{
	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		offer_rooms(pair, DRV_SIZE);
	}
}

static void begin_pairs(void)
{
	begin(MANY);
	offer_all();
	assert_int_equal(set_pairs(PAIRS), OK);
}

/* Flow 5 is pair 2's. */
static void begin_flow(void)
{
	begin_pairs();
	send_flow(2, 5);
	assert_true(receive_flow(5, 0));
}

/* Before it says so, and when it says one: only the first; sending goes on any. */
static void test_one_pair(void **state)
{
	(void)state;
	begin(MANY);
	offer_all();
	for (unsigned int n = 0; n < 8; n++) {
		assert_true(receive_flow(n, 0));
	}
	assert_int_equal(drv_used(RXQ(0)), 8);
	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		send_flow(pair, 1);
		assert_int_equal(drv_used(TXQ(pair)), 1);
	}
	assert_int_equal(lan.sent, PAIRS);
	assert_true(receive_flow(1, 0));
	assert_int_equal(drv_used(RXQ(0)), 9);
}

static unsigned int used_by_all(void)
{
	unsigned int sum = 0;

	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		sum += drv_used(RXQ(pair));
	}
	return sum;
}

/* Flows that nobody sent of are spread; the others come back where they went out. */
static void test_steers(void **state)
{
	(void)state;
	begin_pairs();
	drv_msix_on(MQ_CTRL + 2);
	for (unsigned int n = 0; n < 12; n++) {
		assert_true(receive_flow(n, 0));
	}
	assert_int_equal(used_by_all(), 12);
	assert_in_range(drv_used(RXQ(0)), 1, 10);
	assert_in_range(drv_used(RXQ(1)), 1, 10);
	assert_in_range(drv_used(RXQ(2)), 1, 10);
	for (unsigned int n = 0; n < 3 * PAIRS; n++) {
		unsigned int pair = n % PAIRS, before = drv_used(RXQ(pair));

		fake_now += QUIET + 1;
		send_flow(pair, n);
		assert_true(receive_flow(n, 0));
		assert_int_equal(drv_used(RXQ(pair)), before + 1);
		assert_int_equal(fake_msg.vector, 0x41 + RXQ(pair));
	}
}

/* A flow changes its pair when it has been quiet for long enough that nothing overtakes. */
static void test_keeps_order(void **state)
{
	unsigned int before;

	(void)state;
	begin_flow();
	send_flow(1, 5);
	before = drv_used(RXQ(2));
	for (unsigned int i = 0; i < 5; i++) {
		fake_now += QUIET;
		assert_true(receive_flow(5, 0));
	}
	assert_int_equal(drv_used(RXQ(2)), before + 5);
	fake_now--; /* on another CPU, which looked earlier */
	assert_true(receive_flow(5, 0));
	assert_int_equal(drv_used(RXQ(2)), before + 6);
	before = drv_used(RXQ(1));
	fake_now += QUIET + 1;
	assert_true(receive_flow(5, 0));
	assert_int_equal(drv_used(RXQ(1)), before + 1);
}

/* What came to a pair before it was given up is there with the answer; nothing comes there later. */
static void test_fewer_pairs(void **state)
{
	unsigned int before;

	(void)state;
	begin_flow();
	before = drv_used(RXQ(2));
	assert_int_equal(set_pairs(2), OK);
	assert_true(receive_flow(5, 0));
	assert_int_equal(drv_used(RXQ(2)), before);
	assert_int_equal(set_pairs(1), OK);
	before = drv_used(RXQ(0));
	assert_true(receive_flow(5, 0));
	assert_int_equal(drv_used(RXQ(0)), before + 1);
}

/* Who waits for a pair, or is put by for it, goes to another one as soon as it is given up. */
static void test_fewer_pairs_wake(void **state)
{
	unsigned int ready;

	(void)state;
	begin(MANY);
	offer_rooms(0, 4);
	assert_int_equal(set_pairs(PAIRS), OK);
	send_flow(1, 5);
	assert_false(receive_flow(5, 0));
	assert_true(receive_flow(5, NETPKT_NOW));
	ready = lan.ready;
	assert_int_equal(set_pairs(1), OK);
	assert_int_equal(lan.ready, ready + 1);
	assert_int_equal(drv_used(RXQ(0)), 1);
}

/* A packet that is put by while its pair has no buffers goes to the pair that its flow has then. */
static void test_backlog(void **state)
{
	(void)state;
	begin(MANY);
	assert_int_equal(set_pairs(PAIRS), OK);
	send_flow(1, 5);
	assert_false(receive_flow(5, 0));
	assert_true(receive_flow(5, NETPKT_NOW));
	offer_rooms(0, 4);
	assert_int_equal(used_by_all(), 0);
	lan_offer_room(RXQ(1), 0, 200);
	lan_kick(RXQ(1));
	assert_int_equal(drv_used(RXQ(1)), 1);
}

/* What all of them have to send is not sent at a stretch. */
static void test_pairs_in_turn(void **state)
{
	unsigned int before;

	(void)state;
	begin(MANY);
	lan.wait = ~0ul;
	for (unsigned int pair = 0; pair < PAIRS; pair++) {
		send_flow(pair, pair);
	}
	lan.wait = 0;
	before = fake_checkpoints;
	lan.port->ops->resume(lan.port);
	fake_pc_work();
	assert_int_equal(lan.sent, PAIRS);
	assert_true(fake_checkpoints - before >= PAIRS);
}

/* Queues must be there before they are used. */
static void test_pairs_not_set_up(void **state)
{
	(void)state;
	ctrl = MQ_CTRL;
	fake_guest_mem_reset();
	drv_map(NIC);
	drv_negotiate(MANY);
	for (unsigned int q = 0; q < 3; q++) {
		drv_queue(q);
	}
	drv_queue(MQ_CTRL);
	drv_set_status(LIVE);
	assert_int_equal(set_pairs(1), OK);
	assert_int_equal(set_pairs(2), ERR);
	assert_int_equal(set_pairs(3), ERR);
}

/* Without the feature queue 2 is for control, and those behind it are nobody's. */
static void test_no_mq(void **state)
{
	(void)state;
	begin(KNOWS);
	drv_kick(3);
	drv_kick(MQ_CTRL);
	fake_pc_work();
	assert_int_equal(drv_status(), LIVE);
	assert_int_equal(mode(VIRTIO_NET_CTRL_ALLMULTI, 1), OK);
	assert_int_equal(set_pairs(1), ERR);
}

/* ---- life ---- */

static void test_saved(void **state)
{
	(void)state;
	begin(MANY);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_int_equal(set_tables(2, 0), OK);
	assert_int_equal(set_mac("\x52\x54\0\x0a\0\0"), OK);
	assert_int_equal(set_offloads(BIT(VIRTIO_NET_F_GUEST_CSUM)), OK);
	assert_int_equal(set_pairs(2), OK);
	lan.wait = ~0ul;
	send_flow(1, 5);
	assert_int_equal(drv_used(TXQ(1)), 0);
	lan.wait = 0;
	assert_int_equal(fake_pc_save_and_load("virtio-net", 1000), 0);
	fake_pc_work();
	assert_int_equal(drv_used(TXQ(1)), 1);
	assert_int_equal(lan.port->offload, NETPORT_CSUM);
	assert_int_equal(drv_get(DRV_DEVICE + 3, 1), 0x0a);
	assert_int_equal(virtio_net_active(container_of(lan.port, struct virtio_net, port)), 2);
	assert_true(takes(uni, 1));
	assert_true(takes((const uint8_t *)"\x52\x54\0\x0a\0\0", 0));
	assert_false(takes((const uint8_t *)"\x52\x54\0\x0b\0\0", 0));
}

/* A driver that breaks the rules breaks its NIC, not its VM's restore. */
static void test_saved_broken(void **state)
{
	(void)state;
	begin(MANY);
	assert_int_equal(set_pairs(2), OK);
	lan.wait = ~0ul;
	send_flow(1, 5);
	lan.wait = 0;
	drv_desc(ctrl, 0, DRV_DATA(ctrl), 3, 0, 0);
	drv_offer(ctrl, 0);
	lan_kick(ctrl);
	assert_int_equal(drv_status(), LIVE | VIRTIO_NEEDS_RESET);
	assert_int_equal(fake_pc_save_and_load("virtio-net", 1000), 0);
	assert_int_equal(drv_status(), LIVE | VIRTIO_NEEDS_RESET);
	begin(MANY);
	assert_int_equal(set_pairs(2), OK);
}

static void test_saved_nonsense(void **state)
{
#define AT(member) offsetof(struct virtio_net_state, member)
	static const struct {
		size_t at;
		uint8_t val;
	} cases[] = {
		{ AT(active), 0 },
		{ AT(active), PAIRS + 1 },
		{ AT(active) + 1, 1 },
		{ AT(announce), 2 },
		{ AT(unplugged), 2 },
		{ AT(offloads), 1 },
		{ AT(offloads) + 7, 1 },
		{ AT(filter.mode), VIRTIO_NET_MODES },
		{ AT(filter.mac), 1 },
		{ AT(filter.table.count), VIRTIO_NET_MACS + 1 },
		{ AT(parked[0].count), 1 },
		{ AT(parked[1].count) + 1, 1 },
		{ AT(parked[PAIRS].count), 1 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(MANY);
		assert_int_equal(set_pairs(2), OK);
		assert_int_equal(fake_pc_load_corrupt("virtio-net", cases[i].at, cases[i].val),
				 -EINVAL);
	}
}

/* A reset takes everything back. */
static void test_reset(void **state)
{
	struct virtio_net *n;

	(void)state;
	begin(MANY);
	n = container_of(lan.port, struct virtio_net, port);
	assert_int_equal(mode(VIRTIO_NET_CTRL_PROMISC, 0), OK);
	assert_int_equal(set_tables(2, 70), OK);
	assert_int_equal(set_mac("\x52\x54\0\x0a\0\0"), OK);
	assert_int_equal(set_pairs(2), OK);
	drv_set_status(0);
	assert_int_equal(virtio_net_active(n), 1);
	assert_int_equal(n->s.filter.mode, VIRTIO_NET_PROMISC);
	assert_int_equal(n->s.filter.table.count, 0);
	assert_int_equal(lan.port->offload, 0);
	assert_memory_equal(n->config, lan.port->mac, 6);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, lan_start, lan_stop)
	const struct CMUnitTest tests[] = {
		CASE(test_offers),
		CASE(test_filter),
		CASE(test_table_limits),
		CASE(test_filter_and_cut),
		CASE(test_bad_tables),
		CASE(test_mac),
		CASE(test_mac_guarded),
		CASE(test_refused),
		CASE(test_framing),
		CASE(test_short),
		CASE(test_broken),
		CASE(test_unknown_queue),
		CASE(test_in_parts),
		CASE(test_offloads),
		CASE(test_announces),
		CASE(test_one_pair),
		CASE(test_steers),
		CASE(test_keeps_order),
		CASE(test_fewer_pairs),
		CASE(test_backlog),
		CASE(test_pairs_not_set_up),
		CASE(test_no_mq),
		CASE(test_saved),
		CASE(test_saved_nonsense),
		CASE(test_reset),
		CASE(test_saved_broken),
		CASE(test_fewer_pairs_wake),
		CASE(test_pairs_in_turn),
		CASE(test_offloads_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
