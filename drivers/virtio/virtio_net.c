/* SPDX-License-Identifier: BSD-2-Clause */
/* The network device (5.1): a port of a network, its cable, its queues; life and saved state. */
/* Packets are virtio_net_tx.c's and virtio_net_rx.c's. */
#include "drivers/virtio/virtio_net.h"

#include "arch/clock.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_net_priv.h"
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
	virtio_net_ask(net_of_port(p), VIRTIO_NET_ASK_TX | VIRTIO_NET_ASK_RESEND);
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

/* The switch sees a cable only while there is also a driver. */
static void update_link(struct virtio_net *n)
{
	bool running =
		(n->pci.d.s->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;

	n->config[VIRTIO_NET_STATUS] = (uint8_t)(n->s.unplugged ? 0 : VIRTIO_NET_LINK_UP);
	netport_set_link(&n->port, running && !n->s.unplugged);
}

/* ---- the virtio class ---- */

static void net_notify(struct virtio_dev *d, unsigned int queue)
{
	virtio_net_ask(net_of(d), 1u << queue);
}

static void net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	update_link(n);
	virtio_net_tx_reset(&n->tx);
	virtio_net_rx_reset(&n->rx);
}

static bool net_is_busy(const struct virtio_dev *d)
{
	const struct virtio_net *n = container_of(d, const struct virtio_net, pci.d);

	return n->tx.busy || n->rx.busy;
}

static void net_driver_ok(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	__atomic_store_n(&n->port.offload, virtio_net_offload(d->s->driver_features),
			 __ATOMIC_RELAXED);
	update_link(n);
}

static const struct virtio_dev_class net_class = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.pci_class = 0x020000, /* "Ethernet controller" */
	.features = VIRTIO_NET_OFFLOADS | BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) |
		    BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS),
	.queues = VIRTIO_NET_QUEUES,
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
	memcpy(&n->config[VIRTIO_NET_MAC], n->port.mac, 6);
	bytes_put_le16(&n->config[VIRTIO_NET_PAIRS], 1);
	bytes_put_le16(&n->config[VIRTIO_NET_MTU],
		       (uint16_t)(n->port.max_len - NETPORT_MTU_TO_LEN));
	return 0;
}

static int create(struct vm *vm, void *dev, unsigned int i)
{
	struct virtio_net *n = dev;
	int err;

	virtio_net_tx_init(&n->tx, n, &n->pci.d.queue[VIRTIO_NET_TX]);
	thread_checkpoint(); /* its zeroed memory, and the queue's, are long enough each */
	err = virtio_net_rx_init(&n->rx, n, &n->pci.d.queue[VIRTIO_NET_RX]);
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
	if (asked & VIRTIO_NET_ASK_TX) {
		virtio_net_tx_serve(&n->tx, asked & VIRTIO_NET_ASK_RESEND);
	}
}

static void destroy(void *dev)
{
	struct virtio_net *n = dev;

	if (n->plugged) {
		netport_unplug(&n->port);
	}
	virtio_net_tx_destroy(&n->tx);
	virtio_net_rx_destroy(&n->rx);
}

/* ---- saving: packets that have been received are lost, as on a wire ---- */

static void before_save(void *dev)
{
	struct virtio_net *n = dev;

	virtio_net_rx_put_back(&n->rx);
	n->s.parked = virtio_net_tx_save(&n->tx, n->s.park);
	n->s.leased = netport_leased(&n->port);
}

static int after_load(void *dev)
{
	struct virtio_net *n = dev;
	int err;

	if (n->s.unplugged > 1) {
		return -EINVAL;
	}
	err = virtio_pci_load(&n->pci);
	err = err ? err : virtio_net_tx_load(&n->tx, n->s.park, n->s.parked);
	if (err != 0) {
		return err;
	}
	virtio_net_ask(n, VIRTIO_NET_ASK_TX | VIRTIO_NET_ASK_RESEND);
	netport_set_leased(&n->port, n->s.leased);
	net_driver_ok(&n->pci.d);
	return 0;
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
	.before_save = before_save,
	.after_load = after_load,
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
	update_link(net);
	virtio_dev_config_changed(&net->pci.d);
	spin_unlock(&vm->dev_lock);
}
