/* SPDX-License-Identifier: BSD-2-Clause */
/* An Ethernet switch: forwards, floods, lets senders wait for a full port. */
/* What may be sent is checked before; in which form it arrives is netport_deliver's. */
#include "drivers/net/netswitch.h"
#include "drivers/net/netpkt.h"
#include "drivers/net/netport_priv.h"
#include "drivers/net/pcap.h"
#include "drivers/net/wire.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

/* Learnt addresses of a port that leads to one machine, and not to a network. */
#define LEARN_MOST 64u

#define SECOND	   1000000000ul
#define RATE_BURST (5 * SECOND / 1000)
#define RATE_BYTES (2 * 1514ul)

int netswitch_init(struct netswitch *sw, const char *name, uint32_t addresses)
{
	memset(sw, 0, sizeof(*sw));
	string_copy(sw->name, name, sizeof(sw->name));
	spin_init(&sw->lock, LOCK_NET);
	return mactable_init(&sw->macs, addresses / MACTABLE_WAYS);
}

void netswitch_exit(struct netswitch *sw)
{
	for (unsigned int i = 0; i < sw->ports; i++) {
		BUG_ON(sw->port[i] != NULL);
	}
	mactable_exit(&sw->macs);
}

/* ---- ports ---- */

static int free_index(const struct netswitch *sw)
{
	for (unsigned int i = 0; i < NETSWITCH_PORTS; i++) {
		if (sw->port[i] == NULL) {
			return (int)i;
		}
	}
	return -ENOSPC;
}

static bool wants_leases(const struct netport *p)
{
	return p->guard.flags & NETGUARD_IP;
}

static int attach_locked(struct netswitch *sw, struct netport *p)
{
	int i = free_index(sw);
	int r;

	if (i < 0) {
		return i;
	}
	if (!(p->policy & NETPORT_UPLINK)) {
		r = mactable_fix(&sw->macs, wire_get48(p->mac), (uint16_t)i);
		if (r < 0) {
			return r;
		}
	}
	p->sw = sw;
	p->index = (uint16_t)i;
	sw->port[i] = p;
	sw->ports = (uint16_t)u64_max(sw->ports, (unsigned int)i + 1);
	sw->guarded = (uint16_t)(sw->guarded + wants_leases(p));
	return 0;
}

int netswitch_attach(struct netswitch *sw, struct netport *p)
{
	int r;

	spin_lock(&sw->lock);
	r = attach_locked(sw, p);
	spin_unlock(&sw->lock);
	return r;
}

void netswitch_detach(struct netport *p)
{
	struct netswitch *sw = p->sw;

	spin_lock(&sw->lock);
	mactable_forget_port(&sw->macs, p->index, true);
	sw->port[p->index] = NULL;
	sw->guarded = (uint16_t)(sw->guarded - wants_leases(p));
	spin_unlock(&sw->lock);
	while (__atomic_load_n(&p->users, __ATOMIC_ACQUIRE) != 0) {
		thread_yield();
	}
	pcap_stop(p);
	netport_ready(p); /* who waits for it shall not do so until the time is up */
	p->sw = NULL;
}

void netswitch_set_host(struct netswitch *sw, uint32_t ip)
{
	spin_lock(&sw->lock);
	sw->host = ip;
	spin_unlock(&sw->lock);
}

void netswitch_set_guard(struct netport *p, const struct netguard *g)
{
	struct netswitch *sw = p->sw;

	spin_lock(&sw->lock);
	sw->guarded = (uint16_t)(sw->guarded - wants_leases(p));
	p->guard = *g;
	sw->guarded = (uint16_t)(sw->guarded + wants_leases(p));
	spin_unlock(&sw->lock);
}

void netswitch_set_leased(struct netport *p, uint32_t ip)
{
	struct netswitch *sw = p->sw;
	bool taken = false;

	spin_lock(&sw->lock);
	for (unsigned int i = 0; i < sw->ports; i++) {
		taken |= sw->port[i] != NULL && sw->port[i]->guard.leased == ip;
	}
	if (!taken) {
		p->guard.leased = ip;
	}
	spin_unlock(&sw->lock);
}

