/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving: one copy on the sender's thread, through its CPU's window, while there are buffers at hand; the */
/* receiver's thread only tells its driver. Without buffers one copy into the backlog, another out of it. */
#include "drivers/virtio/virtio_net_rx.h"

#include "drivers/virtio/virtio_net_hdr.h"
#include "drivers/virtio/virtio_net_priv.h"
#include "hv/guest_mem.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define AT_ONCE	   16u /* chains taken with the lock held */
#define ROUNDS	   32u /* before interrupts and the like have their turn */
#define PIECES_MAX 96u /* of driver's memory that one packet is spread over */

static struct spinlock *lock_of(const struct virtio_net_rx *rx)
{
	return &rx->nic->pci.d.vm->dev_lock;
}

/* ---- a packet into buffers at hand; [L] ---- */

static struct virtio_net_buffer *buffer_at(struct virtio_net_rxq *rx, uint32_t i)
{
	return &rx->buffer[i % VIRTIO_NET_BUFFERS];
}

/* How far they go at one look: more may come right behind it. */
struct at_hand {
	uint32_t last, last_piece;
};

static struct at_hand look(const struct virtio_net_rxq *rx)
{
	uint32_t last_piece = __atomic_load_n(&rx->last_piece, __ATOMIC_ACQUIRE);

	return (struct at_hand){ __atomic_load_n(&rx->last, __ATOMIC_ACQUIRE), last_piece };
}

/* 5.1.6.3.1: without MRG_RXBUF a packet has one buffer only. 0: they are too few, or too small. */
static uint32_t buffers_for(struct virtio_net_rxq *rx, struct at_hand h, uint32_t len)
{
	bool merge = virtio_dev_has(&rx->nic->pci.d, VIRTIO_NET_F_MRG_RXBUF);
	uint32_t end = merge || rx->filled == h.last ? h.last : rx->filled + 1;
	uint32_t pieces = 0;

	for (uint32_t i = rx->filled; i != end; i++) {
		const struct virtio_net_buffer *b = buffer_at(rx, i);

		pieces += b->pieces;
		if (pieces > PIECES_MAX) {
			return 0;
		}
		if (b->room >= len) {
			return i + 1 - rx->filled;
		}
		len -= b->room;
	}
	return 0;
}

/* Where the next byte of a frame comes from. */
struct source {
	const struct netseg *seg;
	uint32_t off;
};

/* Where the next byte goes. */
struct target {
	const struct virtio_net_rxq *rx;
	struct guest_mem_window w;
	uint32_t piece;		      /* the next */
	struct virtio_net_piece left; /* of the one before */
};

static void write(struct target *t, const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint32_t n;

		if (t->left.len == 0) {
			t->left = t->rx->pieces[t->piece++ % VIRTIO_NET_PIECES];
		}
		n = (uint32_t)u64_min(len, t->left.len);
		guest_mem_window_write(&t->w, t->left.gpa, from, n);
		t->left.gpa.v += n;
		t->left.len -= n;
		from += n;
		len -= n;
	}
}

/* Header and head of the frame in one go: most frames are not much longer. */
static void write_packet(struct target *t, const struct netpkt *pkt, uint32_t buffers)
{
	uint64_t offloads = __atomic_load_n(&t->rx->nic->s.offloads, __ATOMIC_RELAXED);
	uint32_t head = (uint32_t)u64_min(pkt->seg[0].len, NETPKT_HEAD);
	uint8_t first[VIRTIO_NET_HDR + NETPKT_HEAD];

	virtio_net_hdr_write(first, offloads, pkt, buffers);
	memcpy(first + VIRTIO_NET_HDR, pkt->seg[0].base, head);
	write(t, first, VIRTIO_NET_HDR + head);
	write(t, pkt->seg[0].base + head, pkt->seg[0].len - head);
	for (unsigned int i = 1; i < pkt->segs; i++) {
		write(t, pkt->seg[i].base, pkt->seg[i].len);
	}
}

