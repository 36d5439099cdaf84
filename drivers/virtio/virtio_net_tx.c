/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending: takes a chain with the devices' lock held, gives that up while the packet is sent and others have */
/* their turn, has it again to complete the chain. Where packets go is the switch's. */
#include "drivers/virtio/virtio_net_tx.h"

#include "arch/clock.h"
#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define IN_ONE_GO    40000u /* instructions, about, before the driver hears of them */
#define IN_BETWEEN   4200u  /* before others have their turn */
#define PACKET_COST  600u
#define SEGMENT_COST 80u
#define COPY_SHIFT   3u /* bytes that a copy moves in one */
#define ETHERNET_MIN 14u
#define PIECES_MAX   (NETPKT_SEGS_MAX - 1) /* of a packet that is sent, with its head */

/*
 * A driver that sends all the time need not notify of each packet: its ring is looked at so often (ns), and
 * when half of what it can still offer is there.
 */
#define POLL 50000ul

struct turn {
	uint64_t now; /* ns: read at the beginning, and after others had theirs */
	uint64_t cost;
	uint64_t since; /* cost so far when others had their turn */
	uint64_t until; /* ns: when to try again what waits; 0: nothing does */
	bool ended; /* the device was reset, or is broken: what was known of the queue is no more */
};

static uint64_t now_ns(void)
{
	return clock_ticks_to_ns(clock_now());
}

static struct spinlock *lock_of(const struct virtio_net_tx *tx)
{
	return &tx->nic->pci.d.vm->dev_lock;
}

/* ---- the driver's chain as a packet ---- */

/* Pieces behind the first `skip` bytes, from seg[1] on. Entries; 0: more than there is room for. */
static unsigned int pieces(struct virtio_net_tx *tx, uint64_t skip)
{
	unsigned int segs = 1;

	for (unsigned int i = 0; i < tx->chain.readable; i++) {
		const struct virtq_seg *s = &tx->chain.seg[i];

		if (skip >= s->len) {
			skip -= s->len;
			continue;
		}
		if (segs == PIECES_MAX) {
			return 0;
		}
		tx->seg[segs++] = (struct netseg){ s->base + skip, (uint32_t)(s->len - skip) };
		skip = 0;
	}
	return segs;
}

/* All behind the first `skip` bytes in one. Entries; 0: no memory. */
static unsigned int put_together(struct virtio_net_tx *tx, uint64_t skip)
{
	if (tx->bounce == NULL) {
		tx->bounce = heap_alloc(NETPKT_LEN_MAX);
	}
	if (tx->bounce == NULL) {
		return 0;
	}
	tx->seg[1].base = tx->bounce;
	tx->seg[1].len = (uint32_t)virtq_read(&tx->chain, skip, tx->bounce, NETPKT_LEN_MAX);
	return 2;
}

/* A packet that makes no sense has no segments: the switch counts it as malformed. */
static struct netpkt make_packet(struct virtio_net_tx *tx, uint64_t now)
{
	struct netpkt pkt = { .seg = tx->seg, .burst = &tx->burst, .time = now };
	uint64_t len = tx->chain.read_len;
	unsigned int segs;
	uint32_t head;

	if (len < VIRTIO_NET_HDR + ETHERNET_MIN || len > VIRTIO_NET_HDR + NETPKT_LEN_MAX) {
		return pkt;
	}
	if (!virtio_net_hdr_read(tx->head, tx->nic->pci.d.s->driver_features, &pkt)) {
		return pkt;
	}
	pkt.len = (uint32_t)(len - VIRTIO_NET_HDR);
	head = (uint32_t)u64_min(pkt.len, NETPKT_HEAD);
	tx->seg[0] = (struct netseg){ tx->head + VIRTIO_NET_HDR, head };
	segs = pieces(tx, VIRTIO_NET_HDR + head);
	pkt.segs = (uint16_t)(segs != 0 ? segs : put_together(tx, VIRTIO_NET_HDR + head));
	return pkt;
}

/* What the chain begins with: from now on the driver cannot change it. */
static void read_head(struct virtio_net_tx *tx)
{
	virtq_read(&tx->chain, 0, tx->head, sizeof(tx->head));
}

/* Who it is for; of what is no frame, what stood there before: it decides about order only. */
static uint64_t destination(const struct virtio_net_tx *tx)
{
	const uint8_t *mac = tx->head + VIRTIO_NET_HDR;

	return bytes_get_le32(mac) | (uint64_t)bytes_get_le16(mac + 4) << 32;
}

/* ---- what waits ---- */

/* Does one of the first n of those that wait come before a packet to dst? */
static bool is_behind(const struct virtio_net_tx *tx, unsigned int n, uint64_t dst)
{
	for (unsigned int i = 0; i < n; i++) {
		if (tx->park[i].dst == dst || tx->park[i].dst == 0) {
			return true;
		}
	}
	return false;
}

