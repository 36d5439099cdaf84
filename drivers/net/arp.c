/* SPDX-License-Identifier: BSD-2-Clause */
/* An ARP cache of fixed size, and ARP frames. */
/* Sends nothing itself. */
#include "drivers/net/arp.h"
#include "hv/base/heap.h"
#include "hv/lib/string.h"

static struct arp_entry *find(struct arp_cache *a, uint32_t ip)
{
	for (unsigned int i = 0; i < ARP_ENTRIES; i++) {
		if (a->entry[i].ip == ip) {
			return &a->entry[i];
		}
	}
	return NULL;
}

static void drop_pending(struct arp_cache *a, struct arp_entry *e)
{
	a->pending -= e->pending != NULL;
	heap_free(e->pending);
	e->pending = NULL;
}

static void forget(struct arp_cache *a, struct arp_entry *e)
{
	drop_pending(a, e);
	*e = (struct arp_entry){ 0 };
}

/* A free entry, or the one that was not used for longest. */
static struct arp_entry *make(struct arp_cache *a, uint32_t ip, uint64_t now)
{
	struct arp_entry *best = &a->entry[0];

	for (unsigned int i = 0; i < ARP_ENTRIES && best->ip != 0; i++) {
		struct arp_entry *e = &a->entry[i];

		best = e->ip == 0 || e->used < best->used ? e : best;
	}
	forget(a, best);
	best->ip = ip;
	best->used = now;
	return best;
}

/* RFC 1122, 2.3.2.1: an entry is validated again from time to time, by a request, while it is used. */
enum arp_answer arp_lookup(struct arp_cache *a, uint32_t ip, uint64_t now, uint64_t *mac)
{
	struct arp_entry *e = ip != 0 ? find(a, ip) : NULL;

	if (ip == 0) {
		return ARP_DEAD;
	}
	e = e != NULL ? e : make(a, ip, now);
	e->used = now;
	if (e->known && now - e->time < ARP_AGE) {
		*mac = e->mac;
		return ARP_KNOWN;
	}
	if (e->tries > 0 && now - e->time < ARP_ASK) {
		return e->tries > ARP_TRIES ? ARP_DEAD : ARP_WAIT;
	}
	e->tries = (uint8_t)(e->known || e->tries > ARP_TRIES ? 1 : e->tries + 1);
	e->known = false;
	e->time = now;
	return ARP_ASK_IT;
}

bool arp_keep(struct arp_cache *a, uint32_t ip, const uint8_t *frame, uint32_t len)
{
	struct arp_entry *e = find(a, ip);

	if (e == NULL || e->known || len > ETH_FRAME_MAX) {
		return false;
	}
	drop_pending(a, e);
	e->pending = a->pending < ARP_PENDING ? heap_alloc(len) : NULL;
	if (e->pending == NULL) {
		return false;
	}
	memcpy(e->pending, frame, len);
	e->pending_len = len;
	a->pending++;
	return true;
}

uint8_t *arp_learn(struct arp_cache *a, uint32_t ip, uint64_t mac, bool add, uint64_t now,
		   uint32_t *len)
{
	struct arp_entry *e = ip != 0 ? find(a, ip) : NULL;
	uint8_t *frame;

	if (ip == 0 || mac == 0 || (mac & ETH_GROUP) || (e == NULL && !add)) {
		return NULL;
	}
	e = e != NULL ? e : make(a, ip, now);
	e->mac = mac;
	e->known = true;
	e->tries = 0;
	e->time = now;
	frame = e->pending;
	*len = e->pending_len;
	a->pending -= frame != NULL;
	e->pending = NULL;
	return frame;
}

uint32_t arp_tick(struct arp_cache *a, uint64_t now)
{
	for (unsigned int i = 0; i < ARP_ENTRIES; i++) {
		struct arp_entry *e = &a->entry[i];

		if (e->ip == 0 || e->known || now - e->time < ARP_ASK) {
			continue;
		}
		if (e->tries > ARP_TRIES || e->pending == NULL) {
			forget(a, e); /* whoever still wants it begins anew */
			continue;
		}
		e->tries++;
		e->time = now;
		if (e->tries > ARP_TRIES) {
			drop_pending(a, e); /* dead for one more second */
			continue;
		}
		return e->ip;
	}
	return 0;
}

void arp_clear(struct arp_cache *a)
{
	for (unsigned int i = 0; i < ARP_ENTRIES; i++) {
		forget(a, &a->entry[i]);
	}
}

bool arp_parse(const uint8_t *arp, size_t len, struct arp_msg *m)
{
	if (len < ARP_LEN || wire_get16(arp + ARP_HTYPE) != 1 ||
	    wire_get16(arp + ARP_PTYPE) != ETH_IPV4 || arp[ARP_HLEN] != 6 || arp[ARP_PLEN] != 4) {
		return false;
	}
	*m = (struct arp_msg){
		.op = wire_get16(arp + ARP_OP),
		.sha = wire_get48(arp + ARP_SHA),
		.spa = wire_get32(arp + ARP_SPA),
		.tha = wire_get48(arp + ARP_THA),
		.tpa = wire_get32(arp + ARP_TPA),
	};
	return true;
}

void arp_build(uint8_t frame[ARP_FRAME], uint64_t dst, const struct arp_msg *m)
{
	uint8_t *arp = frame + ETH_LEN;

	memset(frame, 0, ARP_FRAME);
	wire_put48(frame + ETH_DST, dst);
	wire_put48(frame + ETH_SRC, m->sha);
	wire_put16(frame + ETH_TYPE, ETH_ARP);
	wire_put16(arp + ARP_HTYPE, 1);
	wire_put16(arp + ARP_PTYPE, ETH_IPV4);
	arp[ARP_HLEN] = 6;
	arp[ARP_PLEN] = 4;
	wire_put16(arp + ARP_OP, m->op);
	wire_put48(arp + ARP_SHA, m->sha);
	wire_put32(arp + ARP_SPA, m->spa);
	wire_put48(arp + ARP_THA, m->tha);
	wire_put32(arp + ARP_TPA, m->tpa);
}
