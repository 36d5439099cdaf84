/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the receive ring: frames go to the switch from the buffers in which the device has left them. */
/* What a frame means is the switch's business. */
#include "arch/clock.h"
#include "arch/mmio.h"
#include "arch/paging.h"
#include "drivers/host/e1000.h"

/* Field by field: the status comes last to be cleared, and the device sees it after the tail. */
static void give_back(struct e1000 *e, unsigned int i)
{
	e->rx[i].addr = paging_hpa(e->rx_buf + i * E1000_BUFFER).v;
	__atomic_store_n(&e->rx[i].status, 0, __ATOMIC_RELAXED);
}

/* The tail is the last one that is the device's: one is always ours. */
void e1000_rx_start(struct e1000 *e)
{
	for (unsigned int i = 0; i < E1000_RING; i++) {
		give_back(e, i);
	}
	mmio_write32(e1000_at(e, E1000_RDT), E1000_RING - 1);
}

/* "Receive Packet Checksum Offloading": it looked at TCP or UDP, and was content. */
static uint8_t flags(const struct e1000_rx_desc *d)
{
	bool valid = (d->status & (E1000_RXD_IXSM | E1000_RXD_TCPCS)) == E1000_RXD_TCPCS &&
		     !(d->errors & E1000_RXE_TCPE);

	return valid ? NETPKT_CSUM_VALID : 0;
}

static void hand_over(struct e1000 *e, const uint8_t *frame, const struct e1000_rx_desc *d)
{
	uint32_t head = d->len < NETPKT_HEAD ? d->len : NETPKT_HEAD;
	const struct netseg seg[2] = { { frame, head }, { frame + head, d->len - head } };
	const struct netpkt pkt = {
		.seg = seg,
		.segs = d->len > head ? 2 : 1,
		.len = d->len,
		.flags = flags(d),
		.time = clock_ticks_to_ns(clock_now()),
	};

	netport_send(&e->port, &pkt); /* NETPORT_NEVER_WAIT: the wire cannot */
}

/* One frame has one descriptor, for buffers are longer than frames without jumbo frames can be. */
static void take(struct e1000 *e, unsigned int i)
{
	struct e1000_rx_desc d = e->rx[i];

	if (!(d.status & E1000_RXD_EOP) || (d.errors & E1000_RXE_FRAME) || d.len == 0 ||
	    d.len > E1000_BUFFER) {
		__atomic_fetch_add(&e->rx_errors, 1, __ATOMIC_RELAXED);
		return;
	}
	hand_over(e, e->rx_buf + i * E1000_BUFFER, &d);
}

bool e1000_rx_poll(struct e1000 *e, unsigned int most)
{
	unsigned int n = 0;
	unsigned int i = e->rx_next;

	while (n < most && (__atomic_load_n(&e->rx[i].status, __ATOMIC_ACQUIRE) & E1000_RXD_DD)) {
		take(e, i);
		give_back(e, i);
		i = (i + 1) % E1000_RING;
		n++;
	}
	if (n != 0) {
		e->rx_next = i;
		mmio_write32(e1000_at(e, E1000_RDT), (i + E1000_RING - 1) % E1000_RING);
	}
	return n == most;
}
