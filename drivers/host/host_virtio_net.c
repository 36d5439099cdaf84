/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the device as a whole: found, set up, its link, its interrupt, and the thread that serves it. */
/* Queues are host_virtio_net_rx.c's, host_virtio_net_tx.c's and host_virtio_net_ctrl.c's. */
#include "drivers/host/host_virtio_net.h"
#include "arch/clock.h"
#include "drivers/host/host_pci.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define ROUND	  16u	       /* packets between two looks at the rest */
#define LOOK_NS	  1000000000ul /* at the link, if no interrupt tells */
#define CTRL_RING 4u
#define WANTED                                                                                     \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MAC) |           \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |  \
	 BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX))

static bool has(const struct host_virtio_net *n, unsigned int feature)
{
	return (n->v.features & BIT(feature)) != 0;
}

/* ---- interrupt ---- */

static void wake(struct host_virtio_net *n)
{
	struct thread *t = __atomic_load_n(&n->thread, __ATOMIC_ACQUIRE);

	__atomic_store_n(&n->woken, true, __ATOMIC_RELEASE);
	if (t != NULL) {
		thread_unpark(t);
	}
}

static void on_irq(void *arg)
{
	struct host_virtio_net *n = arg;

	if (host_virtio_irq(&n->v)) {
		__atomic_fetch_add(&n->interrupts, 1, __ATOMIC_RELAXED);
		wake(n);
	}
}

void host_virtio_net_break(struct host_virtio_net *n)
{
	if (!__atomic_exchange_n(&n->broken, true, __ATOMIC_RELAXED)) {
		host_virtio_off(&n->v);
		wake(n);
	}
}

/* ---- the thread ---- */

/* 5.1.4.2: without that feature it is up. */
static void update_link(struct host_virtio_net *n)
{
	bool up = !has(n, VIRTIO_NET_F_STATUS) ||
		  (host_virtio_config(&n->v, VIRTIO_NET_STATUS, 2) & VIRTIO_NET_LINK_UP);

	netport_set_link(&n->port, up);
}

/* All that there is to do: packets taken. */
static unsigned int serve(struct host_virtio_net *n)
{
	unsigned int all = 0, taken;

	host_vring_mute(&n->rx);
	do {
		taken = host_virtio_net_rx_poll(n, ROUND);
		all += taken;
		if (host_virtio_net_tx_reclaim(n)) {
			netport_ready(&n->port);
		}
		thread_checkpoint();
	} while (taken == ROUND);
	return all;
}

static void wait(struct host_virtio_net *n)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(LOOK_NS);

	if (host_vring_listen(&n->rx)) {
		return; /* it came meanwhile, and nobody interrupts for it */
	}
	while (!__atomic_exchange_n(&n->woken, false, __ATOMIC_ACQUIRE) && clock_now() < deadline) {
		thread_park_until(deadline);
	}
}

/* Nothing is asked of it any more: its buffers stay its own, whatever it does with them. */
static void give_up(struct host_virtio_net *n)
{
	log_printf(LOG_HOST, "%s: the device breaks the rules of its queues: off", n->port.name);
	netport_set_link(&n->port, false);
	for (;;) {
		thread_park();
	}
}

static void body(void *arg)
{
	struct host_virtio_net *n = arg;

	update_link(n);
	for (;;) {
		if (serve(n) == 0 && !__atomic_load_n(&n->broken, __ATOMIC_RELAXED)) {
			update_link(n);
		}
		if (__atomic_load_n(&n->broken, __ATOMIC_RELAXED)) {
			give_up(n);
		}
		wait(n);
	}
}

/* ---- for the switch and for lists ---- */

static void stats(struct netport *p, struct netnic_stats *s)
{
	struct host_virtio_net *n = container_of(p, struct host_virtio_net, port);

	s->errors = __atomic_load_n(&n->rx_errors, __ATOMIC_RELAXED);
	s->interrupts = __atomic_load_n(&n->interrupts, __ATOMIC_RELAXED);
}

/* There is memory behind it, no wire. */
static unsigned int speed(struct netport *p UNUSED)
{
	return 0;
}

static const struct netnic_ops nic_ops = {
	.driver = "virtio",
	.set_promiscuous = host_virtio_net_ctrl_promiscuous,
	.stats = stats,
	.speed = speed,
};

static const struct netport_ops port_ops = {
	.receive = host_virtio_net_tx_receive,
	.flush = host_virtio_net_tx_flush,
};

/* ---- beginning ---- */

static void free_memory(struct host_virtio_net *n)
{
	host_vring_free(&n->rx);
	host_vring_free(&n->tx);
	host_vring_free(&n->ctrl);
	if (n->rx_buf != NULL) {
		page_free(n->rx_buf, HOST_VIRTIO_NET_BUF_ORDER);
	}
	if (n->tx_buf != NULL) {
		page_free(n->tx_buf, HOST_VIRTIO_NET_BUF_ORDER);
	}
	if (n->ctrl_buf != NULL) {
		page_free(n->ctrl_buf, 0);
	}
}