/* 5 ms may be saved up, but two full frames at least. */
static void set_rate(struct ratelimit *r, uint64_t rate, uint64_t now)
{
	ratelimit_set(r, rate, rate != 0 ? u64_max(RATE_BURST, RATE_BYTES * SECOND / rate) : 0,
		      now);
}

void netswitch_set_rates(struct netport *p, uint64_t send, uint64_t receive, uint64_t now)
{
	spin_lock(&p->sw->lock);
	set_rate(&p->send_rate, send, now);
	set_rate(&p->receive_rate, receive, now);
	spin_unlock(&p->sw->lock);
}

void netswitch_tick(struct netswitch *sw, uint64_t now)
{
	spin_lock(&sw->lock);
	mactable_expire(&sw->macs, now);
	spin_unlock(&sw->lock);
}

bool netswitch_next_port(struct netswitch *sw, unsigned int *cursor, struct netswitch_port *out)
{
	const struct netport *p = NULL;

	spin_lock(&sw->lock);
	while (p == NULL && *cursor < sw->ports) {
		p = sw->port[(*cursor)++];
	}
	if (p != NULL) {
		memcpy(out->name, p->name, sizeof(out->name));
		memcpy(out->mac, p->mac, sizeof(out->mac));
		out->link = p->link;
		out->leased = p->guard.leased;
		out->stats = p->stats;
	}
	spin_unlock(&sw->lock);
	return p != NULL;
}

/* A port is used while its ops are called: netswitch_detach waits for that to end. */
static struct netport *use_locked(const struct netswitch *sw, unsigned int i)
{
	struct netport *p = sw->port[i];

	if (p != NULL) {
		__atomic_fetch_add(&p->users, 1, __ATOMIC_RELAXED);
	}
	return p;
}

static struct netport *use(struct netswitch *sw, unsigned int i)
{
	struct netport *p;

	spin_lock(&sw->lock);
	p = use_locked(sw, i);
	spin_unlock(&sw->lock);
	return p;
}

static void unuse(struct netport *p)
{
	__atomic_fetch_sub(&p->users, 1, __ATOMIC_RELEASE);
}

struct netport *netswitch_hold_port(struct netswitch *sw, const char *name)
{
	struct netport *found = NULL;

	spin_lock(&sw->lock);
	for (unsigned int i = 0; found == NULL && i < sw->ports; i++) {
		if (sw->port[i] != NULL && strcmp(sw->port[i]->name, name) == 0) {
			found = use_locked(sw, i);
		}
	}
	spin_unlock(&sw->lock);
	return found;
}

void netswitch_release_port(struct netport *p)
{
	unuse(p);
}

/* ---- bursts ---- */

static void flush(struct netport *p)
{
	if (p->ops->flush != NULL) {
		p->ops->flush(p);
	}
}

/* It has taken pkt, and is used: from now on by the burst as well. */
static void flush_later(struct netport *to, const struct netpkt *pkt)
{
	struct netburst *b = pkt->burst;

	if (to->ops->flush == NULL) {
		return;
	}
	for (unsigned int i = 0; b != NULL && i < b->count; i++) {
		if (b->to[i] == to) {
			return;
		}
	}
	if (b == NULL || b->count == NETBURST_PORTS) {
		flush(to);
		return;
	}
	__atomic_fetch_add(&to->users, 1, __ATOMIC_RELAXED);
	b->to[b->count++] = to;
}

void netport_burst_end(struct netburst *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		flush(b->to[i]);
		unuse(b->to[i]);
	}
	b->count = 0;
}

/* True: pkt is done with; if `to` lost it, that is counted. */
static bool deliver(struct netport *to, const struct netpkt *pkt)
{
	bool done = netport_deliver(to, pkt);

	if (done) {
		flush_later(to, pkt);
	} else {
		flush(to); /* it may have been left alone with what it has */
	}
	return done;
}

/* ---- waiting for room ---- */