/* The bytes in each of these buffers; whatever of their pieces was not needed is skipped. */
static void close_buffers(struct virtio_net_rxq *rx, uint32_t count, uint32_t len)
{
	uint32_t piece = rx->piece;

	for (; count > 0; count--) {
		struct virtio_net_buffer *b = buffer_at(rx, rx->filled++);

		b->room = (uint32_t)u64_min(b->room, len);
		len -= b->room;
		piece += b->pieces;
	}
	__atomic_store_n(&rx->piece, piece, __ATOMIC_RELEASE);
}

/* All buffers that the driver can offer are at hand and empty, and a packet does not fit. */
static bool can_never_fit(struct virtio_net_rxq *rx, struct at_hand h)
{
	uint32_t buffers = h.last - rx->filled;

	return buffers >= u64_min(rx->q->s->size, VIRTIO_NET_BUFFERS) ||
	       h.last_piece - rx->piece > PIECES_MAX ||
	       (buffers > 0 && !virtio_dev_has(&rx->nic->pci.d, VIRTIO_NET_F_MRG_RXBUF));
}

enum put_result { PUT_DONE, PUT_LATER, PUT_NEVER };

static enum put_result put(struct virtio_net_rxq *rx, const struct netpkt *pkt)
{
	struct virtio_dev *d = &rx->nic->pci.d;
	struct at_hand h = look(rx);
	uint32_t count = buffers_for(rx, h, VIRTIO_NET_HDR + pkt->len);
	struct target t = { .rx = rx, .piece = rx->piece };

	if (rx->pair >= virtio_net_active(rx->nic)) {
		return PUT_LATER; /* by another one */
	}
	if (virtio_net_hdr_needs(pkt) &
	    ~__atomic_load_n(&rx->nic->port.offload, __ATOMIC_RELAXED)) {
		return PUT_NEVER; /* any more */
	}
	if (count == 0 || !virtio_dev_is_live(d)) {
		return count == 0 && can_never_fit(rx, h) ? PUT_NEVER : PUT_LATER;
	}
	guest_mem_window_open(&t.w, d->vm);
	write_packet(&t, pkt, count);
	guest_mem_window_close(&t.w);
	close_buffers(rx, count, VIRTIO_NET_HDR + pkt->len);
	return PUT_DONE;
}

static enum put_result put_locked(struct virtio_net_rxq *rx, const struct netpkt *pkt)
{
	enum put_result r;

	spin_lock(&rx->lock);
	r = put(rx, pkt);
	spin_unlock(&rx->lock);
	return r;
}

static enum put_result put_steered(struct virtio_net_rx *rx, const struct netpkt *pkt)
{
	unsigned int active = virtio_net_active(rx->nic);
	unsigned int pair = active > 1 ? virtio_net_steer_pick(&rx->nic->steer, pkt, active) : 0;

	return put_locked(&rx->nic->pair[pair]->rx, pkt);
}

/* ---- the sender's side ---- */

/*
 * Segments that are cut come in a queue, which keeps room for all of them, and so does what would be lost
 * else; nobody overtakes them there. They go to one address, and are not filtered. All others wait where they
 * are for buffers: one copy less.
 */
bool virtio_net_rx_receive(struct virtio_net_rx *rx, const struct netpkt *pkt)
{
	bool cut = pkt->more != 0 || (pkt->flags & NETPKT_CUT);
	enum put_result r = PUT_LATER;

	if (!cut && !virtio_net_filter_takes(&rx->nic->filter, pkt->seg[0].base)) {
		return true;
	}
	if (!cut && netqueue_is_empty(&rx->queue)) {
		r = put_steered(rx, pkt);
	}
	if (r == PUT_DONE) {
		__atomic_fetch_add(&rx->direct, 1, __ATOMIC_RELAXED);
		return true;
	}
	if (cut || (pkt->flags & NETPKT_NOW)) {
		return netqueue_put(&rx->queue, pkt);
	}
	if (r == PUT_NEVER) {
		__atomic_fetch_add(&rx->lost, 1, __ATOMIC_RELAXED);
	}
	return r == PUT_NEVER;
}

