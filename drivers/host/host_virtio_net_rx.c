/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the receive queue: packets go to the switch from the buffers in which the device has left them. */
/* 5.1.6.4 "Processing of Incoming Packets"; what a frame means is the switch's business. */
#include "arch/clock.h"
#include "drivers/host/host_virtio_net.h"
#include "drivers/virtio/virtio_net_hdr.h"

static uint8_t *buffer(struct host_virtio_net *n, uint16_t i)
{
	return n->rx_buf + (size_t)i * HOST_VIRTIO_NET_BUFFER;
}

static void give(struct host_virtio_net *n, uint16_t i)
{
	host_vring_put(&n->rx, i, buffer(n, i), HOST_VIRTIO_NET_BUFFER, VIRTQ_DESC_WRITE, 0);
	host_vring_offer(&n->rx, i);
}

void host_virtio_net_rx_start(struct host_virtio_net *n)
{
	for (uint16_t i = 0; i < HOST_VIRTIO_NET_RING; i++) {
		give(n, i);
	}
}

/* The device was offered checksums, and no segments longer than a frame. */
static bool read_header(const struct host_virtio_net *n, const uint8_t *hdr, struct netpkt *pkt)
{
	bool sums = (n->v.features & BIT(VIRTIO_NET_F_GUEST_CSUM)) != 0;

	if (sums && (hdr[VIRTIO_NET_HDR_FLAGS] & VIRTIO_NET_DATA_VALID)) {
		pkt->flags = NETPKT_CSUM_VALID;
	}
	return virtio_net_hdr_read(hdr, sums ? BIT(VIRTIO_NET_F_CSUM) : 0, pkt);
}

static void take(struct host_virtio_net *n, const uint8_t *buf, uint32_t bytes)
{
	uint32_t len = bytes - VIRTIO_NET_HDR;
	uint32_t head = (uint32_t)u64_min(len, NETPKT_HEAD);
	const uint8_t *frame = buf + VIRTIO_NET_HDR;
	const struct netseg seg[2] = { { frame, head }, { frame + head, len - head } };
	struct netpkt pkt = {
		.seg = seg,
		.segs = len > head ? 2 : 1,
		.len = len,
		.time = clock_ticks_to_ns(clock_now()),
	};

	if (bytes <= VIRTIO_NET_HDR || bytes > HOST_VIRTIO_NET_BUFFER ||
	    !read_header(n, buf, &pkt)) {
		__atomic_fetch_add(&n->rx_errors, 1, __ATOMIC_RELAXED);
		return;
	}
	netport_send(&n->port, &pkt); /* NETPORT_NEVER_WAIT: the wire cannot */
}

unsigned int host_virtio_net_rx_poll(struct host_virtio_net *n, unsigned int most)
{
	struct host_vring_end e;
	unsigned int taken = 0;
	int got = 0;

	while (taken < most && (got = host_vring_collect(&n->rx, &e)) > 0) {
		take(n, buffer(n, e.head), e.len);
		give(n, e.head);
		taken++;
	}
	if (got < 0) {
		host_virtio_net_break(n);
	} else if (taken > 0 && host_vring_wants_kick(&n->rx)) {
		host_virtio_kick(n->rx_bell, HOST_VIRTIO_NET_RX);
	}
	return taken;
}
