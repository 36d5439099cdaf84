/* SPDX-License-Identifier: BSD-2-Clause */
/* The network device (5.1): a port of a network on one side, a receive and a transmit queue on the other. */
/* What a packet header means is virtio_net_hdr.c's, where packets go the switch's. */
#include "drivers/virtio/virtio_net.h"

#include "arch/clock.h"
#include "drivers/net/netqueue.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* 5.1.2 "Virtqueues" */
enum { QUEUE_RX, QUEUE_TX, QUEUES };

#define IN_ONE_GO    8000u /* instructions, about, before others get their turn */
#define PACKET_COST  600u
#define SEGMENT_COST 80u
#define COPY_SHIFT   3u	 /* bytes that a copy moves in one */
#define SEGMENTS_MAX 96u /* of driver's memory that one received packet is spread over */
#define ETHERNET_MIN 14u

struct virtio_net_state {
	struct virtio_pci_state pci;
	uint32_t leased; /* the address that its network's DHCP server has given it */
	uint8_t unplugged;
	uint8_t reserved[3];
};

struct virtio_net {
	struct virtio_pci pci;
	struct netport port;
	struct netqueue rx;
	struct timer retry; /* for a send that had to wait */
	uint32_t asked;	    /* queues that other threads want looked at, by bit; atomic */
	bool plugged;	    /* port is in its network */
	uint64_t lost;	    /* packets that no buffers were large enough for */
	uint8_t config[VIRTIO_NET_CONFIG];
	uint8_t head[NETPKT_HEAD];
	struct netseg seg[NETPKT_SEGS_MAX];
	struct virtq_chain chain;
	struct virtio_net_state s;
};

static struct virtio_net *net_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_net, pci);
}

/* ---- the driver sends ---- */

/* What is behind header and head, as it lies there. Entries, 0: too many. */
static unsigned int rest_of(struct virtio_net *n, uint64_t skip)
{
	unsigned int segs = 1;

	for (unsigned int i = 0; i < n->chain.readable; i++) {
		const struct virtq_seg *s = &n->chain.seg[i];

		if (skip >= s->len) {
			skip -= s->len;
			continue;
		}
		if (segs == NETPKT_SEGS_MAX - 1) {
			return 0;
		}
		n->seg[segs++] = (struct netseg){ s->base + skip, (uint32_t)(s->len - skip) };
		skip = 0;
	}
	return segs;
}

/* A packet that makes no sense has no segments: the switch counts it as malformed. */
static struct netpkt make_packet(struct virtio_net *n, uint64_t now)
{
	struct netpkt pkt = { .seg = n->seg, .time = now };
	uint64_t len = n->chain.read_len;
	uint8_t hdr[VIRTIO_NET_HDR];

	if (len < VIRTIO_NET_HDR + ETHERNET_MIN || len > VIRTIO_NET_HDR + NETPKT_LEN_MAX) {
		return pkt;
	}
	virtq_read(&n->chain, 0, hdr, sizeof(hdr));
	if (!virtio_net_hdr_read(hdr, n->pci.d.s->driver_features, &pkt)) {
		return pkt;
	}
	pkt.len = (uint32_t)(len - VIRTIO_NET_HDR);
	n->seg[0].base = n->head;
	n->seg[0].len = (uint32_t)virtq_read(&n->chain, VIRTIO_NET_HDR, n->head, sizeof(n->head));
	pkt.segs = (uint16_t)rest_of(n, VIRTIO_NET_HDR + n->seg[0].len);
	return pkt;
}

/* Until others call resume(), or until that time (ns). */
static void wait_until(struct virtio_net *n, uint64_t until, uint64_t now)
{
	timer_set(&n->retry, clock_now() + clock_ns_to_ticks(until > now ? until - now : 0));
}