/* ---- the receiver's side: with the driver; devices' lock held ---- */

/* Each packet's buffers at once, since it is whole only when all are full. */
static void tell(struct virtio_net_rxq *rx)
{
	spin_lock(&rx->lock);
	for (; rx->first != rx->filled; rx->first++) {
		const struct virtio_net_buffer *b = buffer_at(rx, rx->first);

		virtq_put_head(rx->q, b->head, rx->epoch, b->room);
	}
	spin_unlock(&rx->lock);
	virtq_publish(rx->q);
	virtq_signal(rx->q);
}

/* False: too many pieces for the room there is. */
static bool add(struct virtio_net_rxq *rx, const struct virtq_chain *c)
{
	uint32_t piece = rx->last_piece;

	if (c->count >
	    VIRTIO_NET_PIECES - (piece - __atomic_load_n(&rx->piece, __ATOMIC_ACQUIRE))) {
		return false;
	}
	for (unsigned int i = 0; i < c->count; i++) {
		rx->pieces[piece++ % VIRTIO_NET_PIECES] =
			(struct virtio_net_piece){ guest_mem_gpa(c->seg[i].base), c->seg[i].len };
	}
	*buffer_at(rx, rx->last) = (struct virtio_net_buffer){
		.head = c->head,
		.pieces = c->count,
		.room = (uint32_t)u64_min(c->write_len, UINT32_MAX),
	};
	rx->epoch = c->epoch;
	__atomic_store_n(&rx->last, rx->last + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&rx->last_piece, piece, __ATOMIC_RELEASE);
	return true;
}

static bool is_full(const struct virtio_net_rxq *rx)
{
	return rx->last - rx->first == VIRTIO_NET_BUFFERS;
}

/* 5.1.6.3.1: each buffer holds at least a header. How many came. */
static unsigned int take(struct virtio_net_rxq *rx)
{
	struct virtq_chain *c = &rx->nic->chain;
	unsigned int n = 0;

	while (n < AT_ONCE && !is_full(rx) && virtq_pop(rx->q, c)) {
		if (c->read_len != 0 || c->write_len < VIRTIO_NET_HDR) {
			virtio_dev_broken(&rx->nic->pci.d, "queue %u: no buffer to receive into",
					  rx->q->number);
			break;
		}
		if (!add(rx, c)) {
			virtq_put_back(rx->q, c);
			break;
		}
		n++;
	}
	return n;
}

/* ---- the receiver's side: with the queue; no lock held ---- */

/* The oldest packet. False: it stays, until there are more buffers. */
static bool move_one(struct virtio_net_rx *rx, const struct netqueue_packet *p)
{
	struct netseg seg = { p->frame, p->len };
	struct netpkt pkt = { .seg = &seg,
			      .segs = 1,
			      .len = p->len,
			      .flags = p->flags,
			      .gso = p->gso,
			      .gso_size = p->gso_size,
			      .csum_start = p->csum_start,
			      .csum_offset = p->csum_offset };
	enum put_result r = put_steered(rx, &pkt);

	if (r == PUT_LATER) {
		return false;
	}
	__atomic_fetch_add(r == PUT_DONE ? &rx->queued : &rx->lost, 1, __ATOMIC_RELAXED);
	netqueue_drop(&rx->queue);
	return true;
}

static bool move(struct virtio_net_rx *rx)
{
	const struct netqueue_packet *p;
	bool moved = false;

	while (!__atomic_load_n(&rx->flush, __ATOMIC_RELAXED) && !vdev_is_ending() &&
	       (p = netqueue_peek(&rx->queue)) != NULL && move_one(rx, p)) {
		moved = true;
		thread_checkpoint();
	}
	return moved;
}

/* ---- both ---- */

