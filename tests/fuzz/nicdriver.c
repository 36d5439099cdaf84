/* SPDX-License-Identifier: BSD-2-Clause */
/* Chains are laid out one behind the other, as drivers do, and no more are offered than there is room for, */
/* mostly: a card that is broken learns nothing more until its reset. */
#include "tests/fuzz/nicdriver.h"

#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/bytes.h"
#include "tests/fuzz/nicframe.h"
#include "tests/unit/fakes/fake_driver.h"

#include <string.h>

#define QUEUES	 (2 * NICDRIVER_PAIRS + 1)
#define RING_MAX 256u
#define SLOT	 0x400u /* of a command */
enum { RX, TX, CTRL };

bool nicdriver_races;
static unsigned int ctrl;	       /* number of the control queue */
static uint16_t ring;		       /* entries of each */
static uint16_t next_head[QUEUES + 1]; /* entry of the table behind the last chain */
static bool indirect;

/* ---- chains ---- */

/* Descriptors of one chain, in the queue's table or one of its own. */
struct chain {
	unsigned int q;
	unsigned int count, made;
	uint16_t head;
	bool table;
};

static uint64_t table_of(const struct chain *c)
{
	return DRV_INDIRECT(c->q) + (c->head % 4ul) * RING_MAX * VIRTQ_DESC_SIZE;
}

static struct chain begin(unsigned int q, unsigned int count, bool table)
{
	unsigned int entries = table ? 1 : count;
	uint16_t head = next_head[q];

	next_head[q] = (uint16_t)((head + entries) % ring);
	return (struct chain){ .q = q, .count = count, .head = head, .table = table };
}

/* The next one of it. */
static void add(struct chain *c, uint64_t addr, uint32_t len, uint16_t way)
{
	unsigned int i = c->made++, from = c->table ? 0 : c->head;
	uint16_t flags = (uint16_t)(way | (i + 1 < c->count ? VIRTQ_DESC_NEXT : 0));
	uint16_t next = (uint16_t)(c->table ? i + 1 : (from + i + 1) % ring);

	(c->table ? drv_indirect
		  : drv_desc)(c->q, c->table ? (c->head % 4u) * RING_MAX + i : (from + i) % ring,
			      addr, len, flags, next);
}

/* No more than the card has room for. */
static bool is_full(unsigned int q)
{
	return (uint16_t)(drv_get16(DRV_AVAIL(q) + VIRTQ_RING_IDX) - drv_used(q)) >= ring;
}

static void offer_head(unsigned int q, uint16_t head)
{
	uint16_t idx = drv_get16(DRV_AVAIL(q) + VIRTQ_RING_IDX);

	if (!is_full(q)) {
		drv_put16(DRV_AVAIL(q) + VIRTQ_RING_ENTRIES + 2ul * (idx % ring), head);
		drv_put16(DRV_AVAIL(q) + VIRTQ_RING_IDX, (uint16_t)(idx + 1));
	}
}

/* Something of a descriptor, of a ring, of data. */
static void bend(const struct chain *c)
{
	uint64_t at = c->table ? table_of(c) : DRV_DESC(c->q) + VIRTQ_DESC_SIZE * c->head;

	switch (nicframe_take(1) % 4) {
	case 0:
		at += nicframe_take(1);
		break;
	case 1:
		at = DRV_AVAIL(c->q) + nicframe_take(1) % 16;
		break;
	case 2:
		at = DRV_DESC(c->q) + nicframe_take(2);
		break;
	default:
		drv_put16(DRV_AVAIL(c->q) + VIRTQ_USED_EVENT(ring), (uint16_t)nicframe_take(1));
		return;
	}
	fake_ram[at] = (uint8_t)nicframe_take(1);
}

static void offer(const struct chain *c)
{
	if (c->table) {
		drv_desc(c->q, c->head, table_of(c), VIRTQ_DESC_SIZE * c->count,
			 VIRTQ_DESC_INDIRECT, 0);
	}
	if (nicframe_take(1) >= 0xf4) {
		bend(c);
	}
	offer_head(c->q, c->head);
}

/* `total` bytes at `at`, the first `first` of them alone; the rest in up to a few pieces, or very many. */
static void offer_bytes(unsigned int q, uint64_t at, uint32_t total, uint32_t first, uint16_t way)
{
	unsigned int shape = (unsigned int)nicframe_take(1);
	bool table = indirect && shape >= 0x60;
	unsigned int rest = table && shape >= 0xc0 ? (shape & 0x3f) * 4 : shape % 5;
	struct chain c = begin(q, (unsigned int)u64_min(rest + 1ul, ring), table);
	uint32_t done = (uint32_t)u64_min(first, total), piece;

	piece = c.count > 1 ? (total - done) / (c.count - 1) : 0;
	add(&c, at, c.count > 1 ? done : total, way);
	while (c.made < c.count) {
		add(&c, at + done, c.made + 1 < c.count ? piece : total - done, way);
		done += piece;
	}
	offer(&c);
}

