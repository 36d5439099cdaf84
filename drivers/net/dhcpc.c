/* SPDX-License-Identifier: BSD-2-Clause */
/* The DHCP client: RFC 2131, "DHCP Client Behavior" without INIT-REBOOT. */
/* Sends nothing itself. */
#include "drivers/net/dhcpc.h"
#include "hv/base/random.h"
#include "hv/lib/string.h"

#define SECOND	      1000000000ul
#define ASK_FIRST     (4 * SECOND) /* 4.1: 4 seconds, doubled up to 64 */
#define ASK_DOUBLINGS 4u
#define REQUEST_TRIES 4u
#define LEASE_MIN     60u	    /* seconds: less would keep us busy */
#define LEASE_MAX     0x7fffffffu   /* longer is for ever, which is 68 years here */
#define AGAIN	      (60 * SECOND) /* between renewals: 4.4.5 */

static void start(struct dhcpc *c, uint64_t now)
{
	c->state = DHCPC_SELECTING;
	c->tries = 0;
	c->next = now;
	c->addr = c->mask = c->router = c->dns = c->server = 0;
}

void dhcpc_init(struct dhcpc *c, uint64_t mac, const char *hostname)
{
	*c = (struct dhcpc){ .mac = mac };
	string_copy(c->hostname, hostname, sizeof(c->hostname));
	start(c, 0);
}

/* 4, 8, 16, 32, 64 seconds, each up to a second more or less. */
static uint64_t patience(struct dhcpc *c)
{
	uint32_t jitter;

	random_bytes(&jitter, sizeof(jitter));
	return (ASK_FIRST << u64_min(c->tries, ASK_DOUBLINGS)) - SECOND +
	       (uint64_t)jitter * 2 * SECOND / UINT32_MAX;
}

static enum dhcpc_way build(struct dhcpc *c, enum dhcp_type type, struct dhcp_out *o)
{
	static const uint8_t wanted[] = { DHCP_OPT_MASK,  DHCP_OPT_ROUTER, DHCP_OPT_DNS,
					  DHCP_OPT_LEASE, DHCP_OPT_T1,	   DHCP_OPT_T2 };
	struct dhcp_msg m = {
		.op = DHCP_OP_REQUEST,
		.type = (uint8_t)type,
		.xid = c->xid,
		.ciaddr = c->addr,
		.chaddr = c->mac,
	};

	dhcp_begin(o, &m);
	if (c->state == DHCPC_REQUESTING) {
		dhcp_put32(o, DHCP_OPT_REQUESTED, c->offered);
		dhcp_put32(o, DHCP_OPT_SERVER, c->server);
	}
	dhcp_put(o, DHCP_OPT_PARAMETERS, wanted, sizeof(wanted));
	if (c->hostname[0] != '\0') {
		dhcp_put(o, DHCP_OPT_HOSTNAME, c->hostname, (uint8_t)strlen(c->hostname));
	}
	dhcp_end(o);
	return c->state == DHCPC_RENEWING ? DHCPC_TO_SERVER : DHCPC_BROADCAST;
}

static enum dhcpc_way discover(struct dhcpc *c, uint64_t now, struct dhcp_out *o)
{
	random_bytes(&c->xid, sizeof(c->xid));
	c->began = now;
	c->next = now + patience(c);
	c->tries++;
	return build(c, DHCP_DISCOVER, o);
}

static enum dhcpc_way request(struct dhcpc *c, uint64_t now, struct dhcp_out *o)
{
	if (c->tries >= REQUEST_TRIES) {
		start(c, now);
		return discover(c, now, o);
	}
	c->next = now + patience(c);
	c->tries++;
	return build(c, DHCP_REQUEST, o);
}

/* 4.4.5: half of what is left until the next milestone, a minute at least. */
static enum dhcpc_way renew(struct dhcpc *c, uint64_t now, struct dhcp_out *o)
{
	uint64_t end = now < c->t2 ? c->t2 : c->expires;
	enum dhcpc_state state = now < c->t2 ? DHCPC_RENEWING : DHCPC_REBINDING;

