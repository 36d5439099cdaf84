/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver and a busy network against the virtio NIC: chains, headers, commands, packets both ways on */
/* several pairs of queues, full receivers, resets by another vCPU while a packet is under way, saved states. No */
/* crash, no leak, no window left open. */
/* FUZZ_TARGET: virtio_net drivers/virtio/virtio_net*.c */
/* FUZZ_SOURCES: drivers/net/netqueue.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* FUZZ_SOURCES: drivers/net/checksum.c drivers/virtio/virtq.c drivers/virtio/virtio_dev.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_common.c drivers/virtio/virtio_pci.c hv/vm_config.c hv/timer.c */
/* FUZZ_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* FUZZ_SOURCES: hv/virq.c hv/iobus.c hv/guest_console.c hv/base/lock.c hv/lib/string.c hv/lib/fmt.c */
/* FUZZ_SOURCES: hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_driver.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_heap.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/net/gso.h"
#include "drivers/net/netpkt.h"
#include "drivers/virtio/virtio_net.h"
#include "drivers/virtio/virtio_pci.h"
#include "fakes/fake_heap.h"
#include "tests/unit/fakes/fake_driver.h"
#include "tests/unit/fakes/fake_page.h"

#include <stdlib.h>
#include <string.h>

#define PAIRS	3u
#define MQ_CTRL (2 * PAIRS)
enum { RX, TX, CTRL };

static const uint8_t *in;
static size_t left;
static struct netport *port;
static uint8_t frame[NETPKT_LEN_MAX];
static bool nested;	  /* in a checkpoint already */
static unsigned int ctrl; /* number of the control queue */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

static uint64_t take(unsigned int bytes)
{
	uint64_t val = 0;

	for (; bytes > 0 && left > 0; bytes--, left--) {
		val = val << 8 | *in++;
	}
	return val;
}

/* ---- the network ---- */

int netport_plug(struct netport *p, const char *network UNUSED)
{
	p->max_len = 1500 + NETPORT_MTU_TO_LEN;
	port = p;
	return 0;
}

void netport_unplug(struct netport *p UNUSED)
{
}

void netport_set_rate(struct netport *p UNUSED, uint64_t rate UNUSED, uint64_t now UNUSED)
{
}

void netport_set_link(struct netport *p, bool up)
{
	p->link = up;
}

void netport_ready(struct netport *p UNUSED)
{
	if (take(1) & 1) {
		port->ops->resume(port);
	}
}

uint32_t netport_leased(const struct netport *p UNUSED)
{
	return 1;
}

void netport_set_leased(struct netport *p UNUSED, uint32_t ip UNUSED)
{
}

void netport_lose(struct netport *p, enum netport_drop why)
{
	p->stats.drops[why]++;
}

void netport_burst_end(struct netburst *b UNUSED)
{
	if (spin_any_held()) {
		abort();
	}
}

uint64_t netport_rate_wait(const struct netport *p UNUSED, uint64_t now)
{
	return take(1) < 0xf0 ? 0 : now + take(2);
}

static bool look(void *arg UNUSED, const struct netpkt *pkt)
{
	if (netpkt_copy(pkt, 0, frame, sizeof(frame)) != pkt->len) {
		abort();
	}
	return true;
}

/* Reads all of what it is given, as a receiver with little offload would. */
uint64_t netport_send(struct netport *p UNUSED, const struct netpkt *pkt)
{
	if (spin_any_held()) {
		abort();
	}
	if (take(1) >= 0xd0) {
		return pkt->time + 1 + take(3);
	}
	if (netpkt_is_sane(pkt) && !(gso_is_cut(pkt, 0) && gso_segments(pkt) > GSO_CUT_MAX)) {
		gso_emit(pkt, 0, look, NULL);
	}
	return 0;
}

/* ---- the driver ---- */

void fake_pc_configure(struct vm *vm)
{
	vm->cfg.cpus = PAIRS;
}

/* Any queue for packets that way; mostly the first. */
static unsigned int any(unsigned int way)
{
	uint8_t pair = (uint8_t)take(1);

	return way + 2 * (pair < 0xa0 ? 0 : pair % PAIRS);
}

static void offer(unsigned int q)
{
	uint16_t head = (uint16_t)take(1) % DRV_SIZE, n = (uint16_t)take(1) % 6;
	bool writable = q % 2 == RX && q != ctrl;
	uint32_t room = (uint32_t)take(1) * (take(1) & 1 ? 300 : 9);

	for (uint16_t i = 0; i <= n; i++) {
		uint16_t flags = (uint16_t)((i < n ? VIRTQ_DESC_NEXT : 0) |
					    (writable ? VIRTQ_DESC_WRITE : 0));

		flags ^= take(1) >= 0xfc ? (uint16_t)take(1) : 0;
		drv_desc(q, (head + i) % DRV_SIZE, DRV_DATA(q) + take(2) % 0x7000,
			 i == 0 && !writable ? VIRTIO_NET_HDR + (uint32_t)take(1) : room, flags,
			 (uint16_t)(head + i + 1) % DRV_SIZE);
	}
	drv_offer(q, head);
}

