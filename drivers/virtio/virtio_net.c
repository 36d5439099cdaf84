/* SPDX-License-Identifier: BSD-2-Clause */
/* The network device (5.1): a port of a network, its cable, its queues; its life. */
/* Packets are virtio_net_tx.c's and virtio_net_rx.c's, commands virtio_net_ctrl.c's, saving is virtio_net_save.c's. */
#include "drivers/virtio/virtio_net.h"

#include "arch/clock.h"
#include "drivers/virtio/virtio_net_ctrl.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"

static struct virtio_net *net_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_net, pci);
}

/* ---- the port ---- */

static struct virtio_net *net_of_port(struct netport *p)
{
	return container_of(p, struct virtio_net, port);
}

void virtio_net_ask(struct virtio_net *n, uint32_t what)
{
	uint32_t before = __atomic_fetch_or(&n->asked, what, __ATOMIC_SEQ_CST);

	if ((before & what) != what) {
		vdev_request_work(n->pci.d.vm);
	}
}

static bool port_receive(struct netport *p, const struct netpkt *pkt)
{
	return virtio_net_rx_receive(&net_of_port(p)->rx, pkt);
}

static void port_resume(struct netport *p)
{
	virtio_net_ask(net_of_port(p), VIRTIO_NET_ASK_RESEND);
}

static void port_flush(struct netport *p)
{
	virtio_net_ask(net_of_port(p), VIRTIO_NET_ASK_RX);
}

static const struct netport_ops port_ops = {
	.receive = port_receive,
	.resume = port_resume,
	.flush = port_flush,
};

static bool is_running(const struct virtio_net *n)
{
	return (n->pci.d.s->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

/* The switch sees a cable only while there is also a driver. */
static void update_link(struct virtio_net *n)
{
	unsigned int status = VIRTIO_NET_LINK_UP | (n->s.announce ? VIRTIO_NET_ANNOUNCE : 0);

	n->config[VIRTIO_NET_STATUS] = (uint8_t)(n->s.unplugged ? 0 : status);
	netport_set_link(&n->port, is_running(n) && !n->s.unplugged);
}

/* ---- what the driver sets ---- */

/* 5.1.6.5.2: on a network that guards its addresses only the one that it has. */
int virtio_net_set_mac(struct virtio_net *n, const uint8_t mac[6])
{
	int err;

	if ((n->port.guard.flags & NETGUARD_MAC) && memcmp(mac, n->port.mac, 6) != 0) {
		return -EINVAL;
	}
	err = virtio_net_filter_set_mac(&n->filter, mac);
	memcpy(&n->config[VIRTIO_NET_MAC], n->filter.s->mac, 6);
	return err;
}

int virtio_net_set_pairs(struct virtio_net *n, unsigned int pairs)
{
	if (pairs == 0 || pairs > n->usable) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < 2 * pairs; i++) {
		if (!n->pci.d.queue[i].s->enabled) {
			return -EINVAL;
		}
	}
	__atomic_store_n(&n->s.active, (uint16_t)pairs, __ATOMIC_RELAXED);
	virtio_net_rx_settle(&n->rx);
	return 0;
}

static void use_offloads(struct virtio_net *n, uint64_t offloads)
{
	__atomic_store_n(&n->s.offloads, offloads, __ATOMIC_RELAXED);
	__atomic_store_n(&n->port.offload, virtio_net_offload(offloads), __ATOMIC_RELAXED);
}

uint64_t virtio_net_possible_offloads(const struct virtio_net *n)
{
	return n->pci.d.s->driver_features & VIRTIO_NET_GUEST_OFFLOADS;
}

int virtio_net_set_offloads(struct virtio_net *n, uint64_t offloads)
{
	if (offloads & ~virtio_net_possible_offloads(n)) {
		return -EINVAL;
	}
	use_offloads(n, offloads);
	virtio_net_rx_settle(&n->rx);
	return 0;
}

/* 5.1.6.5.4 "Gratuitous Packet Sending": switches shall learn where it is. The driver is told by the caller. */
void virtio_net_ask_to_announce(struct virtio_net *n)
{
	n->s.announce = is_running(n) && virtio_dev_has(&n->pci.d, VIRTIO_NET_F_ANNOUNCE);
	update_link(n);
}

void virtio_net_announced(struct virtio_net *n)
{
	n->s.announce = 0;
	update_link(n);
}

/* ---- the virtio class ---- */

/* 5.1.2: where the control queue is depends on what the driver knows. */
static void net_notify(struct virtio_dev *d, unsigned int queue)
{
	struct virtio_net *n = net_of(d);

	if (queue < 2 * n->usable) {
		virtio_net_ask(n, queue % 2 == VIRTIO_NET_RX ? VIRTIO_NET_ASK_RX
							     : VIRTIO_NET_ASK_TX(queue / 2));
	} else if (queue == 2 * n->usable && virtio_dev_has(d, VIRTIO_NET_F_CTRL_VQ)) {
		virtio_net_ctrl_serve(n, &d->queue[queue]);
	}
}

static void net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	n->s.announce = 0;
	update_link(n);
	for (unsigned int i = 0; i < n->pairs; i++) {
		virtio_net_tx_reset(&n->pair[i]->tx);
	}
	virtio_net_rx_reset(&n->rx);
	n->usable = 1;
	__atomic_store_n(&n->s.active, 1, __ATOMIC_RELAXED);
	use_offloads(n, 0);
	virtio_net_filter_reset(&n->filter, n->port.mac);
	memcpy(&n->config[VIRTIO_NET_MAC], n->port.mac, 6);
	virtio_net_steer_reset(&n->steer);
}

