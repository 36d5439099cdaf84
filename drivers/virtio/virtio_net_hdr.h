/* SPDX-License-Identifier: BSD-2-Clause */
/* The header in front of each packet of a virtio NIC, and what the switch's packets say of the same. */
/* Pure; whether a packet keeps what its header promises is drivers/net's to check. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_HDR_H
#define DRIVERS_VIRTIO_VIRTIO_NET_HDR_H

#include "drivers/net/netport.h"
#include "drivers/virtio/virtio_regs.h"

/* Features by which a driver may ask for that, and those by which it takes it. */
#define VIRTIO_NET_OFFLOADS                                                                        \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |     \
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))

/* Those of them that the driver may also switch on and off as it runs. */
#define VIRTIO_NET_GUEST_OFFLOADS                                                                  \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))

/* enum netport_offload of what a driver with these features takes. */
uint32_t virtio_net_offload(uint64_t features);
/* enum netport_offload of what must be taken to take pkt. */
static inline uint32_t virtio_net_hdr_needs(const struct netpkt *pkt)
{
	if (!(pkt->flags & NETPKT_CSUM_PARTIAL)) {
		return 0;
	}
	return NETPORT_CSUM | (pkt->gso == NETPKT_GSO_TCP4 ? NETPORT_TCP4 : 0u) |
	       (pkt->gso == NETPKT_GSO_TCP6 ? NETPORT_TCP6 : 0u);
}
/* A driver's header: fills pkt's offload fields. False: it asks for what was not negotiated. */
bool virtio_net_hdr_read(const uint8_t hdr[VIRTIO_NET_HDR], uint64_t features, struct netpkt *pkt);
/*
 * The header for a driver that takes pkt, in so many buffers; what pkt needs of it is not looked at again,
 * since the driver may switch that off meanwhile.
 */
void virtio_net_hdr_write(uint8_t hdr[VIRTIO_NET_HDR], uint64_t features, const struct netpkt *pkt,
			  uint32_t buffers);

#endif
