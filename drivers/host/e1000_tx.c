/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the transmit ring: packets are copied into its buffers and the device told at once, on the thread */
/* of whoever sends. */
#include "arch/mmio.h"
#include "arch/paging.h"
#include "drivers/host/e1000.h"

#define NEXT(i)	  (((i) + 1) % E1000_RING)
#define ROOM_BACK (E1000_RING / 4) /* so many free before the switch hears of it */

/* [L] One is never used: a full ring would look empty to the device. */
static unsigned int room(const struct e1000 *e)
{
	return (e->tx_clean + E1000_RING - e->tx_next - 1) % E1000_RING;
}

/* [L] Packets whose last descriptor is done. */
static void clean(struct e1000 *e)
{
	while (e->tx_clean != e->tx_next) {
		unsigned int last = e->tx_last[e->tx_clean];

		if (!(__atomic_load_n(&e->tx[last].opts, __ATOMIC_ACQUIRE) & E1000_TXO_DD)) {
			return;
		}
		e->tx_clean = NEXT(last);
	}
}

bool e1000_tx_reclaim(struct e1000 *e)
{
	bool ready;

	spin_lock(&e->lock);
	clean(e);
	ready = e->tx_wanted && room(e) >= ROOM_BACK;
	if (ready) {
		__atomic_store_n(&e->tx_wanted, false, __ATOMIC_RELAXED);
	}
	spin_unlock(&e->lock);
	return ready;
}

/* First half of a context descriptor without segmentation. */
static uint64_t sum_context(const struct netpkt *pkt)
{
	uint32_t l4 = E1000_TXC_CSUM(pkt->csum_start, pkt->csum_start + pkt->csum_offset, 0);

	return (uint64_t)l4 << 32;
}

/* [L] "TCP/IP Context Descriptor": one holds until the next, so segments of one packet share theirs. */
static bool needs_context(const struct e1000 *e, const struct netpkt *pkt)
{
	return (pkt->flags & NETPKT_CSUM_PARTIAL) &&
	       (pkt->gso != NETPKT_GSO_NONE || e->tx_context != sum_context(pkt));
}

/* [L] Descriptors that it needs, with those of its packet that are still to come. */
static unsigned int need(const struct e1000 *e, const struct netpkt *pkt)
{
	return (needs_context(e, pkt) ? 1 : 0) +
	       (pkt->len + E1000_BUFFER - 1) / E1000_BUFFER * (pkt->more + 1u);
}

/* [L] The next descriptor, and from now on not the next any more. */
static struct e1000_tx_desc *next(struct e1000 *e)
{
	struct e1000_tx_desc *d = &e->tx[e->tx_next];

	e->tx_next = NEXT(e->tx_next);
	return d;
}

/* Which checksum, and where to cut. */
static void put_context(struct e1000 *e, const struct netpkt *pkt, const struct netpkt_cut *cut)
{
	uint32_t ip = pkt->gso == NETPKT_GSO_NONE
			      ? 0
			      : E1000_TXC_CSUM(cut->l3, cut->l3 + cut->sum, cut->l4 - 1u);
	struct e1000_tx_desc *d = next(e);

	d->addr = sum_context(pkt) | ip;
	e->tx_context = pkt->gso == NETPKT_GSO_NONE ? d->addr : 0;
	d->cmd = E1000_TXD_DEXT;
	d->opts = 0;
	if (pkt->gso != NETPKT_GSO_NONE) {
		d->cmd |= E1000_TXD_TSE | E1000_TXC_TCP | E1000_TXC_IP | (pkt->len - cut->header);
		d->opts = (uint32_t)cut->header << 8 | (uint32_t)pkt->gso_size << 16;
	}
}

/* Copies up to a buffer's length of pkt from off on; `head` replaces its first bytes. */
static void fill(uint8_t *buf, const struct netpkt *pkt, const struct netpkt_cut *cut, uint32_t off,
		 uint32_t len)
{
	netpkt_copy(pkt, off, buf, len);
	for (unsigned int i = 0; off == 0 && i < cut->header; i++) {
		buf[i] = cut->head[i];
	}
}

static void put_data(struct e1000 *e, const struct netpkt *pkt, const struct netpkt_cut *cut)
{
	bool csum = pkt->flags & NETPKT_CSUM_PARTIAL;
	bool tso = pkt->gso != NETPKT_GSO_NONE;

	for (uint32_t off = 0; off < pkt->len; off += E1000_BUFFER) {
		uint32_t len = pkt->len - off < E1000_BUFFER ? pkt->len - off : E1000_BUFFER;
		bool end = off + len == pkt->len;
		uint8_t *buf = e->tx_buf + e->tx_next * E1000_BUFFER;
		struct e1000_tx_desc *d = next(e);

		fill(buf, pkt, cut, off, len);
		d->addr = paging_hpa(buf).v;
		d->cmd = E1000_TXD_DEXT | E1000_TXD_DATA | E1000_TXD_IFCS | len |
			 (tso ? E1000_TXD_TSE : 0) | (end ? E1000_TXD_EOP | E1000_TXD_RS : 0);
		d->opts = (csum ? E1000_TXO_TXSM : 0) | (tso ? E1000_TXO_IXSM : 0);
	}
}

/* [L] There is room. */
static void transmit(struct e1000 *e, const struct netpkt *pkt)
{
	struct netpkt_cut cut = { 0 };
	unsigned int first = e->tx_next;

	if (pkt->gso != NETPKT_GSO_NONE) {
		netpkt_prepare_cut(pkt, &cut);
	}
	if (needs_context(e, pkt)) {
		put_context(e, pkt, &cut);
	}
	put_data(e, pkt, &cut);
	e->tx_last[first] = (uint8_t)((e->tx_next + E1000_RING - 1) % E1000_RING);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* descriptors before the tail */
	mmio_write32(e1000_at(e, E1000_TDT), e->tx_next);
}

/* [L] Asks for an interrupt when something was sent. */
static void want_room(struct e1000 *e)
{
	__atomic_store_n(&e->tx_wanted, true, __ATOMIC_RELAXED);
	if (__atomic_load_n(&e->by_interrupt, __ATOMIC_RELAXED)) {
		mmio_write32(e1000_at(e, E1000_IMS), E1000_INT_TXDW);
	}
}

bool e1000_tx_receive(struct netport *p, const struct netpkt *pkt)
{
	struct e1000 *e = container_of(p, struct e1000, port);
	bool fits;

	spin_lock(&e->lock);
	clean(e);
	fits = need(e, pkt) <= room(e);
	if (fits) {
		transmit(e, pkt);
	} else {
		want_room(e);
	}
	spin_unlock(&e->lock);
	return fits;
}
