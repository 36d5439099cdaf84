/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver (nicdriver.c) and a busy network against the virtio NIC: packets both ways on several pairs of */
/* queues, full receivers, resets by another vCPU while a packet is under way, saved states. No crash, no leak, no */
/* window left open; what is sent asks for no more than was negotiated, and its head is nobody else's. */
/* FUZZ_TARGET: virtio_net drivers/virtio/virtio_net*.c */
/* FUZZ_SOURCES: drivers/net/netqueue.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* FUZZ_SOURCES: drivers/net/checksum.c drivers/virtio/virtq.c drivers/virtio/virtio_dev.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_common.c drivers/virtio/virtio_pci.c hv/vm_config.c hv/timer.c */
/* FUZZ_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* FUZZ_SOURCES: hv/virq.c hv/iobus.c hv/guest_console.c hv/base/lock.c hv/lib/string.c hv/lib/fmt.c */
/* FUZZ_SOURCES: hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_driver.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_heap.c */
/* FUZZ_SOURCES: tests/fuzz/nicframe.c tests/fuzz/nicdriver.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld -Wl,--wrap=spin_lock */
/* FUZZ_CFLAGS: -include tests/fuzz/virtq_mem_hook.h */
#include "drivers/net/gso.h"
#include "drivers/net/netpkt.h"
#include "drivers/virtio/virtio_net.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "tests/fuzz/nicdriver.h"
#include "tests/fuzz/nicframe.h"
#include "tests/unit/fakes/fake_driver.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_page.h"

#include <stdlib.h>
#include <string.h>

static struct netport *port;
static uint8_t frame[NETPKT_LEN_MAX];
static bool nested;	  /* others have their turn already, or all vCPUs stand still */
static unsigned int rush; /* turns in which others look at the receiver's queues */
static int plug_error;	  /* of netport_plug() */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
void fuzz_loaded(const void *p, size_t len);
void __real_spin_lock(struct spinlock *l);
void __wrap_spin_lock(struct spinlock *l);

