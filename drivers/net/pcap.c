/* SPDX-License-Identifier: BSD-2-Clause */
/* A pcap file in a ring: each record in one piece, so that a checksum can be completed in it. */
/* How the bytes reach somebody's screen is not known here. */
#include "drivers/net/pcap.h"
#include "drivers/net/checksum.h"
#include "drivers/net/netswitch.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

/* "PCAP Capture File Format", draft-ietf-opsawg-pcap: file header, packet record */
#define FILE_HEADER   24u
#define RECORD_HEADER 16u
#define MAGIC_NS      0xa1b23c4du
#define LINK_ETHERNET 1u
#define SNAPLEN_MIN   NETPKT_HEAD
#define SNAPLEN_MAX   262144u
#define SIZE_MAX_RING (16u << 20)
#define SECOND	      1000000000ul

static void put_file_header(struct pcap *c)
{
	uint8_t *p = c->ring;

	bytes_put_le32(p, MAGIC_NS);
	bytes_put_le16(p + 4, 2);
	bytes_put_le16(p + 6, 4);
	bytes_put_le64(p + 8, 0);
	bytes_put_le32(p + 16, c->snaplen);
	bytes_put_le32(p + 20, LINK_ETHERNET);
	c->head = FILE_HEADER;
}

static struct pcap *create(uint32_t size, uint32_t snaplen)
{
	struct pcap *c = heap_alloc(sizeof(*c));

	if (c == NULL) {
		return NULL;
	}
	c->size = size;
	c->snaplen = snaplen;
	c->ring = heap_alloc(size);
	if (c->ring == NULL) {
		heap_free(c);
		return NULL;
	}
	put_file_header(c);
	return c;
}

static void destroy(struct pcap *c)
{
	if (c != NULL) {
		heap_free(c->ring);
		heap_free(c);
	}
}

int pcap_start(struct netport *p, uint32_t size, uint32_t snaplen)
{
	struct pcap *c, *taken;

	if (snaplen < SNAPLEN_MIN || snaplen > SNAPLEN_MAX || size > SIZE_MAX_RING ||
	    size < FILE_HEADER + RECORD_HEADER + snaplen + 1) {
		return -EINVAL;
	}
	c = create(size, snaplen);
	if (c == NULL) {
		return -ENOMEM;
	}
	spin_lock(&p->sw->lock);
	taken = p->capture;
	if (taken == NULL) {
		p->capture = c;
	}
	spin_unlock(&p->sw->lock);
	if (taken != NULL) {
		destroy(c);
		return -EBUSY;
	}
	return 0;
}

void pcap_stop(struct netport *p)
{
	struct pcap *c;

	spin_lock(&p->sw->lock);
	c = p->capture;
	p->capture = NULL;
	spin_unlock(&p->sw->lock);
	destroy(c);
}

/* Room for len bytes in one piece; one byte stays free, so that a full ring is not an empty one. */
static uint8_t *reserve(struct pcap *c, uint32_t len)
{
	uint8_t *p;

	if (c->head >= c->tail && len >= c->size - c->head && len < c->tail) {
		c->end = c->head; /* the rest of the ring is too short */
		c->head = 0;
	}
	if (len >= (c->head >= c->tail ? c->size : c->tail) - c->head) {
		return NULL;
	}
	p = c->ring + c->head;
	c->last = c->head;
	c->head += len;
	return p;
}

/* A receiver that completes checksums sees no field worth checking; the reader of the file would. */
static void complete_checksum(uint8_t *frame, const struct netpkt *pkt)
{
	uint16_t sum = checksum_bytes(frame + pkt->csum_start, pkt->len - pkt->csum_start);

	wire_put16(frame + pkt->csum_start + pkt->csum_offset,
		   checksum_partial_field(sum, pkt->csum_offset));
}

uint64_t pcap_record(struct pcap *c, const struct netpkt *pkt)
{
	uint32_t len = (uint32_t)u64_min(pkt->len, c->snaplen);
	uint8_t *p = reserve(c, RECORD_HEADER + len);

	c->can_undo = p != NULL;
	if (p == NULL) {
		c->lost++;
		return 0;
	}
	bytes_put_le32(p, (uint32_t)(pkt->time / SECOND));
	bytes_put_le32(p + 4, (uint32_t)(pkt->time % SECOND));
	bytes_put_le32(p + 8, len);
	bytes_put_le32(p + 12, pkt->len);
	netpkt_copy(pkt, 0, p + RECORD_HEADER, len);
	if (len == pkt->len && (pkt->flags & NETPKT_CSUM_PARTIAL)) {
		complete_checksum(p + RECORD_HEADER, pkt);
	}
	return ++c->packets;
}

void pcap_undo(struct pcap *c, uint64_t record)
{
	if (c->can_undo && c->packets == record) {
		c->head = c->last;
		c->can_undo = false;
		c->packets--;
	}
}

static size_t take(struct pcap *c, void *buf, size_t len)
{
	size_t n;

	if (c->head < c->tail && c->tail == c->end) {
		c->tail = 0;
	}
	n = u64_min(len, (c->head >= c->tail ? c->head : c->end) - c->tail);
	memcpy(buf, c->ring + c->tail, n);
	c->tail += (uint32_t)n;
	c->can_undo = c->can_undo && n == 0;
	return n;
}

bool pcap_read(struct netport *p, void *buf, size_t *len, struct pcap_counts *counts)
{
	struct pcap *c;

	spin_lock(&p->sw->lock);
	c = p->capture;
	if (c != NULL) {
		*len = take(c, buf, *len);
		*counts = (struct pcap_counts){ c->packets, c->lost };
	}
	spin_unlock(&p->sw->lock);
	return c != NULL;
}