void netport_ready(struct netport *p)
{
	struct netswitch *sw = p->sw;

	__atomic_store_n(&p->full_since, 0, __ATOMIC_RELAXED);
	if (sw == NULL || !__atomic_exchange_n(&p->waited_for, false, __ATOMIC_SEQ_CST)) {
		return;
	}
	for (unsigned int i = 0; i < sw->ports; i++) {
		struct netport *q = use(sw, i);

		if (q == NULL) {
			continue;
		}
		if (__atomic_exchange_n(&q->waits, false, __ATOMIC_SEQ_CST)) {
			q->ops->resume(q);
		}
		unuse(q);
	}
}

/* When `to` shall lose packets rather than hold up senders. */
static uint64_t stall_time(struct netport *to, uint64_t now)
{
	uint64_t since = __atomic_load_n(&to->full_since, __ATOMIC_RELAXED);

	if (since == 0) {
		since = now;
		__atomic_store_n(&to->full_since, now, __ATOMIC_RELAXED);
	}
	return since + NETSWITCH_STALL;
}

/*
 * `to` had no room. Room that it made since then was announced to nobody: so once more, after it has
 * been said that somebody waits.
 */
static uint64_t wait_for(struct netport *from, struct netport *to, const struct netpkt *pkt)
{
	uint64_t until = stall_time(to, pkt->time);

	if ((from->policy & NETPORT_NEVER_WAIT) || until <= pkt->time) {
		netport_drop(to, NETPORT_DROP_FULL);
		return 0;
	}
	__atomic_store_n(&from->waits, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->waited_for, true, __ATOMIC_SEQ_CST);
	return deliver(to, pkt) ? 0 : until;
}

/* ---- rates ---- */

static void charge(struct netswitch *sw, struct ratelimit *r, const struct netpkt *pkt)
{
	if (r->rate != 0) {
		spin_lock(&sw->lock);
		ratelimit_charge(r, netpkt_wire_len(pkt), pkt->time);
		spin_unlock(&sw->lock);
	}
}

/* A receiver deep in debt holds nobody up: its packets are lost. */
static uint64_t over_rate(struct netport *from, struct netport *to, const struct netpkt *pkt)
{
	uint64_t until = ratelimit_wait(&to->receive_rate, pkt->time);

	if (until != 0 &&
	    ((from->policy & NETPORT_NEVER_WAIT) || until - pkt->time > NETSWITCH_STALL)) {
		netport_drop(to, NETPORT_DROP_RATE);
		return 0;
	}
	return until;
}

/* ---- forwarding ---- */

static bool deliver_from(const struct netport *from, struct netport *to, const struct netpkt *pkt)
{
	struct netpkt now;

	if (!(from->policy & NETPORT_NEVER_WAIT)) {
		return deliver(to, pkt);
	}
	now = *pkt;
	now.flags |= NETPKT_NOW;
	return deliver(to, &now);
}

/* One receiver. Time to wait until, or 0. */
static uint64_t unicast(struct netswitch *sw, struct netport *from, struct netport *to,
			const struct netpkt *pkt)
{
	uint64_t until = 0;

	if (ratelimit_wait(&to->receive_rate, pkt->time) != 0) {
		return over_rate(from, to, pkt);
	}
	if (!deliver_from(from, to, pkt)) {
		until = wait_for(from, to, pkt);
	}
	if (until == 0) {
		charge(sw, &to->receive_rate, pkt);
	}
	return until;
}

static bool may_reach(const struct netport *from, const struct netport *to)
{
	return from != to && !(from->policy & to->policy & NETPORT_ISOLATED);
}

static void flood_one(struct netswitch *sw, struct netport *to, const struct netpkt *pkt)
{
	if (ratelimit_wait(&to->receive_rate, pkt->time) != 0) {
		netport_drop(to, NETPORT_DROP_RATE);
	} else if (deliver(to, pkt)) {
		charge(sw, &to->receive_rate, pkt);
	} else {
		netport_drop(to, NETPORT_DROP_FULL);
	}
}