/* The driver's ring shall not be full of what waits. */
static bool is_crowded(const struct virtio_net_tx *tx)
{
	uint32_t size = tx->q->s->size;

	return tx->parked >= size - (size + 7) / 8;
}

static void park(struct virtio_net_tx *tx, const struct turn *t, uint64_t dst)
{
	if (is_crowded(tx)) {
		netport_lose(&tx->nic->port, NETPORT_DROP_CROWDED);
		virtq_push(tx->q, &tx->chain, 0);
		return;
	}
	tx->park[tx->parked++] = (struct virtio_net_parked){
		.since = t->now,
		.dst = dst,
		.head = tx->chain.head,
	};
}

/* ---- sending ---- */

static void try_again_at(struct turn *t, uint64_t until)
{
	t->until = t->until != 0 ? u64_min(t->until, until) : until;
}

/* Own rate spent: nothing more is sent until it has recovered. */
static bool may_send(struct virtio_net_tx *tx, struct turn *t)
{
	uint64_t until;

	if (t->ended || t->cost >= IN_ONE_GO || vdev_is_ending()) {
		return false;
	}
	until = netport_rate_wait(&tx->nic->port, t->now);
	if (until != 0) {
		try_again_at(t, until);
	}
	return until == 0;
}

/* Also so if too many wait, but none for long: then those behind them do, too. */
static bool may_send_new(struct virtio_net_tx *tx, struct turn *t)
{
	if (is_crowded(tx) && t->now - tx->park[0].since < VIRTIO_NET_PATIENCE) {
		try_again_at(t, tx->park[0].since + VIRTIO_NET_PATIENCE);
		return false;
	}
	return may_send(tx, t);
}

/* Before they have it, receivers pass on what they got. */
static void others_turn(struct virtio_net_tx *tx, struct turn *t)
{
	t->since = t->cost;
	if (thread_should_yield()) {
		netport_burst_end(&tx->burst);
	}
	thread_checkpoint(); /* perhaps for long: an interrupt may have come in it */
	t->now = now_ns();
}

/* Before work of that cost. No lock held. */
static void begin(struct virtio_net_tx *tx, struct turn *t, uint64_t cost)
{
	if (t->cost != t->since && t->cost - t->since + cost > IN_BETWEEN) {
		others_turn(tx, t);
	}
	t->cost += cost;
}

/* Of the packet in tx->chain. */
static uint64_t cost_of(const struct virtio_net_tx *tx)
{
	return PACKET_COST + SEGMENT_COST * tx->chain.walked +
	       (u64_min(tx->chain.read_len, NETPKT_LEN_MAX) >> COPY_SHIFT);
}

/* The packet in tx->chain; gives the lock up. True: it is done, or nobody's business any more. */
static bool send(struct virtio_net_tx *tx, struct turn *t)
{
	struct netpkt pkt;
	uint64_t until;

	spin_unlock(lock_of(tx));
	begin(tx, t, cost_of(tx));
	pkt = make_packet(tx, t->now);
	if (virtio_net_active(tx->nic) > 1 && pkt.segs != 0) {
		virtio_net_steer_sent(&tx->nic->steer, &pkt, tx->pair);
	}
	until = netport_send(&tx->nic->port, &pkt);
	spin_lock(lock_of(tx));
	t->ended |= tx->chain.epoch != tx->q->epoch;
	if (t->ended || until == 0) {
		virtq_push(tx->q, &tx->chain, 0); /* one from before a reset is ignored */
		return true;
	}
	tx->resend_at = u64_min(tx->resend_at, until);
	return false;
}

/* As send, of a packet that has waited. */
static bool send_again(struct virtio_net_tx *tx, struct turn *t, uint16_t head)
{
	if (!may_send(tx, t)) {
		tx->resend = true; /* goes on here next time */
		return false;
	}
	if (!virtq_retake(tx->q, head, &tx->chain)) {
		t->ended = true;
		return true;
	}
	read_head(tx);
	return send(tx, t);
}

/* The first of each destination, and those behind it if it could be sent. */
static void send_parked(struct virtio_net_tx *tx, struct turn *t)
{
	unsigned int kept = 0;

	tx->resend_at = UINT64_MAX;
	for (unsigned int i = 0; i < tx->parked && !t->ended; i++) {
		struct virtio_net_parked p = tx->park[i];

		if (is_behind(tx, kept, p.dst) || !send_again(tx, t, p.head)) {
			tx->park[kept++] = p;
		}
	}
	tx->parked = t->ended ? 0 : kept;
}

static bool is_active(const struct virtio_net_tx *tx, const struct turn *t)
{
	return t->now - tx->active < 2 * POLL;
}

