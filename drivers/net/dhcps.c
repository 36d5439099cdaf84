/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP server: who gets which address for how long. */
/* Sends nothing itself. */
#include "drivers/net/dhcps.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define SECOND 1000000000ul

static bool in_segment(const struct dhcps_config *c, uint32_t ip)
{
	return ((ip ^ c->addr) & c->mask) == 0 && (ip & ~c->mask) != 0 &&
	       ip != (c->addr | ~c->mask) && ip != c->addr;
}

static bool config_is_valid(const struct dhcps_config *c)
{
	if (c->first > c->last || c->last - c->first >= DHCPS_RANGE_MAX || c->lease < 60 ||
	    c->hosts > DHCPS_HOSTS_MAX || !in_segment(c, c->first) || !in_segment(c, c->last) ||
	    (c->addr >= c->first && c->addr <= c->last)) {
		return false;
	}
	for (unsigned int i = 0; i < c->hosts; i++) {
		if (!in_segment(c, c->host[i].ip) || c->host[i].mac == 0) {
			return false;
		}
	}
	return true;
}

static struct dhcps_lease *find_ip(struct dhcps *s, uint32_t ip)
{
	for (unsigned int i = 0; i < s->leases; i++) {
		if (s->lease[i].ip == ip) {
			return &s->lease[i];
		}
	}
	return NULL;
}

int dhcps_init(struct dhcps *s, const struct dhcps_config *c)
{
	unsigned int range = c->last - c->first + 1;

	*s = (struct dhcps){ .c = *c, .configured = c->hosts };
	if (!config_is_valid(c)) {
		return -EINVAL;
	}
	s->lease = heap_alloc((range + c->hosts) * sizeof(*s->lease));
	if (s->lease == NULL) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < range; i++) {
		s->lease[s->leases++].ip = c->first + i;
	}
	for (unsigned int i = 0; i < c->hosts; i++) {
		if (find_ip(s, c->host[i].ip) == NULL) {
			s->lease[s->leases++].ip = c->host[i].ip;
		}
	}
	return 0;
}

void dhcps_exit(struct dhcps *s)
{
	heap_free(s->lease);
	s->lease = NULL;
	s->leases = 0;
}

/* ---- which address ---- */

static uint32_t fixed_ip(const struct dhcps *s, uint64_t mac)
{
	for (unsigned int i = 0; i < s->c.hosts; i++) {
		if (s->c.host[i].mac == mac) {
			return s->c.host[i].ip;
		}
	}
	return 0;
}

static bool is_fixed_for_other(const struct dhcps *s, uint32_t ip, uint64_t mac)
{
	for (unsigned int i = 0; i < s->c.hosts; i++) {
		if (s->c.host[i].ip == ip && s->c.host[i].mac != mac) {
			return true;
		}
	}
	return false;
}

/* May mac have l: its own, or nobody's; an address that was declined is nobody's to have. */
static bool may_have(const struct dhcps *s, const struct dhcps_lease *l, uint64_t mac, uint64_t now)
{
	if (l == NULL || is_fixed_for_other(s, l->ip, mac) ||
	    (fixed_ip(s, mac) != 0 && fixed_ip(s, mac) != l->ip)) {
		return false;
	}
	return !dhcps_is_used(l, now) || (l->mac == mac && l->state != DHCPS_REFUSED);
}

/* The one that mac has or had last. */
static struct dhcps_lease *last_of(struct dhcps *s, uint64_t mac)
{
	for (unsigned int i = 0; i < s->leases; i++) {
		if (s->lease[i].mac == mac && s->lease[i].state != DHCPS_REFUSED) {
			return &s->lease[i];
		}
	}
	return NULL;
}

/* Free, never used rather than used before, then the one that has been free for longest. */
static struct dhcps_lease *any_free(struct dhcps *s, uint64_t mac, uint64_t now)
{
	struct dhcps_lease *best = NULL;

	for (unsigned int i = 0; i < s->leases; i++) {
		struct dhcps_lease *l = &s->lease[i];

		if (!may_have(s, l, mac, now)) {
			continue;
		}
		if (l->mac == 0) {
			return l;
		}
		best = best == NULL || l->expires < best->expires ? l : best;
	}
	return best;
}

/* RFC 2131, 4.3.1: fixed, current, previous, requested, any. */
static struct dhcps_lease *choose(struct dhcps *s, uint64_t mac, uint32_t requested, uint64_t now)
{
	struct dhcps_lease *l = find_ip(s, fixed_ip(s, mac));