/* Everybody but the sender; nobody waits for anybody. */
static void flood(struct netswitch *sw, struct netport *from, const struct netpkt *one)
{
	struct netpkt all = *one, *pkt = &all;

	all.flags |= NETPKT_NOW;
	for (unsigned int i = 0; i < sw->ports; i++) {
		struct netport *to = use(sw, i);

		if (to == NULL) {
			continue;
		}
		if (may_reach(from, to)) {
			flood_one(sw, to, pkt);
		}
		unuse(to);
		thread_checkpoint();
	}
}

/* An address that a believed server has given belongs to one port at a time. */
static void take_lease(struct netswitch *sw, const struct netport *from, const struct netpkt *pkt)
{
	uint64_t mac;
	uint32_t ip;

	if ((from->guard.flags & NETGUARD_SERVER) || !netguard_snoop(pkt, &mac, &ip)) {
		return;
	}
	for (unsigned int i = 0; i < sw->ports; i++) {
		struct netport *p = sw->port[i];

		if (p == NULL || !wants_leases(p)) {
			continue;
		}
		if (wire_get48(p->mac) == mac) {
			p->guard.leased = ip;
		} else if (p->guard.leased == ip) {
			p->guard.leased = 0;
		}
	}
}

/* -1, or why pkt goes nowhere. Learns from it if it may pass. */
static int admit_locked(struct netswitch *sw, struct netport *from, const struct netpkt *pkt)
{
	const uint8_t *head = pkt->seg[0].base;
	uint16_t type = wire_get16(head + ETH_TYPE);
	int why = netguard_check(&from->guard, from->mac, sw->host, pkt);

	if (why >= 0) {
		return why;
	}
	if ((wire_get48(head + ETH_DST) & ~0xful) == ETH_RESERVED ||
	    ((type == ETH_VLAN || type == ETH_QINQ || type == ETH_QINQ_OLD) &&
	     !(from->policy & NETPORT_TAGGED))) {
		return NETPORT_DROP_FILTERED;
	}
	mactable_learn(&sw->macs, wire_get48(head + ETH_SRC), from->index,
		       from->policy & NETPORT_UPLINK ? UINT16_MAX : LEARN_MOST, pkt->time);
	if (sw->guarded > 0) {
		take_lease(sw, from, pkt);
	}
	return -1;
}

static uint64_t forward_known(struct netswitch *sw, struct netport *from, struct netport *to,
			      const struct netpkt *pkt)
{
	uint64_t until = 0;

	if (may_reach(from, to)) {
		until = unicast(sw, from, to, pkt);
	} else {
		netport_drop(from, NETPORT_DROP_FILTERED);
	}
	unuse(to);
	return until;
}

uint64_t netswitch_forward(struct netswitch *sw, struct netport *from, const struct netpkt *pkt)
{
	uint64_t dst = wire_get48(pkt->seg[0].base + ETH_DST);
	struct netport *to = NULL;
	uint64_t until = 0;
	int why, i = -1;

	spin_lock(&sw->lock);
	why = admit_locked(sw, from, pkt);
	if (why < 0 && !(dst & ETH_GROUP)) {
		i = mactable_find(&sw->macs, dst, pkt->time);
		to = i >= 0 ? use_locked(sw, (unsigned int)i) : NULL;
	}
	spin_unlock(&sw->lock);
	if (why >= 0) {
		netport_drop(from, (enum netport_drop)why);
	} else if (to != NULL) {
		until = forward_known(sw, from, to, pkt);
	} else if (pkt->gso != NETPKT_GSO_NONE) {
		/* 64 KiB for each port is too much; TCP sends it again, a segment at a time. */
		netport_drop(from, NETPORT_DROP_FILTERED);
	} else {
		flood(sw, from, pkt);
	}
	if (until == 0) {
		charge(sw, &from->send_rate, pkt);
	}
	return until;
}

void netport_set_link(struct netport *p, bool up)
{
	if (__atomic_exchange_n(&p->link, up, __ATOMIC_RELAXED) == up) {
		return;
	}
	if (p->sw != NULL && !up) {
		spin_lock(&p->sw->lock);
		mactable_forget_port(&p->sw->macs, p->index, false);
		spin_unlock(&p->sw->lock);
		netport_ready(p);
	}
	if (p->ops->link_changed != NULL) {
		p->ops->link_changed(p);
	}
}
