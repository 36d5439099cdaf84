/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts fragments together (RFC 791, "An Example Reassembly Procedure"; RFC 815 on what goes wrong). */
/* Memory, time, pieces and datagrams per source are bounded. */
#include "drivers/net/frame.h"
#include "drivers/net/ipv4.h"
#include "hv/base/heap.h"
#include "hv/lib/string.h"

#define HEADERS	 (ETH_LEN + 60u) /* the longest; payload begins there while pieces come in */
#define ROOM_MIN 4096u

static void give_up(struct ipv4_datagram *d)
{
	heap_free(d->frame);
	*d = (struct ipv4_datagram){ 0 };
}

void ipv4_frags_clear(struct ipv4_frags *r)
{
	for (unsigned int i = 0; i < IPV4_DATAGRAMS; i++) {
		give_up(&r->d[i]);
	}
}

void ipv4_frags_tick(struct ipv4_frags *r, uint64_t now)
{
	for (unsigned int i = 0; i < IPV4_DATAGRAMS; i++) {
		if (r->d[i].frame != NULL && now >= r->d[i].deadline) {
			give_up(&r->d[i]);
			r->dropped++;
		}
	}
}

/* The datagram that f belongs to; or a free place for it, begun; NULL: there is none for it. */
static struct ipv4_datagram *datagram_of(struct ipv4_frags *r, const struct frame *f, uint16_t id,
					 uint64_t now)
{
	struct ipv4_datagram *free = NULL;
	unsigned int same_source = 0;

	for (unsigned int i = 0; i < IPV4_DATAGRAMS; i++) {
		struct ipv4_datagram *d = &r->d[i];

		if (d->frame == NULL) {
			free = d;
			continue;
		}
		if (d->src == f->src && d->dst == f->dst && d->id == id && d->proto == f->proto) {
			return d;
		}
		same_source += d->src == f->src;
	}
	if (free == NULL || same_source >= IPV4_DATAGRAMS_PER) {
		return NULL;
	}
	*free = (struct ipv4_datagram){
		.frame = heap_alloc(ROOM_MIN),
		.room = ROOM_MIN,
		.src = f->src,
		.dst = f->dst,
		.id = id,
		.proto = f->proto,
		.deadline = now + IPV4_FRAG_TIME,
	};
	return free->frame != NULL ? free : NULL;
}

static bool make_room(struct ipv4_datagram *d, uint32_t need)
{
	uint32_t room = d->room;
	uint8_t *frame;

	if (need <= room) {
		return true;
	}
	while (room < need) {
		room *= 2;
	}
	frame = heap_alloc(room);
	if (frame == NULL) {
		return false;
	}
	memcpy(frame, d->frame, d->room);
	heap_free(d->frame);
	d->frame = frame;
	d->room = room;
	return true;
}

enum fit { FIT_NEW, FIT_AGAIN, FIT_NOT };

static enum fit fits(const struct ipv4_datagram *d, uint32_t from, uint32_t to)
{
	for (unsigned int i = 0; i < d->pieces; i++) {
		if (d->piece[i].from == from && d->piece[i].to == to) {
			return FIT_AGAIN;
		}
		if (from < d->piece[i].to && d->piece[i].from < to) {
			return FIT_NOT;
		}
	}
	return d->pieces < IPV4_FRAGS_MAX ? FIT_NEW : FIT_NOT;
}

/* Lengths that a datagram can have: all but the last piece multiples of 8, none behind the last. */
static bool lengths_agree(const struct ipv4_datagram *d, uint32_t from, uint32_t to, bool last)
{
	if (to > 65535 - IPV4_LEN || from == to || (!last && (to - from) % 8 != 0)) {
		return false;
	}
	if (d->total != 0) {
		return last ? to == d->total : to <= d->total;
	}
	for (unsigned int i = 0; last && i < d->pieces; i++) {
		if (d->piece[i].to > to) {
			return false;
		}
	}
	return true;
}

static bool add(struct ipv4_datagram *d, const struct netpkt *pkt, const struct frame *f)
{
	uint32_t hdr_len = f->total - f->l4_len, from = (f->frag & IPV4_OFFSET) * 8u;
	uint32_t to = from + f->l4_len;
	bool last = !(f->frag & IPV4_MF);
	enum fit fit = fits(d, from, to);

	if (fit == FIT_AGAIN) {
		return true;
	}
	if (fit == FIT_NOT || !lengths_agree(d, from, to, last) || !make_room(d, HEADERS + to)) {
		return false;
	}
	netpkt_copy(pkt, f->l3 + hdr_len, d->frame + HEADERS + from, f->l4_len);
	d->piece[d->pieces++] = (struct ipv4_piece){ (uint16_t)from, (uint16_t)to };
	d->have = (uint16_t)(d->have + f->l4_len);
	d->total = last ? (uint16_t)to : d->total;
	if (from == 0) {
		d->has_first = true;
		d->hdr_len = (uint8_t)hdr_len;
		memcpy(d->frame, pkt->seg[0].base, ETH_LEN - 2);
		wire_put16(d->frame + ETH_TYPE, ETH_IPV4); /* a tag is left behind */
		memcpy(d->frame + ETH_LEN, pkt->seg[0].base + f->l3, hdr_len);
	}
	return true;
}

static bool is_whole(const struct ipv4_datagram *d)
{
	return d->has_first && d->total != 0 && d->have == d->total &&
	       d->total + d->hdr_len <= 65535;
}

/* RFC 791: the first fragment's header, as of a packet that was never cut. */
static uint8_t *finish(struct ipv4_datagram *d, uint32_t *len)
{
	uint8_t *frame = d->frame, *ip = frame + ETH_LEN;

	memmove(ip + d->hdr_len, frame + HEADERS, d->total);
	wire_put16(ip + IPV4_TOTAL, (uint16_t)(d->hdr_len + d->total));
	wire_put16(ip + IPV4_FRAG, 0);
	ipv4_put_sum(ip);
	*len = ETH_LEN + d->hdr_len + d->total;
	d->frame = NULL;
	give_up(d);
	return frame;
}

uint8_t *ipv4_reassemble(struct ipv4_frags *r, const struct netpkt *pkt, const struct frame *f,
			 uint32_t *len)
{
	uint16_t id = wire_get16(pkt->seg[0].base + f->l3 + IPV4_ID);
	struct ipv4_datagram *d;

	ipv4_frags_tick(r, pkt->time);
	d = datagram_of(r, f, id, pkt->time);
	if (d == NULL) {
		r->dropped++;
		return NULL;
	}
	if (!add(d, pkt, f)) {
		give_up(d);
		r->dropped++;
		return NULL;
	}
	return is_whole(d) ? finish(d, len) : NULL;
}
