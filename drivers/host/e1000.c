/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the device as a whole: reset, MAC address, link, interrupt, and the thread that serves it. */
/* Descriptors are e1000_tx.c's and e1000_rx.c's. */
#include "drivers/host/e1000.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/mmio.h"
#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define RESET_NS     1000000ul /* a thousand times what the manual asks for */
#define RESET_TRIES  100u
#define EEPROM_TRIES 10000u /* a word takes some 20 us */
#define ROUND	     16u    /* packets between two looks at the rest */
/* Transmitted packets interrupt only while somebody waits for room. */
#define INTERRUPTS (E1000_INT_RECEIVE | E1000_INT_LSC)

static uint32_t get(const struct e1000 *e, enum e1000_reg reg)
{
	return mmio_read32(e1000_at(e, reg));
}

static void put(const struct e1000 *e, enum e1000_reg reg, uint32_t val)
{
	mmio_write32(e1000_at(e, reg), val);
}

/* ---- interrupt ---- */

void e1000_interrupt(void *arg)
{
	struct e1000 *e = arg;
	uint32_t causes = get(e, E1000_ICR);

	if (causes == 0) { /* another's on the same line */
		return;
	}
	put(e, E1000_IMC, E1000_INT_ALL);
	__atomic_fetch_or(&e->causes, causes, __ATOMIC_RELEASE);
	__atomic_fetch_add(&e->interrupts, 1, __ATOMIC_RELAXED);
	thread_unpark(e->thread);
}

/* ---- the thread ---- */

static void update_link(struct e1000 *e)
{
	netport_set_link(&e->port, (get(e, E1000_STATUS) & E1000_STATUS_LU) != 0);
}

/* The counters clear themselves when read; at a gigabit they last longer than a second. */
static void collect(struct e1000 *e)
{
	uint32_t errors = get(e, E1000_CRCERRS) + get(e, E1000_RXERRC);

	__atomic_fetch_add(&e->rx_errors, errors, __ATOMIC_RELAXED);
	__atomic_fetch_add(&e->rx_missed, get(e, E1000_MPC), __ATOMIC_RELAXED);
}

/* All that there is to do. What comes while this runs sets its bit in ICR again, and interrupts later. */
static void serve(struct e1000 *e)
{
	uint32_t causes = __atomic_exchange_n(&e->causes, 0, __ATOMIC_ACQUIRE);
	bool more;

	if ((causes & E1000_INT_LSC) || !e->by_interrupt) {
		update_link(e);
	}
	if (causes & (E1000_INT_RXO | E1000_INT_LSC)) {
		collect(e);
	}
	do {
		more = e1000_rx_poll(e, ROUND);
		if (e1000_tx_reclaim(e)) {
			netport_ready(&e->port);
		}
		thread_checkpoint();
	} while (more);
}

static void wait(struct e1000 *e)
{
	if (!__atomic_load_n(&e->by_interrupt, __ATOMIC_RELAXED)) {
		thread_park_until(clock_now() + clock_ns_to_ticks(E1000_POLL_NS));
		return;
	}
	put(e, E1000_IMS,
	    INTERRUPTS | (__atomic_load_n(&e->tx_wanted, __ATOMIC_RELAXED) ? E1000_INT_TXDW : 0));
	while (__atomic_load_n(&e->causes, __ATOMIC_ACQUIRE) == 0) {
		thread_park();
	}
}

static void body(void *arg)
{
	struct e1000 *e = arg;

	update_link(e);
	for (;;) {
		serve(e);
		wait(e);
	}
}

/* ---- for the switch and for lists ---- */

static void set_promiscuous(struct netport *p, bool on)
{
	struct e1000 *e = container_of(p, struct e1000, port);
	uint32_t all = E1000_RCTL_UPE | E1000_RCTL_MPE;
	uint32_t rctl = get(e, E1000_RCTL);

	put(e, E1000_RCTL, on ? rctl | all : rctl & ~all);
}

static void stats(struct netport *p, struct netnic_stats *s)
{
	struct e1000 *e = container_of(p, struct e1000, port);

	collect(e);
	s->missed = __atomic_load_n(&e->rx_missed, __ATOMIC_RELAXED);
	s->errors = __atomic_load_n(&e->rx_errors, __ATOMIC_RELAXED);
	s->interrupts = __atomic_load_n(&e->interrupts, __ATOMIC_RELAXED);
}

static unsigned int speed(struct netport *p)
{
	static const unsigned int mbits[] = { 10, 100, 1000, 1000 };
	const struct e1000 *e = container_of(p, struct e1000, port);

	return mbits[(get(e, E1000_STATUS) & E1000_STATUS_SPEED) >> 6];
}

const struct netnic_ops e1000_nic_ops = {
	.driver = "e1000",
	.set_promiscuous = set_promiscuous,
	.stats = stats,
	.speed = speed,
};

static const struct netport_ops port_ops = { .receive = e1000_tx_receive };

/* ---- beginning ---- */

/* "Initialization": masked before and behind it, for a reset unmasks nothing but clears all. */
static int reset(struct e1000 *e)
{
	unsigned int tries = 0;

	put(e, E1000_IMC, E1000_INT_ALL);
	put(e, E1000_RCTL, 0);
	put(e, E1000_TCTL, 0);
	put(e, E1000_CTRL, get(e, E1000_CTRL) | E1000_CTRL_RST);
	do {
		thread_sleep(RESET_NS);
	} while ((get(e, E1000_CTRL) & E1000_CTRL_RST) && ++tries < RESET_TRIES);
	put(e, E1000_IMC, E1000_INT_ALL);
	get(e, E1000_ICR);
	return tries < RESET_TRIES ? 0 : -ENODEV;
}