/* A packet as it should be: header, IPv4, TCP or UDP; some of it bent. */
static void write_packet(void)
{
	static const uint8_t ip[] = { 0x52, 0x54, 0,	0, 0, 2,    0x52, 0x54, 0,    0, 0,  1,
				      8,    0,	  0x45, 0, 5, 0xdc, 0,	  0,	0x40, 0, 64, 6,
				      0,    0,	  10,	0, 0, 1,    10,	  0,	0,    2 };
	uint64_t at = DRV_DATA(any(TX)) + take(2) % 0x7000;

	memset(&fake_ram[at], 0, VIRTIO_NET_HDR);
	fake_ram[at] = (uint8_t)take(1) & 3;
	fake_ram[at + VIRTIO_NET_HDR_GSO_TYPE] = (uint8_t)take(1) % 6;
	drv_put16(at + VIRTIO_NET_HDR_GSO_SIZE, (uint16_t)(take(1) * 8));
	drv_put16(at + VIRTIO_NET_HDR_CSUM_START, 34);
	drv_put16(at + VIRTIO_NET_HDR_CSUM_OFFSET, 16);
	memcpy(&fake_ram[at + VIRTIO_NET_HDR], ip, sizeof(ip));
	fake_ram[at + VIRTIO_NET_HDR + 1] = (uint8_t)take(1) % 4;
	fake_ram[at + VIRTIO_NET_HDR + 46] = 0x50;
	for (unsigned int n = (unsigned int)take(1) % 4; n > 0; n--) {
		fake_ram[at + take(1) % 80] = (uint8_t)take(1);
	}
}

/* A command as it should be, some of it bent; in two or three buffers. */
static void offer_command(void)
{
	static const struct {
		uint8_t class, number, len;
	} commands[] = {
		{ VIRTIO_NET_CTRL_MODE, VIRTIO_NET_CTRL_PROMISC, 1 },
		{ VIRTIO_NET_CTRL_MODE, VIRTIO_NET_CTRL_ALLMULTI, 1 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_TABLE_SET, 8 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_ADDR_SET, 6 },
		{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCED, 0 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_PAIRS_SET, 2 },
		{ VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFL_SET, 8 },
	};
	unsigned int which = (unsigned int)take(1) % ARRAY_SIZE(commands);
	uint64_t at = DRV_DATA(ctrl) + (take(1) % 16) * 0x400;
	uint16_t head = (uint16_t)take(1) % (DRV_SIZE - 2);
	uint32_t len = commands[which].len, cut = (uint32_t)take(1) % 2;
	uint8_t tables[2] = { 0 };

	fake_ram[at] = commands[which].class;
	fake_ram[at + 1] = commands[which].number;
	memset(&fake_ram[at + 2], 0, 0x3f0);
	if (commands[which].number == 0 && commands[which].class == VIRTIO_NET_CTRL_MAC) {
		tables[0] = (uint8_t)take(1) % 80;
		tables[1] = (uint8_t)take(1) % 80;
		drv_put16(at + 2, tables[0]);
		drv_put16(at + 6 + 6ul * tables[0], tables[1]);
		len += 6u * tables[0] + 6u * tables[1];
	}
	for (unsigned int n = (unsigned int)take(1) % 4; n > 0; n--) {
		fake_ram[at + 2 + take(1) % 16] = (uint8_t)take(1);
	}
	len += take(1) < 0xe0 ? 0 : (uint32_t)take(1);
	drv_desc(ctrl, head, at, 2 - cut, VIRTQ_DESC_NEXT, (uint16_t)(head + 1));
	drv_desc(ctrl, head + 1u, at + 2 - cut, len + cut, VIRTQ_DESC_NEXT, (uint16_t)(head + 2));
	drv_desc(ctrl, head + 2u, at + 0x3f0, take(1) < 0xf8, VIRTQ_DESC_WRITE, 0);
	drv_offer(ctrl, head);
	drv_kick(ctrl);
}

static void start(void)
{
	static const uint64_t offload = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
					BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
					BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN);
	static const uint64_t control = BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
					BIT(VIRTIO_NET_F_CTRL_MAC) | BIT(VIRTIO_NET_F_CTRL_OFFL) |
					BIT(VIRTIO_NET_F_ANNOUNCE);
	uint64_t how = take(1);

	ctrl = how & 16 ? MQ_CTRL : CTRL;
	drv_start(VIRTIO_SLOT_NIC,
		  DRV_VERSION_1 | (how & 1 ? offload : 0) |
			  (how & 2 ? BIT(VIRTIO_NET_F_MRG_RXBUF) : 0) |
			  (how & 4 ? BIT(VIRTIO_F_EVENT_IDX) : 0) | (how & 8 ? control : 0) |
			  (how & 16 ? BIT(VIRTIO_NET_F_MQ) : 0),
		  how & 32 ? 2 : ctrl + 1);
}