/* False: there is none; then the driver has been told when to notify. */
static bool next_chain(struct virtio_net_tx *tx, struct turn *t)
{
	const struct virtq_state *s = tx->q->s;
	uint16_t room;

	if (!is_active(tx, t)) {
		return virtq_pop(tx->q, &tx->chain);
	}
	if (virtq_pop_quietly(tx->q, &tx->chain)) {
		return true;
	}
	room = (uint16_t)(s->size - (uint16_t)(s->next - s->used));
	if (virtq_ask_after(tx->q, (uint16_t)(room / 2 + 1))) {
		return virtq_pop_quietly(tx->q, &tx->chain);
	}
	try_again_at(t, t->now + POLL);
	return false;
}

/* As send, of a packet that must not overtake one that waits. */
static void queue_up(struct virtio_net_tx *tx, struct turn *t, uint64_t dst)
{
	park(tx, t, dst);
	spin_unlock(lock_of(tx));
	begin(tx, t, PACKET_COST);
	spin_lock(lock_of(tx));
	t->ended |= tx->chain.epoch != tx->q->epoch;
}

static void send_new(struct virtio_net_tx *tx, struct turn *t)
{
	while (may_send_new(tx, t) && next_chain(tx, t)) {
		uint64_t dst;

		tx->active = t->now;
		if (tx->chain.write_len != 0) {
			virtio_dev_broken(&tx->nic->pci.d, "queue %u: writable buffer to be sent",
					  tx->q->number);
			return;
		}
		read_head(tx);
		dst = destination(tx);
		if (is_behind(tx, tx->parked, dst)) {
			queue_up(tx, t, dst);
		} else if (!send(tx, t)) {
			park(tx, t, dst);
		}
	}
}

static void turn(struct virtio_net_tx *tx, struct turn *t)
{
	do {
		tx->again = false;
		if (tx->resend) {
			tx->resend = false;
			send_parked(tx, t);
		}
		send_new(tx, t);
	} while (tx->again && !t->ended && t->cost < IN_ONE_GO);
	virtq_signal(tx->q);
}

/* Until others call resume(), or until that time (ns). */
static void wait_until(struct virtio_net_tx *tx, uint64_t until)
{
	uint64_t now = now_ns();

	timer_set(&tx->retry, clock_now() + clock_ns_to_ticks(until > now ? until - now : 0));
}

void virtio_net_tx_serve(struct virtio_net_tx *tx, bool resend)
{
	struct turn t = { 0 };

	spin_lock(lock_of(tx));
	t.now = now_ns(); /* not before what the last turn wrote down */
	tx->resend |= resend || (tx->parked != 0 && t.now >= tx->resend_at);
	if (tx->busy) {
		tx->again = true;
		spin_unlock(lock_of(tx));
		return;
	}
	tx->busy = true;
	turn(tx, &t);
	spin_unlock(lock_of(tx));
	netport_burst_end(&tx->burst);
	spin_lock(lock_of(tx));
	tx->busy = false;
	if (tx->parked != 0 && tx->resend_at != UINT64_MAX) {
		try_again_at(&t, tx->resend_at);
	}
	if (t.until != 0) {
		wait_until(tx, t.until);
	}
	if (t.cost >= IN_ONE_GO || tx->again) {
		virtio_net_ask(tx->nic, VIRTIO_NET_ASK_TX(tx->pair));
	}
	spin_unlock(lock_of(tx));
}

/* ---- life ---- */

static void on_retry(struct timer *t)
{
	struct virtio_net_tx *tx = container_of(t, struct virtio_net_tx, retry);

	virtio_net_ask(tx->nic, VIRTIO_NET_ASK_TX(tx->pair));
}

void virtio_net_tx_init(struct virtio_net_tx *tx, struct virtio_net *nic, unsigned int pair)
{
	tx->nic = nic;
	tx->pair = pair;
	tx->q = &nic->pci.d.queue[2 * pair + VIRTIO_NET_TX];
	timer_init(&tx->retry, on_retry);
}

void virtio_net_tx_destroy(struct virtio_net_tx *tx)
{
	timer_destroy(&tx->retry);
	heap_free(tx->bounce);
}

void virtio_net_tx_reset(struct virtio_net_tx *tx)
{
	timer_cancel(&tx->retry);
	tx->resend_at = UINT64_MAX;
	tx->parked = 0;
	tx->resend = false;
}

uint16_t virtio_net_tx_save(const struct virtio_net_tx *tx, uint16_t *heads)
{
	for (unsigned int i = 0; i < tx->parked; i++) {
		heads[i] = tx->park[i].head;
	}
	return (uint16_t)tx->parked;
}

int virtio_net_tx_load(struct virtio_net_tx *tx, const uint16_t *heads, uint16_t count)
{
	const struct virtq_state *s = tx->q->s;

	if (count > VIRTIO_NET_PARK || count > (uint16_t)(s->next - s->used)) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (heads[i] >= s->size) {
			return -EINVAL;
		}
		tx->park[i] = (struct virtio_net_parked){ .since = now_ns(), .head = heads[i] };
	}
	tx->parked = count;
	return 0;
}