	if (now >= c->expires) {
		start(c, now);
		return discover(c, now, o);
	}
	if (c->state == DHCPC_BOUND) {
		random_bytes(&c->xid, sizeof(c->xid));
	}
	c->state = (uint8_t)state;
	c->next = u64_min(end, now + u64_max(AGAIN, (end - now) / 2));
	return build(c, DHCP_REQUEST, o);
}

enum dhcpc_way dhcpc_tick(struct dhcpc *c, uint64_t now, struct dhcp_out *o)
{
	static enum dhcpc_way (*const due[])(struct dhcpc *, uint64_t, struct dhcp_out *) = {
		[DHCPC_SELECTING] = discover, [DHCPC_REQUESTING] = request, [DHCPC_BOUND] = renew,
		[DHCPC_RENEWING] = renew,     [DHCPC_REBINDING] = renew,
	};

	return now >= c->next ? due[c->state](c, now, o) : DHCPC_NOTHING;
}

/* An offer that could be used; the first one is taken. */
static bool on_offer(struct dhcpc *c, const struct dhcp_msg *m, uint64_t now)
{
	if (c->state == DHCPC_SELECTING && m->yiaddr != 0 && m->server != 0) {
		c->offered = m->yiaddr;
		c->server = m->server;
		c->state = DHCPC_REQUESTING;
		c->tries = 0;
		c->next = now;
	}
	return false;
}

/* T1 and T2 where they make sense, else as RFC 2131, 4.4.5 has them. */
static void set_times(struct dhcpc *c, const struct dhcp_msg *m, uint64_t now)
{
	uint64_t lease = u64_min(u64_max(m->lease, LEASE_MIN), LEASE_MAX);
	uint64_t t2 = m->t2 > 0 && m->t2 < lease ? m->t2 : lease * 7 / 8;
	uint64_t t1 = m->t1 > 0 && m->t1 < t2 ? m->t1 : t2 * 4 / 7;

	c->t1 = now + t1 * SECOND;
	c->t2 = now + t2 * SECOND;
	c->expires = now + lease * SECOND;
	c->next = c->t1;
}

static bool mask_is_valid(uint32_t mask)
{
	return mask != 0 && (~mask & (~mask + 1)) == 0;
}

static bool on_ack(struct dhcpc *c, const struct dhcp_msg *m, uint64_t now)
{
	if (c->state == DHCPC_SELECTING || c->state == DHCPC_BOUND || m->yiaddr == 0 ||
	    (c->state == DHCPC_REQUESTING && m->yiaddr != c->offered)) {
		return false;
	}
	c->addr = m->yiaddr;
	c->mask = mask_is_valid(m->mask) ? m->mask : 0xffffff00;
	c->router = ((m->router ^ c->addr) & c->mask) == 0 ? m->router : 0;
	c->dns = m->dns;
	c->server = m->server != 0 ? m->server : c->server;
	c->state = DHCPC_BOUND;
	c->tries = 0;
	set_times(c, m, now);
	return true;
}

static bool on_nak(struct dhcpc *c, const struct dhcp_msg *m, uint64_t now)
{
	bool had = c->addr != 0;

	if (c->state == DHCPC_SELECTING || c->state == DHCPC_BOUND || m->server != c->server) {
		return false;
	}
	start(c, now);
	c->next = now + SECOND; /* so that a server that refuses all is not flooded */
	return had;
}

bool dhcpc_input(struct dhcpc *c, const uint8_t *msg, size_t len, uint64_t now)
{
	struct dhcp_msg m;

	if (!dhcp_parse(msg, len, &m) || m.op != DHCP_OP_REPLY || m.xid != c->xid ||
	    m.chaddr != c->mac || c->tries + (c->state >= DHCPC_BOUND) == 0) {
		return false;
	}
	switch (m.type) {
	case DHCP_OFFER:
		return on_offer(c, &m, now);
	case DHCP_ACK:
		return on_ack(c, &m, now);
	case DHCP_NAK:
		return on_nak(c, &m, now);
	default:
		return false;
	}
}
