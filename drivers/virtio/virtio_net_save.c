/* SPDX-License-Identifier: BSD-2-Clause */
/* Saving and loading the network device: what the driver has set, and what waits to be sent. */
/* Packets that have been received are lost, as on a wire. */
#include "drivers/virtio/virtio_net_priv.h"

#include "hv/lib/errno.h"
#include "hv/lib/string.h"

void virtio_net_before_save(void *dev)
{
	struct virtio_net *n = dev;

	virtio_net_rx_put_back(&n->rx);
	for (unsigned int i = 0; i < n->pairs; i++) {
		struct virtio_net_parked_state *p = &n->s.parked[i];

		p->count = virtio_net_tx_save(&n->pair[i]->tx, p->head);
	}
	n->s.leased = netport_leased(&n->port);
}

static bool is_sane(const struct virtio_net *n)
{
	return n->s.unplugged <= 1 && n->s.announce <= 1 && n->s.active != 0 &&
	       n->s.active <= n->usable && !(n->s.offloads & ~virtio_net_possible_offloads(n));
}

/* What waits was sent by pairs that there are. */
static int load_parked(struct virtio_net *n)
{
	int err = 0;

	for (unsigned int i = 0; i < VIRTIO_NET_PAIRS_MAX && err == 0; i++) {
		const struct virtio_net_parked_state *p = &n->s.parked[i];

		err = i < n->usable   ? virtio_net_tx_load(&n->pair[i]->tx, p->head, p->count)
		      : p->count != 0 ? -EINVAL
				      : 0;
	}
	return err;
}

int virtio_net_after_load(void *dev)
{
	struct virtio_net *n = dev;
	int err = virtio_pci_load(&n->pci);

	err = err ? err : virtio_net_filter_load(&n->filter);
	if (err != 0) {
		return err;
	}
	virtio_net_begin(n, n->s.offloads);
	err = is_sane(n) ? load_parked(n) : -EINVAL;
	if (err != 0) {
		return err;
	}
	memcpy(&n->config[VIRTIO_NET_MAC], n->s.filter.mac, 6);
	virtio_net_ask_to_announce(n);
	virtio_net_ask(n, VIRTIO_NET_ASK_RESEND | (n->s.announce ? VIRTIO_NET_ASK_ANNOUNCE : 0));
	netport_set_leased(&n->port, n->s.leased);
	return 0;
}