/* ---- buffers and packets ---- */

/* Any queue for packets that way; mostly the first. */
static unsigned int any(unsigned int way)
{
	uint8_t pair = (uint8_t)nicframe_take(1);

	return way + 2 * (pair < 0xa0 ? 0 : pair % NICDRIVER_PAIRS);
}

static void make_room(unsigned int q)
{
	static const uint16_t scale[] = { 1, 9, 32, 300 };
	uint32_t room = VIRTIO_NET_HDR + scale[nicframe_take(1) % 4] * (uint32_t)nicframe_take(1);
	unsigned int times = (unsigned int)nicframe_take(1);

	for (times = times < 0xc0 ? 1 : times - 0xbf; times > 0; times--) {
		offer_bytes(q, DRV_DATA(q) + times * 0x100ul, room, VIRTIO_NET_HDR,
			    VIRTQ_DESC_WRITE);
	}
}

void nicdriver_room(void)
{
	make_room(any(RX));
}

/* All that a driver may ask for, whether it was negotiated or not. */
static void write_header(uint8_t *hdr, const struct nicframe_kind *k)
{
	uint8_t how = (uint8_t)nicframe_take(1);

	memset(hdr, 0, VIRTIO_NET_HDR);
	hdr[VIRTIO_NET_HDR_FLAGS] = how & 1 ? VIRTIO_NET_NEEDS_CSUM : how & 2;
	bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_START, k->l4);
	bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_OFFSET, k->sum);
	if (how & 4) {
		hdr[VIRTIO_NET_HDR_GSO_TYPE] = k->virtio | (how & 8 ? VIRTIO_NET_GSO_ECN : 0);
		bytes_put_le16(hdr + VIRTIO_NET_HDR_GSO_SIZE,
			       (uint16_t)(NETPKT_GSO_MIN - 1 + nicframe_take(1) * 8));
	}
	for (unsigned int n = nicframe_rarely() ? (unsigned int)nicframe_take(1) % 4 : 0; n > 0;
	     n--) {
		hdr[nicframe_take(1) % 80] = (uint8_t)nicframe_take(1);
	}
}

static void make_packet(unsigned int q)
{
	const struct nicframe_kind *k = nicframe_pick();
	uint32_t len = nicframe_length(k), split = (uint32_t)nicframe_take(1);
	uint64_t at = DRV_DATA(q) + (nicframe_take(1) % 16) * 0x700ul;

	nicframe_write(k, &fake_ram[at + VIRTIO_NET_HDR], len);
	write_header(&fake_ram[at], k);
	offer_bytes(q, at, VIRTIO_NET_HDR + len - (split >= 0xf0 ? split % 16 * 4 : 0),
		    split < 0x80 ? VIRTIO_NET_HDR : split, 0);
}

void nicdriver_packet(void)
{
	make_packet(any(TX));
}

void nicdriver_anything(void)
{
	unsigned int q = (unsigned int)nicframe_take(1) % QUEUES;

	(nicframe_take(1) & 1 ? make_room : make_packet)(q);
}

/* ---- commands ---- */

struct command {
	uint8_t class, number, len;
	/* Its data, which is 0; bytes of it besides len. */
	uint32_t (*fill)(uint64_t at);
};

static uint32_t fill_flag(uint64_t at)
{
	fake_ram[at] = (uint8_t)nicframe_take(1) & 1;
	return 0;
}

/* Two tables of addresses, the first ones of those that packets go to. */
static uint32_t fill_tables(uint64_t at)
{
	uint8_t uni = (uint8_t)nicframe_take(1) % 80, multi = (uint8_t)nicframe_take(1) % 80;

	drv_put16(at, uni);
	drv_put16(at + 4 + 6ul * uni, multi);
	for (unsigned int i = 0; i < u64_min(uni, 3); i++) {
		fake_ram[at + 4 + 6ul * i] = 0x52;
		fake_ram[at + 5 + 6ul * i] = 0x54;
		fake_ram[at + 9 + 6ul * i] = (uint8_t)i;
	}
	return 6u * uni + 6u * multi;
}

static uint32_t fill_mac(uint64_t at)
{
	fake_ram[at] = 0x52;
	fake_ram[at + 1] = 0x54;
	fake_ram[at + 5] = (uint8_t)nicframe_take(1) % 4;
	return 0;
}

static uint32_t fill_pairs(uint64_t at)
{
	drv_put16(at, (uint16_t)(nicframe_take(1) % (NICDRIVER_PAIRS + 2)));
	return 0;
}

static uint32_t fill_offloads(uint64_t at)
{
	static const uint16_t all = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
				    BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN);

	drv_put16(at, (uint16_t)nicframe_take(2) & all);
	return 0;
}

static uint32_t fill_nothing(uint64_t at UNUSED)
{
	return 0;
}

