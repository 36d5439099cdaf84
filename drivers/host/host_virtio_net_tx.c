/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the transmit queue: packets are copied into its buffers, on the thread of whoever sends. */
/* 5.1.6.2 "Packet Transmission" */
#include "drivers/host/host_virtio_net.h"
#include "drivers/virtio/virtio_net_hdr.h"

#define RING	  HOST_VIRTIO_NET_RING
#define BUFFER	  HOST_VIRTIO_NET_BUFFER
#define NEXT(i)	  ((uint16_t)(((i) + 1u) % RING))
#define ROOM_BACK (RING / 4) /* so many free before the switch hears of it */

/* [L] The device may be done in any order; descriptors come back in the order in which they were given. */
static void clean(struct host_virtio_net *n)
{
	struct host_vring_end e;
	int got;

	while ((got = host_vring_collect(&n->tx, &e)) > 0) {
		if (n->tx_chain[e.head] == 0 || n->tx_done[e.head]) {
			host_virtio_net_break(n);
			return;
		}
		n->tx_done[e.head] = true;
	}
	while (n->tx_done[n->tx_clean]) {
		unsigned int head = n->tx_clean;

		n->tx_done[head] = false;
		n->tx_clean = (uint16_t)((head + n->tx_chain[head]) % RING);
		n->tx_free += n->tx_chain[head];
		n->tx_chain[head] = 0;
	}
	if (got < 0) {
		host_virtio_net_break(n);
	}
}

bool host_virtio_net_tx_reclaim(struct host_virtio_net *n)
{
	bool ready;

	spin_lock(&n->lock);
	clean(n);
	ready = n->tx_wanted && n->tx_free >= ROOM_BACK;
	if (ready) {
		n->tx_wanted = false;
		host_vring_mute(&n->tx);
	}
	spin_unlock(&n->lock);
	return ready;
}

/* Descriptors that it needs. */
static unsigned int need(const struct netpkt *pkt)
{
	return (VIRTIO_NET_HDR + pkt->len + BUFFER - 1) / BUFFER;
}

/* What a guest's driver would have written: 5.1.6.2.1, which leaves DATA_VALID to devices. */
static void put_header(uint8_t *hdr, const struct netpkt *pkt)
{
	virtio_net_hdr_write(hdr, BIT(VIRTIO_NET_F_GUEST_CSUM), pkt, 0);
	hdr[VIRTIO_NET_HDR_FLAGS] &= VIRTIO_NET_NEEDS_CSUM;
}

/* [L] There is room. */
static void put(struct host_virtio_net *n, const struct netpkt *pkt)
{
	uint16_t head = n->tx_next, i = head;
	uint32_t off = 0, at = VIRTIO_NET_HDR;

	put_header(n->tx_buf + head * BUFFER, pkt);
	while (off < pkt->len) {
		uint8_t *buf = n->tx_buf + i * BUFFER;
		uint32_t len = (uint32_t)u64_min(pkt->len - off, BUFFER - at);
		uint16_t flags = (uint16_t)(off + len < pkt->len ? VIRTQ_DESC_NEXT : 0);

		netpkt_copy(pkt, off, buf + at, len);
		host_vring_put(&n->tx, i, buf, at + len, flags, NEXT(i));
		off += len;
		at = 0;
		i = NEXT(i);
	}
	n->tx_chain[head] = (uint8_t)need(pkt);
	n->tx_free -= need(pkt);
	n->tx_next = i;
	host_vring_offer(&n->tx, head);
}

/* [L] With an interrupt when something was sent; what came back before it was asked for counts, too. */
static bool want(struct host_virtio_net *n, unsigned int room)
{
	n->tx_wanted = true;
	if (host_vring_listen(&n->tx)) {
		clean(n);
	}
	if (n->tx_free < room) {
		return false;
	}
	n->tx_wanted = false;
	host_vring_mute(&n->tx);
	return true;
}

bool host_virtio_net_tx_receive(struct netport *p, const struct netpkt *pkt)
{
	struct host_virtio_net *n = container_of(p, struct host_virtio_net, port);
	unsigned int room = need(pkt) * (pkt->more + 1u);
	bool fits;

	spin_lock(&n->lock);
	clean(n);
	fits = room <= n->tx_free || want(n, room);
	if (fits) {
		put(n, pkt);
	}
	spin_unlock(&n->lock);
	return fits;
}

void host_virtio_net_tx_flush(struct netport *p)
{
	struct host_virtio_net *n = container_of(p, struct host_virtio_net, port);

	if (host_vring_wants_kick(&n->tx)) {
		host_virtio_kick(n->tx_bell, HOST_VIRTIO_NET_TX);
	}
}