static void insist(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* ---- the network ---- */

int netport_plug(struct netport *p, const char *network UNUSED)
{
	p->max_len = 1500 + NETPORT_MTU_TO_LEN;
	port = p;
	return plug_error;
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
	if (nicframe_take(1) & 1) {
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
	insist(!spin_any_held());
}

uint64_t netport_rate_wait(const struct netport *p UNUSED, uint64_t now)
{
	return nicframe_take(1) < 0xf0 ? 0 : now + nicframe_take(2);
}

static bool look(void *arg UNUSED, const struct netpkt *pkt)
{
	insist(netpkt_copy(pkt, 0, frame, sizeof(frame)) == pkt->len);
	return true;
}

/* What the driver may ask for; and the head lies where it cannot change it. */
static void check_sent(struct netport *p, const struct netpkt *pkt)
{
	static const uint8_t needs[] = { VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
					 VIRTIO_NET_F_HOST_TSO6 };
	struct virtio_net *n = container_of(p, struct virtio_net, port);

	insist(pkt->seg[0].base < fake_ram || pkt->seg[0].base >= fake_ram + FAKE_RAM);
	insist(virtio_dev_has(&n->pci.d, needs[pkt->gso]) || pkt->gso == NETPKT_GSO_NONE);
	insist(virtio_dev_has(&n->pci.d, VIRTIO_NET_F_CSUM) || !(pkt->flags & NETPKT_CSUM_PARTIAL));
	insist(virtio_dev_has(&n->pci.d, VIRTIO_NET_F_HOST_ECN) || !(pkt->flags & NETPKT_ECN));
	look(NULL, pkt);
}

/* Reads all of what it is given, as a receiver with little offload would. */
uint64_t netport_send(struct netport *p, const struct netpkt *pkt)
{
	insist(!spin_any_held());
	if (pkt->segs != 0) {
		check_sent(p, pkt);
	}
	if (nicframe_take(1) >= 0xd0) {
		return pkt->time + 1 + nicframe_take(3);
	}
	if (netpkt_is_sane(pkt) && !(gso_is_cut(pkt, 0) && gso_segments(pkt) > GSO_CUT_MAX)) {
		gso_emit(pkt, 0, look, NULL);
	}
	return 0;
}

/* ---- the machine ---- */

void fake_pc_configure(struct vm *vm)
{
	vm->cfg.cpus = NICDRIVER_PAIRS;
}

bool thread_should_yield(void)
{
	return nicframe_take(1) >= 0xe0;
}

void fuzz_loaded(const void *p, size_t len)
{
	if (nicdriver_races && fake_on_checkpoint != NULL) {
		nicdriver_race(p, len);
	}
}

/* Another CPU may be faster, in whatever is done without a lock. */
void __wrap_spin_lock(struct spinlock *l)
{
	if (nicdriver_races && fake_on_checkpoint != NULL && !spin_any_held()) {
		fake_on_checkpoint();
	}
	__real_spin_lock(l);
}

/* A card that cannot be made: no memory, no such network, an address that somebody has. */
static void *fail_to_plug(void)
{
	static const int errors[] = { -EEXIST, -ENOENT, -ENOMEM };
	const struct vdev *d = container_of(fake_vm.devices.prev, struct vdev, node);
	struct netport *first = port;
	void *dev = calloc(1, d->cls->size);

	insist(strcmp(d->cls->name, "virtio-net") == 0);
	plug_error = errors[nicframe_take(1) % ARRAY_SIZE(errors)];
	fake_heap_limit = nicframe_take(1) & 7;
	fake_page_limit = nicframe_take(1) & 1;
	insist(d->cls->create_nth(&fake_vm, dev, 1) != 0);
	d->cls->destroy(dev);
	fake_heap_limit = fake_page_limit = ~0ul;
	plug_error = 0;
	port = first;
	return dev;
}

/* ---- what others do ---- */

/* For the card, for all, for a group, for others. */
static void bend_address(void)
{
	uint8_t to = (uint8_t)nicframe_take(1);

	if (to & 1) {
		memcpy(frame, port->mac, 6);
	}
	memset(frame, 0xff, (to & 6) == 6 ? 6 : 0);
	frame[0] = (to & 24) == 24 ? (uint8_t)nicframe_take(1) : frame[0];
	frame[5] = (to & 96) == 96 ? (uint8_t)nicframe_take(1) : frame[5];
}

/* What a sender may have done about it already, and what it leaves to the receiver. */
static void offload(struct netpkt *pkt, const struct nicframe_kind *k)
{
	uint8_t how = (uint8_t)nicframe_take(1);

	pkt->flags = how & (NETPKT_CSUM_VALID | NETPKT_NOW);
	if ((how & NETPKT_CSUM_PARTIAL) && k->l4 != 0) {
		pkt->flags |= NETPKT_CSUM_PARTIAL;
		pkt->csum_start = k->l4;
		pkt->csum_offset = k->sum;
	}
	if ((how & NETPKT_CSUM_PARTIAL) && (how & 32)) {
		pkt->gso = k->gso;
		pkt->gso_size = (uint16_t)(NETPKT_GSO_MIN + nicframe_take(1) * 6);
		pkt->flags |= pkt->gso != 0 ? how & NETPKT_ECN : 0;
	}
	if (how >= 0xc0) { /* one of the segments of another packet */
		pkt->flags |= how & NETPKT_CUT;
		pkt->more = (uint16_t)(nicframe_take(1) % 130);
	}
}

/* Whatever a switch may deliver: it makes sense, and no more. */
static void arrive(void)
{
	const struct nicframe_kind *k = nicframe_pick();
	uint32_t len = nicframe_length(k), head = (uint32_t)u64_min(len, NETPKT_HEAD);
	uint32_t part = (uint32_t)u64_min(nicframe_take(1), len - head);
	struct netseg seg[] = { { frame, head },
				{ frame + head, part },
				{ frame + head + part, len - head - part } };
	struct netpkt pkt = { .seg = seg, .len = len, .segs = len > head ? 3 : 1 };

	nicframe_write(k, frame, len);
	bend_address();
	offload(&pkt, k);
	if (netpkt_is_sane(&pkt)) {
		port->ops->receive(port, &pkt);
	}
	if (nicframe_take(1) & 1) {
		port->ops->flush(port);
	}
}

static void work(void)
{
	fake_pass(1ul << nicframe_take(1) % 28);
	fake_pc_work();
	if ((drv_status() & VIRTIO_NEEDS_RESET) && !nicframe_rarely()) {
		nicdriver_restart();
	}
}

static void save(void)
{
	size_t at = nicframe_take(2), size = fake_pc_state_size("virtio-net");

	nested = true;
	if (at < size) {
		fake_pc_load_corrupt("virtio-net", size - 1 - at, (uint8_t)nicframe_take(1));
	} else {
		fake_pc_save_and_load("virtio-net", 1000);
	}
	nested = false;
}

/* As an administrator: cable, addresses that are guarded or not, counters; and memory that is short. */
static void administrate(void)
{
	struct virtio_net_counts counts;
	uint8_t what = (uint8_t)nicframe_take(1);

	virtio_net_set_link(&fake_vm, 0, what & 1);
	port->guard.flags = what & 2 ? NETGUARD_MAC : 0;
	fake_heap_limit = what >= 0xf0 ? 0 : ~0ul;
	insist((virtio_net_port(&fake_vm, what >> 2 & 1) == port) == !(what & 4));
	virtio_net_counts(&fake_vm, 0, &counts);
}

static void resume(void)
{
	port->ops->resume(port);
}

static void hurry(void)
{
	rush = (unsigned int)nicframe_take(1);
}

static void kick(void)
{
	nicdriver_kick();
	if (!nested) {
		fake_pc_work();
	}
}

/* A driver that resets the card waits until it is done with its memory. */
static void stop(void)
{
	drv_set_status((uint8_t)nicframe_take(1) & 0x4f);
	drv_status();
}

/* From here on what is possible in the midst of sending or receiving, too: another vCPU, another VM. */
static void (*const steps[])(void) = {
	work,
	save,
	nicdriver_room,
	nicdriver_packet,
	arrive,
	kick,
	nicdriver_room,
	nicdriver_packet,
	arrive,
	kick,
	nicdriver_room,
	nicdriver_packet,
	arrive,
	kick,
	nicdriver_command,
	nicdriver_command,
	resume,
	administrate,
	nicdriver_anything,
	hurry,
	stop,
	nicdriver_restart,
};

static void others(void)
{
	if (nested || (rush == 0 && nicframe_take(1) < 0xd0)) {
		return;
	}
	insist(!spin_any_held());
	nested = true;
	if (rush > 0) {
		rush--;
		port->ops->flush(port);
	} else {
		steps[2 + nicframe_take(1) % (ARRAY_SIZE(steps) - 2)]();
	}
	if (rush > 0 || (nicframe_take(1) & 1)) {
		fake_pc_work(); /* a vCPU that finds the first one at it */
	}
	nested = false;
}

static void run(void)
{
	nicdriver_start();
	fake_on_checkpoint = others;
	while (nicframe_more()) {
		steps[nicframe_take(1) % ARRAY_SIZE(steps)]();
	}
	fake_on_checkpoint = NULL;
	fake_heap_limit = ~0ul;
	fake_pc_work();
	fake_pc_reset();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *failed;

	nicframe_begin(data, size);
	nested = false;
	rush = 0;
	fake_nics = 1;
	fake_pc_start(NULL);
	failed = nicframe_take(1) >= 0xf0 ? fail_to_plug() : NULL;
	run();
	fake_pc_stop(NULL);
	free(failed);
	insist(fake_page_live == 0 && fake_heap_live == 0 && fake_mem_windows == 0);
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