/* "EEPROM Device", "Ethernet Address Words 0-2". False: it does not answer. */
static bool read_eeprom(struct e1000 *e, unsigned int word, uint16_t *val)
{
	uint32_t eerd;

	put(e, E1000_EERD, word << 8 | E1000_EERD_START);
	for (unsigned int tries = 0; tries < EEPROM_TRIES; tries++) {
		eerd = get(e, E1000_EERD);
		if (eerd & E1000_EERD_DONE) {
			*val = (uint16_t)(eerd >> 16);
			return true;
		}
		thread_checkpoint();
	}
	return false;
}

/* A reset loads the first receive address from the EEPROM; where it does not, that is done here. */
static void load_address(struct e1000 *e)
{
	uint16_t words[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (!read_eeprom(e, i, &words[i])) {
			return;
		}
	}
	put(e, E1000_RAL, (uint32_t)words[1] << 16 | words[0]);
	put(e, E1000_RAH, E1000_RAH_AV | words[2]);
}

/* "Receive Address Low" */
static int read_mac(struct e1000 *e)
{
	uint32_t low, high;

	if (!(get(e, E1000_RAH) & E1000_RAH_AV)) {
		load_address(e);
	}
	low = get(e, E1000_RAL);
	high = get(e, E1000_RAH);
	for (unsigned int i = 0; i < 4; i++) {
		e->port.mac[i] = (uint8_t)(low >> 8 * i);
	}
	e->port.mac[4] = (uint8_t)high;
	e->port.mac[5] = (uint8_t)(high >> 8);
	return (high & E1000_RAH_AV) && !(e->port.mac[0] & 1) && low != 0 ? 0 : -ENODEV;
}

static void free_rings(struct e1000 *e)
{
	if (e->rx != NULL) {
		page_free(e->rx, E1000_RING_PAGE);
	}
	if (e->rx_buf != NULL) {
		page_free(e->rx_buf, E1000_BUF_ORDER);
	}
	if (e->tx_buf != NULL) {
		page_free(e->tx_buf, E1000_BUF_ORDER);
	}
}

/* Both rings in one page. */
static int make_rings(struct e1000 *e)
{
	e->rx = page_alloc(E1000_RING_PAGE);
	e->rx_buf = page_alloc(E1000_BUF_ORDER);
	thread_checkpoint(); /* zeroing takes time */
	e->tx_buf = page_alloc(E1000_BUF_ORDER);
	if (e->rx == NULL || e->rx_buf == NULL || e->tx_buf == NULL) {
		free_rings(e);
		return -ENOMEM;
	}
	e->tx = (struct e1000_tx_desc *)(e->rx + E1000_RING);
	return 0;
}

static void start_transmitter(struct e1000 *e)
{
	uint64_t ring = paging_hpa(e->tx).v;

	put(e, E1000_TDBAL, (uint32_t)ring);
	put(e, E1000_TDBAH, (uint32_t)(ring >> 32));
	put(e, E1000_TDLEN, E1000_RING * sizeof(*e->tx));
	put(e, E1000_TDH, 0);
	put(e, E1000_TDT, 0);
	put(e, E1000_TIPG, E1000_TIPG_IPGT);
	put(e, E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT | E1000_TCTL_COLD);
}

static void start_receiver(struct e1000 *e)
{
	uint64_t ring = paging_hpa(e->rx).v;

	for (unsigned int i = 0; i < E1000_MTAS; i++) {
		mmio_write32(e->regs + E1000_MTA + 4 * i, 0);
	}
	put(e, E1000_RDBAL, (uint32_t)ring);
	put(e, E1000_RDBAH, (uint32_t)(ring >> 32));
	put(e, E1000_RDLEN, E1000_RING * sizeof(*e->rx));
	put(e, E1000_RDH, 0);
	put(e, E1000_RDTR, 0);
	put(e, E1000_RXCSUM, E1000_RXCSUM_TUOFL);
	e1000_rx_start(e);
	put(e, E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_SECRC);
}

static void start(struct e1000 *e)
{
	put(e, E1000_CTRL, get(e, E1000_CTRL) | E1000_CTRL_SLU | E1000_CTRL_ASDE);
	put(e, E1000_ITR, E1000_INTERVAL);
	start_transmitter(e);
	start_receiver(e);
}

int e1000_init(struct e1000 *e, volatile void *regs)
{
	int err;

	memset(e, 0, sizeof(*e));
	spin_init(&e->lock, LOCK_NET_PORT);
	e->regs = regs;
	e->port.ops = &port_ops;
	e->port.offload = NETPORT_CSUM | NETPORT_TCP4;
	e->port.policy = NETPORT_UPLINK | NETPORT_NEVER_WAIT;
	err = reset(e);
	err = err != 0 ? err : read_mac(e);
	err = err != 0 ? err : make_rings(e);
	if (err == 0) {
		start(e);
	}
	return err;
}

int e1000_run(struct e1000 *e)
{
	const struct thread_params t = { .name = "e1000", .body = body, .arg = e };

	return thread_create(&e->thread, &t);
}

void e1000_use_interrupt(struct e1000 *e)
{
	__atomic_store_n(&e->by_interrupt, true, __ATOMIC_RELAXED);
	thread_unpark(e->thread);
}