static void transmit(struct virtio_net *n, struct virtq *q)
{
	uint64_t now = clock_ticks_to_ns(clock_now()), cost = 0, until = 0;

	while (cost < IN_ONE_GO && virtq_pop(q, &n->chain)) {
		struct netpkt pkt;

		if (n->chain.write_len != 0) {
			virtio_dev_broken(&n->pci.d, "queue %u: writable buffer to be sent",
					  q->number);
			return;
		}
		pkt = make_packet(n, now);
		until = netport_send(&n->port, &pkt);
		if (until != 0) {
			virtq_unpop(q, 1);
			break;
		}
		virtq_push(q, &n->chain, 0);
		cost += PACKET_COST + SEGMENT_COST * n->chain.walked + (pkt.len >> COPY_SHIFT);
	}
	virtq_signal(q);
	if (until != 0) {
		wait_until(n, until, now);
	} else if (cost >= IN_ONE_GO) {
		virtio_dev_again(&n->pci.d, q->number);
	}
}

/* ---- the driver receives ---- */

/* A packet on its way into the driver's buffers. */
struct fill {
	const struct netqueue_packet *p;
	uint32_t done;	     /* bytes of header and frame */
	unsigned int chains; /* taken */
	unsigned int segs;   /* descriptors in them */
	uint8_t hdr[VIRTIO_NET_HDR];
	uint8_t *buffers[2]; /* where the header counts them: the driver may have cut it anywhere */
};

enum filled { FILLED, NO_BUFFERS, NO_WAY };

static uint32_t total(const struct fill *f)
{
	return VIRTIO_NET_HDR + f->p->len;
}

/* The next piece of header and frame into n->chain. */
static void fill_chain(struct virtio_net *n, struct fill *f)
{
	const struct virtq_chain *c = &n->chain;
	uint64_t off = 0;

	if (f->done < VIRTIO_NET_HDR) { /* the first: it was looked at that all of it fits */
		off = virtq_write(c, 0, f->hdr, VIRTIO_NET_HDR);
		f->buffers[0] = virtq_byte(c, VIRTIO_NET_HDR_BUFFERS);
		f->buffers[1] = virtq_byte(c, VIRTIO_NET_HDR_BUFFERS + 1);
		f->done = VIRTIO_NET_HDR;
	}
	off += virtq_write(c, off, f->p->frame + (f->done - VIRTIO_NET_HDR), total(f) - f->done);
	f->done += (uint32_t)off - (f->chains == 1 ? VIRTIO_NET_HDR : 0);
}

/* 5.1.6.3.1: each buffer holds at least a header; without MRG_RXBUF a packet has only one. */
static enum filled take_chain(struct virtio_net *n, struct virtq *q, struct fill *f)
{
	const struct virtq_chain *c = &n->chain;
	bool merge = virtio_dev_has(&n->pci.d, VIRTIO_NET_F_MRG_RXBUF);

	if (f->segs >= SEGMENTS_MAX || f->chains == q->s->size) {
		return NO_WAY;
	}
	if (!virtq_pop(q, &n->chain)) {
		return NO_BUFFERS;
	}
	f->chains++;
	f->segs += c->walked;
	if (c->read_len != 0 || c->write_len < VIRTIO_NET_HDR) {
		virtio_dev_broken(&n->pci.d, "queue %u: no buffer to receive into", q->number);
		return NO_BUFFERS;
	}
	return merge || c->write_len >= total(f) ? FILLED : NO_WAY;
}

/* The driver sees a packet's buffers at once, and their number in the first. */
static enum filled fill(struct virtio_net *n, struct virtq *q, const struct netqueue_packet *p,
			uint64_t *cost)
{
	struct fill f = { .p = p };
	enum filled r = FILLED;

	virtio_net_hdr_write(f.hdr, n->pci.d.s->driver_features, p);
	while (f.done < total(&f) && (r = take_chain(n, q, &f)) == FILLED) {
		uint32_t before = f.done;

		fill_chain(n, &f);
		virtq_put(q, &n->chain, f.done - before);
	}
	*cost += PACKET_COST + SEGMENT_COST * (f.chains + f.segs) + (f.done >> COPY_SHIFT);
	if (r != FILLED) {
		virtq_unpop(q, f.chains);
		return r;
	}
	*f.buffers[0] = (uint8_t)f.chains;
	*f.buffers[1] = (uint8_t)(f.chains >> 8);
	virtq_publish(q);
	return FILLED;
}