	if (l != NULL) {
		return may_have(s, l, mac, now) ? l : NULL;
	}
	l = last_of(s, mac);
	if (may_have(s, l, mac, now)) {
		return l;
	}
	l = find_ip(s, requested);
	return may_have(s, l, mac, now) ? l : any_free(s, mac, now);
}

void dhcps_unreserve(struct dhcps *s, uint64_t mac)
{
	for (unsigned int i = s->configured; i < s->c.hosts; i++) {
		if (s->c.host[i].mac == mac) {
			s->c.host[i] = s->c.host[--s->c.hosts];
			return;
		}
	}
}

/* Nobody tells the time here: what is in use counts as used, even if it has expired. */
uint32_t dhcps_reserve(struct dhcps *s, uint64_t mac, uint32_t want)
{
	struct dhcps_lease *l;

	if (fixed_ip(s, mac) != 0 && (want == 0 || fixed_ip(s, mac) == want)) {
		return fixed_ip(s, mac);
	}
	dhcps_unreserve(s, mac);
	l = want != 0 ? find_ip(s, want) : choose(s, mac, 0, 0);
	if (!may_have(s, l, mac, 0) || s->c.hosts == DHCPS_HOSTS_MAX) {
		return 0;
	}
	s->c.host[s->c.hosts++] = (struct dhcps_host){ mac, l->ip };
	return l->ip;
}

/* A client has one address at a time. */
static void take(struct dhcps *s, struct dhcps_lease *l, const struct dhcp_msg *m,
		 enum dhcps_state state, uint64_t expires)
{
	for (unsigned int i = 0; i < s->leases; i++) {
		struct dhcps_lease *other = &s->lease[i];

		if (other != l && other->mac == m->chaddr && other->state != DHCPS_REFUSED) {
			other->mac = 0;
			other->state = DHCPS_FREE;
		}
	}
	l->mac = m->chaddr;
	l->state = (uint8_t)state;
	l->expires = expires;
	string_copy(l->name, m->hostname, sizeof(l->name));
}

/* ---- replies ---- */

static void put_parameters(const struct dhcps_config *c, struct dhcp_out *o)
{
	dhcp_put32(o, DHCP_OPT_MASK, c->mask);
	dhcp_put32(o, DHCP_OPT_ROUTER, c->addr);
	dhcp_put32(o, DHCP_OPT_DNS, c->dns != 0 ? c->dns : c->addr);
	dhcp_put32(o, DHCP_OPT_BROADCAST, c->addr | ~c->mask);
}

static void put_lease(const struct dhcps_config *c, struct dhcp_out *o)
{
	dhcp_put32(o, DHCP_OPT_LEASE, c->lease);
	dhcp_put32(o, DHCP_OPT_T1, c->lease / 2);
	dhcp_put32(o, DHCP_OPT_T2, c->lease / 8 * 7);
}

/* RFC 2131, 4.1: where it goes; NAKs always to all. */
static enum dhcps_way way_of(const struct dhcp_msg *m, const struct dhcp_msg *re,
			     struct dhcps_reply *r)
{
	r->mac = m->chaddr;
	r->ip = m->ciaddr != 0 ? m->ciaddr : re->yiaddr;
	if (re->type == DHCP_NAK) {
		return DHCPS_BROADCAST;
	}
	return m->ciaddr == 0 && (m->flags & DHCP_FLAG_BROADCAST) ? DHCPS_BROADCAST : DHCPS_UNICAST;
}

/* Table 3, "Fields and options used by DHCP servers" */
static enum dhcps_way reply(const struct dhcps *s, const struct dhcp_msg *m, enum dhcp_type type,
			    uint32_t yiaddr, struct dhcps_reply *r)
{
	struct dhcp_msg re = {
		.op = DHCP_OP_REPLY,
		.type = (uint8_t)type,
		.flags = m->flags,
		.xid = m->xid,
		.ciaddr = type == DHCP_ACK ? m->ciaddr : 0,
		.yiaddr = yiaddr,
		.siaddr = type == DHCP_NAK ? 0 : s->c.next_server,
		.chaddr = m->chaddr,
	};

	dhcp_begin(&r->out, &re);
	dhcp_put32(&r->out, DHCP_OPT_SERVER, s->c.addr);
	if (type != DHCP_NAK) {
		memcpy(r->out.buf + DHCP_FILE, s->c.bootfile,
		       strnlen(s->c.bootfile, DHCP_FILE_LEN));
		put_parameters(&s->c, &r->out);
	}
	if (yiaddr != 0) {
		put_lease(&s->c, &r->out);
	}
	dhcp_end(&r->out);
	return way_of(m, &re, r);
}