static int make_memory(struct host_virtio_net *n)
{
	int err = host_vring_init(&n->rx, HOST_VIRTIO_NET_RING);

	err = err != 0 ? err : host_vring_init(&n->tx, HOST_VIRTIO_NET_RING);
	err = err != 0 ? err : host_vring_init(&n->ctrl, CTRL_RING);
	if (err != 0) {
		return err;
	}
	n->rx_buf = page_alloc(HOST_VIRTIO_NET_BUF_ORDER);
	thread_checkpoint(); /* zeroing takes time */
	n->tx_buf = page_alloc(HOST_VIRTIO_NET_BUF_ORDER);
	n->ctrl_buf = page_alloc(0);
	return n->rx_buf != NULL && n->tx_buf != NULL && n->ctrl_buf != NULL ? 0 : -ENOMEM;
}

/* Sending to it needs what receiving from it is called, the other way about. */
static uint32_t offload(const struct host_virtio_net *n)
{
	static const struct {
		uint8_t host, guest;
	} pairs[] = {
		{ VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4 },
		{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6 },
		{ VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN },
	};
	uint64_t mirrored = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(pairs); i++) {
		mirrored |= has(n, pairs[i].host) ? BIT(pairs[i].guest) : 0;
	}
	return virtio_net_offload(mirrored);
}

/* Agreed with the device; nothing of the port is used yet. */
static int begin(struct host_virtio_net *n)
{
	int err = host_virtio_begin(&n->v, WANTED);

	if (err != 0) {
		return err;
	}
	if (!has(n, VIRTIO_NET_F_MAC)) {
		log_printf(LOG_HOST, "virtio: a network card without an address is not usable");
		return -ENOTSUP;
	}
	for (unsigned int i = 0; i < 6; i++) {
		n->port.mac[i] = (uint8_t)host_virtio_config(&n->v, VIRTIO_NET_MAC + i, 1);
	}
	spin_init(&n->lock, LOCK_NET_PORT);
	mutex_init(&n->ctrl_mutex);
	n->tx_free = HOST_VIRTIO_NET_RING;
	n->port.ops = &port_ops;
	n->port.offload = offload(n);
	n->port.policy = NETPORT_UPLINK | NETPORT_NEVER_WAIT;
	return 0;
}

/* 5.1.5 "Device Initialization" */
static int start_queues(struct host_virtio_net *n)
{
	int err = host_virtio_queue(&n->v, HOST_VIRTIO_NET_RX, &n->rx, &n->rx_bell);

	err = err != 0 ? err : host_virtio_queue(&n->v, HOST_VIRTIO_NET_TX, &n->tx, &n->tx_bell);
	if (err == 0 && has(n, VIRTIO_NET_F_CTRL_VQ) && has(n, VIRTIO_NET_F_CTRL_RX)) {
		err = host_virtio_queue(&n->v, HOST_VIRTIO_NET_CTRL, &n->ctrl, &n->ctrl_bell);
		n->ctrl_usable = err == 0;
	}
	if (err != 0) {
		return err;
	}
	host_vring_mute(&n->tx);
	host_vring_mute(&n->ctrl);
	host_virtio_net_rx_start(n);
	host_virtio_ready(&n->v);
	host_virtio_kick(n->rx_bell, HOST_VIRTIO_NET_RX);
	return 0;
}

/* The link is down until the thread has seen that it is up: nobody sends before. */
static int offer(struct host_virtio_net *n)
{
	const struct thread_params t = { .name = "virtio-net", .body = body, .arg = n };
	const uint8_t *mac = n->port.mac;
	struct thread *thread;
	int err = netport_offer(&n->port, &nic_ops);

	err = err != 0 ? err : thread_create(&thread, &t);
	if (err == 0) {
		__atomic_store_n(&n->thread, thread, __ATOMIC_RELEASE);
		log_printf(LOG_INFO, "%s: virtio, %02x:%02x:%02x:%02x:%02x:%02x", n->port.name,
			   mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	}
	return err;
}

/* From the interrupt on it stays, and its memory with it. */
static int net_probe(struct host_pci_dev *pci)
{
	struct host_virtio_net *n = heap_alloc(sizeof(*n));
	int err = -ENOMEM;

	if (n == NULL) {
		return err;
	}
	err = host_virtio_find(&n->v, pci);
	err = err != 0 ? err : make_memory(n);
	if (err == 0) {
		host_pci_enable(pci);
		err = begin(n);
	}
	if (err != 0) {
		free_memory(n);
		heap_free(n);
		return err;
	}
	err = host_pci_irq_request(pci, on_irq, n);
	err = err != 0 ? err : start_queues(n);
	err = err != 0 ? err : offer(n);
	if (err != 0) {
		host_virtio_off(&n->v);
	}
	return err;
}

static bool net_match(const struct host_pci_dev *pci)
{
	return pci->vendor == VIRTIO_PCI_VENDOR &&
	       (pci->device == VIRTIO_PCI_DEVICE + VIRTIO_ID_NET || pci->device == VIRTIO_PCI_NET);
}

static const struct host_pci_driver virtio_net_driver = {
	.name = "virtio-net",
	.match = net_match,
	.probe = net_probe,
};
HOST_PCI_REGISTER(virtio_net_driver);