/* ---- what others do ---- */

/* For the card, for all, for a group, for others; of many flows. */
static void bend_address(void)
{
	uint8_t to = (uint8_t)take(1);

	memcpy(frame, port->mac, 6);
	memset(frame, 0xff, to & 1 ? 6 : 0);
	frame[0] = to & 2 ? (uint8_t)take(1) : frame[0];
	frame[5] = to & 4 ? (uint8_t)take(1) : frame[5];
	frame[35] = to & 8 ? (uint8_t)take(1) : frame[35];
	port->guard.flags = to & 16 ? NETGUARD_MAC : 0;
}

static void arrive(void)
{
	uint32_t len = (uint32_t)(14 + take(1) * (take(1) & 1 ? 6 : 256)), more = 0;
	uint8_t flags = (uint8_t)take(1) & (NETPKT_NOW | NETPKT_CUT | NETPKT_CSUM_VALID);
	struct netseg seg[2] = { { frame, (uint32_t)u64_min(len, NETPKT_HEAD) },
				 { frame + NETPKT_HEAD, len } };
	struct netpkt pkt = { .seg = seg, .len = len, .segs = len > NETPKT_HEAD ? 2 : 1 };

	bend_address();
	seg[1].len = len - seg[0].len;
	if (flags & NETPKT_CUT || take(1) >= 0xf0) {
		more = (uint32_t)take(1) % 130;
	}
	pkt.flags = flags;
	pkt.more = (uint16_t)more;
	port->ops->receive(port, &pkt);
	if (take(1) & 1) {
		port->ops->flush(port);
	}
}

static void work(void)
{
	fake_pass(1ul << take(1) % 28);
	fake_pc_work();
}

static void save(void)
{
	size_t at = take(2), size = fake_pc_state_size("virtio-net");

	if (at < size) {
		fake_pc_load_corrupt("virtio-net", size - 1 - at, (uint8_t)take(1));
	} else {
		fake_pc_save_and_load("virtio-net", 1000);
	}
}

static void link(void)
{
	virtio_net_set_link(&fake_vm, 0, take(1) & 1);
}

static void resume(void)
{
	port->ops->resume(port);
}

static void kick(void)
{
	drv_kick((unsigned int)take(1) % (MQ_CTRL + 2));
	if (!nested) {
		fake_pc_work();
	}
}

static void offer_room(void)
{
	offer(any(RX));
}

static void offer_packet(void)
{
	offer(any(TX));
}

/* What belongs elsewhere, or makes no sense. */
static void offer_anything(void)
{
	offer((unsigned int)take(1) % (MQ_CTRL + 1));
}

static void stop(void)
{
	drv_set_status((uint8_t)take(1) & 0x4f);
}

/* From here on what is possible in the midst of sending or receiving, too: another vCPU, another VM. */
static void (*const steps[])(void) = {
	work, save,	  offer_room,	offer_packet,  write_packet,  arrive,
	kick, offer_room, offer_packet, arrive,	       write_packet,  resume,
	link, stop,	  start,	offer_command, offer_command, offer_anything,
};

static void others(void)
{
	if (nested || take(1) < 0xd0) {
		return;
	}
	if (spin_any_held()) {
		abort();
	}
	nested = true;
	steps[2 + take(1) % (ARRAY_SIZE(steps) - 2)]();
	if (take(1) & 1) {
		fake_pc_work(); /* a vCPU that finds the first one at it */
	}
	nested = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = data;
	left = size;
	nested = false;
	fake_nics = 1;
	fake_pc_start(NULL);
	fake_on_checkpoint = others;
	start();
	while (left > 0) {
		steps[take(1) % ARRAY_SIZE(steps)]();
	}
	fake_on_checkpoint = NULL;
	fake_pc_work();
	fake_pc_reset();
	fake_pc_stop(NULL);
	if (fake_page_live != 0 || fake_heap_live != 0 || fake_mem_windows != 0) {
		abort();
	}
	return 0;
}

/* One in four times a run of steps behind the others, mostly of what is usual; else libFuzzer's own. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	uint32_t random = seed * 2654435761u | 1;
	size_t end = size + 16 + random % 240;

	if (random >> 30 != 0 || end > max) {
		return LLVMFuzzerMutate(data, size, max);
	}
	for (; size < end; size++) {
		random = random * 1664525u + 1013904223u;
		data[size] = (uint8_t)(random >> 24 & (random & 0x800000 ? 0xff : 0x1f));
	}
	return size;
}
