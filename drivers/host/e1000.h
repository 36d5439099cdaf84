/* SPDX-License-Identifier: BSD-2-Clause */
/* The Intel 82540EM (and its kin) as a host NIC: a port that sends at once and receives on its own thread. */
/* Where it is in PCI, and which interrupt it has, its creator knows. */
#ifndef DRIVERS_HOST_E1000_H
#define DRIVERS_HOST_E1000_H

#include "drivers/host/e1000_regs.h"
#include "drivers/net/netport.h"
#include "hv/base/lock.h"

struct thread;

#define E1000_RING	128u /* descriptors of each ring */
#define E1000_BUFFER	2048u
#define E1000_INTERVAL	488u /* of 256 ns: 8,000 interrupts a second at most */
#define E1000_POLL_NS	2000000ul
#define E1000_RING_PAGE 0u /* order: 4 KiB hold both rings */
#define E1000_BUF_ORDER 6u /* 256 KiB of buffers for each ring */
_Static_assert(E1000_RING * 32 <= 4096, "both rings in a page");
_Static_assert(E1000_RING >= GSO_CUT_MAX + 2,
	       "a packet in segments, its context, and one never used");
_Static_assert(E1000_RING *E1000_BUFFER == 4096u << E1000_BUF_ORDER, "a buffer each");

struct e1000 {
	struct netport port;
	volatile uint8_t *regs; /* (c) */
	struct thread *thread;	/* (c) */
	bool by_interrupt;	/* atomic; else looked after every E1000_POLL_NS */
	uint32_t causes;	/* of interrupts not yet looked at; atomic */
	uint64_t interrupts;	/* atomic, as all that follows for statistics */

	/* Receiving: the thread's own. */
	struct e1000_rx_desc *rx;
	uint8_t *rx_buf;
	unsigned int rx_next;
	uint64_t rx_errors; /* frames with errors, or longer than a buffer */
	uint64_t rx_missed; /* by the hardware, for want of descriptors */

	struct spinlock lock; /* LOCK_NET_PORT */
	struct e1000_tx_desc *tx;
	uint8_t *tx_buf;
	uint8_t tx_last[E1000_RING]; /* [L] where the packet ends that begins there */
	unsigned int tx_next;	     /* [L] */
	unsigned int tx_clean;	     /* [L] the oldest that is not known to be sent */
	bool tx_wanted;		     /* [L] the switch waits for room */
	uint64_t tx_context; /* [L] the last one: where the device finds checksums; 0: nowhere */
};

/*
 * Resets the device at regs (BAR 0, mapped; bus mastering is on) and makes its rings; fills all of
 * e->port that netport_offer needs. -ENOMEM, -ENODEV: not one that we know how to drive. Thread context.
 */
int e1000_init(struct e1000 *e, volatile void *regs);
/* After the port was offered: its thread, which looks after the device at intervals. -ENOMEM */
int e1000_run(struct e1000 *e);
/* The handler below is connected: the thread sleeps until it is called. */
void e1000_use_interrupt(struct e1000 *e);
/* The interrupt's handler, for irq_connect_*: arg is the struct e1000. */
void e1000_interrupt(void *arg);
extern const struct netnic_ops e1000_nic_ops;

/* ---- e1000_tx.c ---- */

/* port.ops->receive: what the switch has for the wire. */
bool e1000_tx_receive(struct netport *p, const struct netpkt *pkt);
/* Takes back what was sent; true if the switch waits for room and there is now enough. */
bool e1000_tx_reclaim(struct e1000 *e);

/* ---- e1000_rx.c ---- */

/* Gives all descriptors to the device. */
void e1000_rx_start(struct e1000 *e);
/* Hands up to `most` packets to the switch; true: there may be more. Thread context, no lock held. */
bool e1000_rx_poll(struct e1000 *e, unsigned int most);

static inline volatile void *e1000_at(const struct e1000 *e, enum e1000_reg reg)
{
	return e->regs + reg;
}

#endif