static bool net_is_busy(const struct virtio_dev *d)
{
	const struct virtio_net *n = container_of(d, const struct virtio_net, pci.d);
	bool busy = n->rx.busy;

	for (unsigned int i = 0; i < n->pairs; i++) {
		busy |= n->pair[i]->tx.busy;
	}
	return busy;
}

void virtio_net_begin(struct virtio_net *n, uint64_t offloads)
{
	bool begun = n->pci.d.s->status & VIRTIO_DRIVER_OK;

	n->usable = begun && virtio_dev_has(&n->pci.d, VIRTIO_NET_F_MQ) ? n->pairs : 1;
	use_offloads(n, offloads);
	update_link(n);
}

static void net_driver_ok(struct virtio_dev *d)
{
	virtio_net_begin(net_of(d), virtio_net_possible_offloads(net_of(d)));
}

static const struct virtio_dev_class net_class = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.pci_class = 0x020000, /* "Ethernet controller" */
	.features = VIRTIO_NET_OFFLOADS | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) |
		    BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
		    BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
		    BIT(VIRTIO_NET_F_CTRL_MAC) | BIT(VIRTIO_NET_F_CTRL_OFFL) |
		    BIT(VIRTIO_NET_F_ANNOUNCE),
	.queue_size = 256,
	.config_size = VIRTIO_NET_CONFIG,
	.notify = net_notify,
	.reset = net_reset,
	.is_busy = net_is_busy,
	.driver_ok = net_driver_ok,
};

/* ---- the vdev class ---- */

static unsigned int count(const struct vm_config *cfg)
{
	return cfg->nic_count;
}

/* Behind *why of who starts the VM. */
static void cannot_plug(const struct virtio_net *n, struct vm *vm, unsigned int i, int err)
{
	const uint8_t *mac = n->port.mac;
	const char *net = vm->cfg.nics[i].net;

	if (err == -EEXIST) {
		fmt_snprintf(vm->why, sizeof(vm->why),
			     "nics[%u].mac: another port of network %s has "
			     "%02x:%02x:%02x:%02x:%02x:%02x; net info %s shows whose",
			     i, net, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], net);
	} else {
		fmt_snprintf(vm->why, sizeof(vm->why), "nics[%u]: network %s: %s", i, net,
			     errno_text(err));
	}
}

static int plug(struct virtio_net *n, struct vm *vm, unsigned int i)
{
	const struct vm_nic *nic = &vm->cfg.nics[i];
	int err;

	n->port.ops = &port_ops;
	n->port.policy = nic->spoof ? NETPORT_SPOOFS : 0;
	fmt_snprintf(n->port.name, sizeof(n->port.name), "%s.%u", vm->cfg.name, i);
	vm_config_mac(&vm->cfg, i, n->port.mac);
	err = netport_plug(&n->port, nic->net);
	if (err != 0) {
		cannot_plug(n, vm, i, err);
		return err;
	}
	n->plugged = true;
	netport_set_rate(&n->port, nic->rate, clock_ticks_to_ns(clock_now()));
	n->s.unplugged = !nic->link;
	bytes_put_le16(&n->config[VIRTIO_NET_PAIRS], (uint16_t)n->pairs);
	bytes_put_le16(&n->config[VIRTIO_NET_MTU],
		       (uint16_t)(n->port.max_len - NETPORT_MTU_TO_LEN));
	return 0;
}

/* As many as vCPUs. Others' turn in between: zeroing each is long enough. */
static int make_pairs(struct virtio_net *n, unsigned int cpus)
{
	n->pairs = (unsigned int)u64_min(u64_max(cpus, 1), VIRTIO_NET_PAIRS_MAX);
	n->pci.d.queues = (uint16_t)(2 * n->pairs + 1);
	n->pci.d.features = n->pairs > 1 ? BIT(VIRTIO_NET_F_MQ) : 0;
	for (unsigned int i = 0; i < n->pairs; i++) {
		n->pair[i] = heap_alloc(sizeof(*n->pair[i]));
		if (n->pair[i] == NULL) {
			return -ENOMEM;
		}
		virtio_net_rxq_init(&n->pair[i]->rx, n, i);
		virtio_net_tx_init(&n->pair[i]->tx, n, i);
		thread_checkpoint();
	}
	return 0;
}