static void receive(struct virtio_net *n, struct virtq *q)
{
	const struct netqueue_packet *p;
	uint64_t cost = 0;
	bool taken = false;

	while (cost < IN_ONE_GO && (p = netqueue_peek(&n->rx)) != NULL) {
		enum filled r = fill(n, q, p, &cost);

		if (r == NO_BUFFERS) {
			break;
		}
		n->lost += r == NO_WAY;
		netqueue_drop(&n->rx);
		taken = true;
	}
	virtq_signal(q);
	if (taken) {
		netport_ready(&n->port);
	}
	if (cost >= IN_ONE_GO && !netqueue_is_empty(&n->rx)) {
		virtio_dev_again(&n->pci.d, q->number);
	}
}

/* ---- the port ---- */

static struct virtio_net *net_of_port(struct netport *p)
{
	return container_of(p, struct virtio_net, port);
}

/* From any thread, with another VM's lock held or none. */
static void ask(struct virtio_net *n, unsigned int queue)
{
	uint32_t before = __atomic_fetch_or(&n->asked, 1u << queue, __ATOMIC_SEQ_CST);

	if (!(before & 1u << queue)) {
		vdev_request_work(n->pci.d.vm);
	}
}

static bool port_receive(struct netport *p, const struct netpkt *pkt)
{
	struct virtio_net *n = net_of_port(p);

	if (!netqueue_put(&n->rx, pkt)) {
		return false;
	}
	ask(n, QUEUE_RX);
	return true;
}

static void port_resume(struct netport *p)
{
	ask(net_of_port(p), QUEUE_TX);
}

static void retry(struct timer *t)
{
	ask(container_of(t, struct virtio_net, retry), QUEUE_TX);
}

static const struct netport_ops port_ops = { .receive = port_receive, .resume = port_resume };

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
	static void (*const work[QUEUES])(struct virtio_net *, struct virtq *) = {
		[QUEUE_RX] = receive,
		[QUEUE_TX] = transmit,
	};

	work[queue](net_of(d), &d->queue[queue]);
}

static void net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	timer_cancel(&n->retry);
	update_link(n);
	netqueue_clear(&n->rx);
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
	.queues = QUEUES,
	.queue_size = 256,
	.config_size = VIRTIO_NET_CONFIG,
	.notify = net_notify,
	.reset = net_reset,
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

	timer_init(&n->retry, retry);
	err = netqueue_init(&n->rx);
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
	struct virtio_net *n = dev;

	n->pci.d.again |= __atomic_exchange_n(&n->asked, 0, __ATOMIC_SEQ_CST);
	virtio_dev_work(&n->pci.d);
}

static void destroy(void *dev)
{
	struct virtio_net *n = dev;

	if (n->plugged) {
		netport_unplug(&n->port);
	}
	timer_destroy(&n->retry);
	netqueue_exit(&n->rx);
}

/* ---- saving: packets under way are lost, as on a wire ---- */

static void before_save(void *dev)
{
	struct virtio_net *n = dev;

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
	if (err != 0) {
		return err;
	}
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
	.destroy = destroy,
	.state_offset = offsetof(struct virtio_net, s),
	.state_size = sizeof(struct virtio_net_state),
	.state_version = VIRTIO_PCI_STATE_VERSION,
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

uint64_t virtio_net_lost(const struct vm *vm, unsigned int n)
{
	return nth(vm, n)->lost;
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