static const struct command commands[] = {
	{ VIRTIO_NET_CTRL_MODE, VIRTIO_NET_CTRL_PROMISC, 1, fill_flag },
	{ VIRTIO_NET_CTRL_MODE, VIRTIO_NET_CTRL_ALLMULTI, 1, fill_flag },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_TABLE_SET, 8, fill_tables },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_ADDR_SET, 6, fill_mac },
	{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCED, 0, fill_nothing },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_PAIRS_SET, 2, fill_pairs },
	{ VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFL_SET, 8, fill_offloads },
};

/* Class, number and data at `at`, some of it bent. Bytes. */
static uint32_t write_command(uint64_t at)
{
	const struct command *cmd = &commands[nicframe_take(1) % ARRAY_SIZE(commands)];
	uint32_t len;

	memset(&fake_ram[at], 0, SLOT);
	fake_ram[at] = cmd->class;
	fake_ram[at + 1] = cmd->number;
	len = VIRTIO_NET_CTRL + cmd->len + cmd->fill(at + VIRTIO_NET_CTRL);
	for (unsigned int n = nicframe_rarely() ? (unsigned int)nicframe_take(1) % 4 : 0; n > 0;
	     n--) {
		fake_ram[at + nicframe_take(1) % 16] = (uint8_t)nicframe_take(1);
	}
	return nicframe_rarely() ? (uint32_t)nicframe_take(1) * 2 : len;
}

/* In any number of buffers, the first of which may end within class and number; the answer in its own. */
static void offer_command(void)
{
	uint64_t at = DRV_DATA(ctrl) + (nicframe_take(1) % 16) * SLOT;
	uint32_t len = write_command(at), cut = 1 + (uint32_t)nicframe_take(1) % 5;
	struct chain c = begin(ctrl, 3, indirect && cut > 3);

	cut = (uint32_t)u64_min(cut, len);
	add(&c, at, cut, 0);
	add(&c, at + cut, len - cut, 0);
	add(&c, at + SLOT - 1, nicframe_take(1) < 0xf8, VIRTQ_DESC_WRITE);
	offer(&c);
}

void nicdriver_command(void)
{
	unsigned int times = (unsigned int)nicframe_take(1);

	for (times = times < 0xe0 ? 1 : times % 16; times > 0; times--) {
		offer_command();
	}
	drv_kick(ctrl);
}

/* ---- all of it ---- */

/* Those that go together are there together, mostly. */
static uint64_t pick_features(uint32_t without)
{
	static const uint64_t groups[] = {
		BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
			BIT(VIRTIO_NET_F_HOST_ECN),
		BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
			BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN),
		BIT(VIRTIO_NET_F_MRG_RXBUF),
		BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_MAC) |
			BIT(VIRTIO_NET_F_CTRL_OFFL) | BIT(VIRTIO_NET_F_ANNOUNCE) |
			BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MTU),
		BIT(VIRTIO_NET_F_MQ),
		BIT(VIRTIO_F_INDIRECT_DESC),
		BIT(VIRTIO_F_EVENT_IDX),
	};
	uint64_t features = DRV_VERSION_1;

	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		features |= without >> i & 1 ? 0 : groups[i];
	}
	return nicframe_rarely() ? features ^ BIT(nicframe_take(1) % 34) : features;
}

static void clear_rings(void)
{
	for (unsigned int q = 0; q < QUEUES; q++) {
		memset(&fake_ram[DRV_AVAIL(q)], 0, DRV_INDIRECT(q) - DRV_AVAIL(q));
	}
	memset(next_head, 0, sizeof(next_head));
}

void nicdriver_restart(void)
{
	uint32_t without = (uint32_t)nicframe_take(1), how = (uint32_t)nicframe_take(1);
	uint64_t features = pick_features(without);

	ctrl = features & BIT(VIRTIO_NET_F_MQ) ? QUEUES - 1 : CTRL;
	ring = how & 1 ? RING_MAX : DRV_SIZE;
	indirect = features & BIT(VIRTIO_F_INDIRECT_DESC);
	nicdriver_races = how & 2;
	clear_rings();
	drv_negotiate(features);
	for (unsigned int q = 0; q <= ((how & 0x1c) == 0x1c ? 1 : ctrl); q++) {
		drv_queue_of(q, ring);
	}
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void nicdriver_start(void)
{
	fake_guest_mem_reset();
	drv_map(VIRTIO_SLOT_NIC);
	nicdriver_restart();
}

void nicdriver_kick(void)
{
	drv_kick((unsigned int)nicframe_take(1) % (QUEUES + 1));
}

void nicdriver_race(const void *p, size_t len)
{
	uint8_t how = (uint8_t)nicframe_take(1);

	if (p != NULL && how >= 0xf8) {
		((uint8_t *)(uintptr_t)p)[how % len] = (uint8_t)nicframe_take(1);
	} else if (p == NULL && how >= 0xc0) {
		for (; how >= 0xc0; how -= 2) {
			offer_head(TX, next_head[TX]);
		}
	}
}