static int create(struct vm *vm, void *dev, unsigned int i)
{
	struct virtio_net *n = dev;
	int err;

	virtio_net_filter_init(&n->filter, &n->s.filter);
	err = make_pairs(n, vm->cfg.cpus);
	err = err ? err : virtio_net_rx_init(&n->rx, n);
	thread_checkpoint();
	err = err ? err
		  : virtio_pci_create(&n->pci, vm, &net_class, &n->s.pci, n->config,
				      VIRTIO_SLOT_NIC + i);
	return err ? err : plug(n, vm, i);
}

static void reset(void *dev)
{
	virtio_pci_reset(&((struct virtio_net *)dev)->pci);
}

static void work(void *dev)
{
	virtio_dev_work(&((struct virtio_net *)dev)->pci.d);
}

static void tell_config(struct virtio_net *n)
{
	spin_lock(&n->pci.d.vm->dev_lock);
	virtio_dev_config_changed(&n->pci.d);
	spin_unlock(&n->pci.d.vm->dev_lock);
}

static void serve(void *dev)
{
	struct virtio_net *n = dev;
	uint32_t asked = 0;

	if (__atomic_load_n(&n->asked, __ATOMIC_RELAXED) != 0) {
		asked = __atomic_exchange_n(&n->asked, 0, __ATOMIC_SEQ_CST);
	}
	if (asked & VIRTIO_NET_ASK_RX) {
		virtio_net_rx_serve(&n->rx);
	}
	for (unsigned int i = 0; i < n->pairs; i++) {
		if (asked & (VIRTIO_NET_ASK_TX(i) | VIRTIO_NET_ASK_RESEND)) {
			virtio_net_tx_serve(&n->pair[i]->tx, asked & VIRTIO_NET_ASK_RESEND);
			thread_checkpoint(); /* a few packets of each are too many at a stretch */
		}
	}
	if (asked & VIRTIO_NET_ASK_ANNOUNCE) {
		tell_config(n);
	}
}

static void destroy(void *dev)
{
	struct virtio_net *n = dev;

	if (n->plugged) {
		netport_unplug(&n->port);
	}
	for (unsigned int i = 0; i < n->pairs && n->pair[i] != NULL; i++) {
		virtio_net_tx_destroy(&n->pair[i]->tx);
		heap_free(n->pair[i]);
	}
	virtio_net_rx_destroy(&n->rx);
}

static const struct vdev_class virtio_net_class = {
	.name = "virtio-net",
	.stage = VDEV_CHIP,
	.size = sizeof(struct virtio_net),
	.count = count,
	.create_nth = create,
	.reset = reset,
	.work = work,
	.serve = serve,
	.destroy = destroy,
	.state_offset = offsetof(struct virtio_net, s),
	.state_size = sizeof(struct virtio_net_state),
	.state_version = VIRTIO_PCI_STATE_VERSION + 1,
	.before_save = virtio_net_before_save,
	.after_load = virtio_net_after_load,
};
VDEV_REGISTER(virtio_net_class);

/* ---- for management ---- */

static struct virtio_net *nth(const struct vm *vm, unsigned int i)
{
	struct list_node *it;

	list_for_each (it, &vm->devices) {
		struct vdev *d = container_of(it, struct vdev, node);

		if (d->cls == &virtio_net_class && d->index == i) {
			return d->dev;
		}
	}
	return NULL;
}

struct netport *virtio_net_port(const struct vm *vm, unsigned int n)
{
	struct virtio_net *net = nth(vm, n);

	return net != NULL ? &net->port : NULL;
}

void virtio_net_counts(const struct vm *vm, unsigned int n, struct virtio_net_counts *out)
{
	const struct virtio_net_rx *rx = &nth(vm, n)->rx;

	*out = (struct virtio_net_counts){
		.direct = __atomic_load_n(&rx->direct, __ATOMIC_RELAXED),
		.queued = __atomic_load_n(&rx->queued, __ATOMIC_RELAXED),
		.lost = __atomic_load_n(&rx->lost, __ATOMIC_RELAXED),
	};
}

void virtio_net_set_link(struct vm *vm, unsigned int n, bool up)
{
	struct virtio_net *net = nth(vm, n);

	spin_lock(&vm->dev_lock);
	net->s.unplugged = !up;
	virtio_net_ask_to_announce(net);
	virtio_dev_config_changed(&net->pci.d);
	spin_unlock(&vm->dev_lock);
}