/* ---- messages ---- */

static enum dhcps_way on_discover(struct dhcps *s, const struct dhcp_msg *m, uint64_t now,
				  struct dhcps_reply *r)
{
	struct dhcps_lease *l = choose(s, m->chaddr, m->requested, now);

	if (l == NULL) {
		s->exhausted++;
		return DHCPS_NOTHING;
	}
	if (l->state != DHCPS_BOUND || !dhcps_is_used(l, now)) {
		take(s, l, m, DHCPS_OFFERED, now + DHCPS_OFFER);
	}
	return reply(s, m, DHCP_OFFER, l->ip, r);
}

/* An offer of ours that its client did not take. */
static void withdraw(struct dhcps *s, uint64_t mac)
{
	struct dhcps_lease *l = last_of(s, mac);

	if (l != NULL && l->state == DHCPS_OFFERED) {
		l->state = DHCPS_FREE;
	}
}

/*
 * RFC 2131, 4.3.2. We are the only server of the segment: to a client that we do not remember (after a
 * restart) its address is confirmed if it is free, and else refused.
 */
static enum dhcps_way on_request(struct dhcps *s, const struct dhcp_msg *m, uint64_t now,
				 struct dhcps_reply *r)
{
	uint32_t ip = m->requested != 0 ? m->requested : m->ciaddr;
	struct dhcps_lease *l;

	if (m->server != 0 && m->server != s->c.addr) {
		withdraw(s, m->chaddr);
		return DHCPS_NOTHING;
	}
	l = find_ip(s, ip);
	if (ip == 0 || !may_have(s, l, m->chaddr, now)) {
		return reply(s, m, DHCP_NAK, 0, r);
	}
	take(s, l, m, DHCPS_BOUND, now + s->c.lease * SECOND);
	return reply(s, m, DHCP_ACK, ip, r);
}

/* 4.3.3: somebody uses the address without having asked us. */
static enum dhcps_way on_decline(struct dhcps *s, const struct dhcp_msg *m, uint64_t now,
				 struct dhcps_reply *r)
{
	struct dhcps_lease *l = find_ip(s, m->requested);

	(void)r;
	if (l != NULL && l->mac == m->chaddr && l->state == DHCPS_BOUND) {
		l->state = DHCPS_REFUSED;
		l->expires = now + DHCPS_DECLINED;
	}
	return DHCPS_NOTHING;
}

/* 4.3.4: free, and remembered for its client. */
static enum dhcps_way on_release(struct dhcps *s, const struct dhcp_msg *m, uint64_t now,
				 struct dhcps_reply *r)
{
	struct dhcps_lease *l = find_ip(s, m->ciaddr);

	(void)r;
	if (l != NULL && l->mac == m->chaddr && l->state == DHCPS_BOUND) {
		l->state = DHCPS_FREE;
		l->expires = now;
	}
	return DHCPS_NOTHING;
}

/* 4.3.5: parameters only. */
static enum dhcps_way on_inform(struct dhcps *s, const struct dhcp_msg *m, uint64_t now,
				struct dhcps_reply *r)
{
	(void)now;
	return in_segment(&s->c, m->ciaddr) ? reply(s, m, DHCP_ACK, 0, r) : DHCPS_NOTHING;
}

enum dhcps_way dhcps_input(struct dhcps *s, const uint8_t *msg, size_t len, uint64_t mac,
			   uint64_t now, struct dhcps_reply *r)
{
	static enum dhcps_way (*const on[])(struct dhcps *, const struct dhcp_msg *, uint64_t,
					    struct dhcps_reply *) = {
		[DHCP_DISCOVER] = on_discover, [DHCP_REQUEST] = on_request,
		[DHCP_DECLINE] = on_decline,   [DHCP_RELEASE] = on_release,
		[DHCP_INFORM] = on_inform,
	};
	struct dhcp_msg m;

	if (!dhcp_parse(msg, len, &m) || m.op != DHCP_OP_REQUEST || m.giaddr != 0 ||
	    m.chaddr != mac || mac == 0 || m.type >= ARRAY_SIZE(on) || on[m.type] == NULL) {
		return DHCPS_NOTHING;
	}
	return on[m.type](s, &m, now, r);
}