static void others_turn(struct virtio_net_rx *rx)
{
	spin_unlock(lock_of(rx));
	thread_checkpoint();
	spin_lock(lock_of(rx));
}

/* With each pair in turn. True: one may have more. */
static bool exchange(struct virtio_net_rx *rx)
{
	bool more = false;

	for (unsigned int i = 0; i < rx->nic->usable; i++) {
		struct virtio_net_rxq *q = &rx->nic->pair[i]->rx;
		unsigned int taken;

		if (i > 0) {
			others_turn(rx);
		}
		tell(q);
		taken = take(q);
		rx->made_room |= taken != 0;
		more |= taken == AT_ONCE;
	}
	return more;
}

/* False: nothing more can be done for now. */
static bool one_round(struct virtio_net_rx *rx)
{
	bool more, moved;

	rx->again = false;
	if (rx->flush) {
		netqueue_clear(&rx->queue);
		rx->flush = false;
	}
	more = exchange(rx);
	spin_unlock(lock_of(rx));
	moved = move(rx);
	rx->made_room |= moved;
	thread_checkpoint();
	spin_lock(lock_of(rx));
	return more || moved || rx->again || rx->flush;
}

void virtio_net_rx_serve(struct virtio_net_rx *rx)
{
	unsigned int rounds = 0;
	bool ready;

	spin_lock(lock_of(rx));
	if (rx->busy) {
		rx->again = true;
		spin_unlock(lock_of(rx));
		return;
	}
	rx->busy = true;
	while (rounds < ROUNDS && one_round(rx)) {
		rounds++;
	}
	if (rounds == ROUNDS) {
		virtio_net_ask(rx->nic, VIRTIO_NET_ASK_RX);
	}
	ready = rx->made_room || rx->settled;
	rx->made_room = rx->settled = false;
	rx->busy = false;
	spin_unlock(lock_of(rx));
	if (ready) {
		netport_ready(&rx->nic->port);
	}
}

/* ---- life ---- */

int virtio_net_rx_init(struct virtio_net_rx *rx, struct virtio_net *nic)
{
	rx->nic = nic;
	return netqueue_init(&rx->queue);
}

void virtio_net_rxq_init(struct virtio_net_rxq *rx, struct virtio_net *nic, unsigned int pair)
{
	rx->nic = nic;
	rx->pair = pair;
	rx->q = &nic->pci.d.queue[2 * pair + VIRTIO_NET_RX];
	spin_init(&rx->lock, LOCK_NET_PORT);
}

void virtio_net_rx_destroy(struct virtio_net_rx *rx)
{
	netqueue_exit(&rx->queue);
}

static unsigned int forget(struct virtio_net_rxq *rx)
{
	unsigned int n;

	spin_lock(&rx->lock);
	n = rx->last - rx->first;
	rx->first = rx->filled = rx->last = 0;
	rx->piece = rx->last_piece = 0;
	spin_unlock(&rx->lock);
	return n;
}

void virtio_net_rx_reset(struct virtio_net_rx *rx)
{
	for (unsigned int i = 0; i < rx->nic->pairs; i++) {
		forget(&rx->nic->pair[i]->rx);
	}
	if (rx->busy) { /* it looks at a packet there */
		__atomic_store_n(&rx->flush, true, __ATOMIC_RELAXED);
	} else {
		netqueue_clear(&rx->queue);
	}
}

void virtio_net_rx_put_back(struct virtio_net_rx *rx)
{
	for (unsigned int i = 0; i < rx->nic->usable; i++) {
		struct virtio_net_rxq *q = &rx->nic->pair[i]->rx;

		virtq_unpop(q->q, forget(q));
	}
}

void virtio_net_rx_settle(struct virtio_net_rx *rx)
{
	for (unsigned int i = 0; i < rx->nic->usable; i++) {
		tell(&rx->nic->pair[i]->rx);
	}
	rx->settled = true;
	virtio_net_ask(rx->nic, VIRTIO_NET_ASK_RX);
}
