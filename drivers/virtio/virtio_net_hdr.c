/* SPDX-License-Identifier: BSD-2-Clause */
/* 5.1.6 "Device Operation": the packet header, both ways. */
/* Looks at no queue. */
#include "drivers/virtio/virtio_net_hdr.h"
#include "hv/lib/bytes.h"

#define TCP_OFFSET 12u /* RFC 9293, "Header Format": data offset in the upper half of the byte */

static const struct {
	uint8_t type;	   /* of the header */
	uint8_t host, ecn; /* features that allow it */
} gso_types[] = {
	[NETPKT_GSO_TCP4] = { VIRTIO_NET_GSO_TCP4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_ECN },
	[NETPKT_GSO_TCP6] = { VIRTIO_NET_GSO_TCP6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN },
};

static bool has(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

/* The three that go together: a driver may have them in any combination, we want them in order. */
uint32_t virtio_net_offload(uint64_t features)
{
	bool ecn = has(features, VIRTIO_NET_F_GUEST_ECN);
	uint32_t offload = 0;

	if (!has(features, VIRTIO_NET_F_GUEST_CSUM)) {
		return 0;
	}
	offload |= NETPORT_CSUM;
	offload |= ecn && has(features, VIRTIO_NET_F_GUEST_TSO4) ? NETPORT_TCP4 : 0;
	offload |= ecn && has(features, VIRTIO_NET_F_GUEST_TSO6) ? NETPORT_TCP6 : 0;
	return offload;
}

static bool read_gso(const uint8_t *hdr, uint64_t features, struct netpkt *pkt)
{
	uint8_t type = hdr[VIRTIO_NET_HDR_GSO_TYPE];
	bool ecn = type & VIRTIO_NET_GSO_ECN;

	type &= (uint8_t)~VIRTIO_NET_GSO_ECN;
	if (type == VIRTIO_NET_GSO_NONE) {
		return true;
	}
	for (uint8_t i = NETPKT_GSO_TCP4; i < ARRAY_SIZE(gso_types); i++) {
		if (gso_types[i].type == type) {
			pkt->gso = i;
			pkt->flags |= ecn ? NETPKT_ECN : 0;
			pkt->gso_size = bytes_get_le16(hdr + VIRTIO_NET_HDR_GSO_SIZE);
			return has(features, gso_types[i].host) &&
			       (!ecn || has(features, gso_types[i].ecn));
		}
	}
	return false;
}

/* 5.1.6.2.2: flags that are not known are ignored; hdr_len is a hint that we do without. */
bool virtio_net_hdr_read(const uint8_t hdr[VIRTIO_NET_HDR], uint64_t features, struct netpkt *pkt)
{
	if (hdr[VIRTIO_NET_HDR_FLAGS] & VIRTIO_NET_NEEDS_CSUM) {
		if (!has(features, VIRTIO_NET_F_CSUM)) {
			return false;
		}
		pkt->flags |= NETPKT_CSUM_PARTIAL;
		pkt->csum_start = bytes_get_le16(hdr + VIRTIO_NET_HDR_CSUM_START);
		pkt->csum_offset = bytes_get_le16(hdr + VIRTIO_NET_HDR_CSUM_OFFSET);
	}
	return read_gso(hdr, features, pkt);
}

static void write_gso(uint8_t *hdr, const struct netpkt *p)
{
	unsigned int tcp_len = (p->seg[0].base[p->csum_start + TCP_OFFSET] >> 4) * 4u;
	uint8_t ecn = p->flags & NETPKT_ECN ? VIRTIO_NET_GSO_ECN : 0;

	hdr[VIRTIO_NET_HDR_GSO_TYPE] = gso_types[p->gso].type | ecn;
	bytes_put_le16(hdr + VIRTIO_NET_HDR_LEN, (uint16_t)(p->csum_start + tcp_len));
	bytes_put_le16(hdr + VIRTIO_NET_HDR_GSO_SIZE, p->gso_size);
}

void virtio_net_hdr_write(uint8_t hdr[VIRTIO_NET_HDR], uint64_t features, const struct netpkt *p,
			  uint32_t buffers)
{
	bytes_put_le64(hdr, 0);
	bytes_put_le32(hdr + 8, 0);
	bytes_put_le16(hdr + VIRTIO_NET_HDR_BUFFERS, (uint16_t)buffers);
	if (p->flags & NETPKT_CSUM_PARTIAL) {
		hdr[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_NEEDS_CSUM;
		bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_START, p->csum_start);
		bytes_put_le16(hdr + VIRTIO_NET_HDR_CSUM_OFFSET, p->csum_offset);
	} else if ((p->flags & NETPKT_CSUM_VALID) && has(features, VIRTIO_NET_F_GUEST_CSUM)) {
		hdr[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_DATA_VALID;
	}
	if (p->gso != NETPKT_GSO_NONE) {
		write_gso(hdr, p);
	}
}
