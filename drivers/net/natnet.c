/* SPDX-License-Identifier: BSD-2-Clause */
/* The gateway of a private segment: DHCP, DNS, ping for itself, and the way out. */
/* What is behind the outside address is hostif.c's. */
#include "drivers/net/natnet.h"
#include "drivers/net/icmp.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

static struct natnet *net_of(struct ipif *i)
{
	return container_of(i, struct natnet, inside);
}

/* ---- services ---- */

static void send_dhcp(struct natnet *n, enum dhcps_way way, const struct dhcps_reply *r,
		      uint64_t now)
{
	uint8_t frame[UDP_DATA + DHCP_MAX];
	uint32_t dst = way == DHCPS_BROADCAST ? IPV4_BROADCAST : r->ip;
	uint64_t mac = way == DHCPS_BROADCAST ? ETH_BROADCAST : r->mac;

	memcpy(frame + UDP_DATA, r->out.buf, r->out.len);
	ipv4_build_udp(frame, n->inside.addr, dst, DHCP_SERVER_PORT, DHCP_CLIENT_PORT, r->out.len);
	ipif_send_to(&n->inside, frame, UDP_DATA + r->out.len, now, mac);
}

static void dhcp_input(struct natnet *n, const uint8_t *frame, const uint8_t *msg, uint32_t len,
		       uint64_t now)
{
	struct dhcps_reply r;
	enum dhcps_way way;

	spin_lock(&n->lock);
	way = dhcps_input(&n->dhcp, msg, len, wire_get48(frame + ETH_SRC), now, &r);
	spin_unlock(&n->lock);
	if (way != DHCPS_NOTHING) {
		send_dhcp(n, way, &r, now);
	}
}

static void udp_input(struct natnet *n, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t *frame = ipif_linear(pkt);
	const uint8_t *data;
	uint32_t len;

	data = frame != NULL ? ipif_udp_data(frame, f, &len) : NULL;
	if (data != NULL && f->dport == DHCP_SERVER_PORT) {
		dhcp_input(n, frame, data, len, pkt->time);
	} else if (data != NULL && f->dport == DNS_PORT && f->dst == n->inside.addr) {
		hostif_dns_ask(n->host, n, f->src, f->sport, frame + (data - frame), len,
			       pkt->time);
	}
	heap_free(frame);
}

void natnet_dns_answer(struct natnet *n, uint32_t client, uint16_t port, const uint8_t *msg,
		       uint32_t len, uint64_t now)
{
	uint8_t *frame = heap_alloc(UDP_DATA + len);

	if (frame != NULL) {
		memcpy(frame + UDP_DATA, msg, len);
		ipv4_build_udp(frame, n->inside.addr, client, DNS_PORT, port, len);
		ipif_send_frame(&n->inside, frame, UDP_DATA + len, now, client);
	}
	heap_free(frame);
}

/* ---- error messages to guests ---- */

static void complain(struct natnet *n, const struct netpkt *pkt, const struct frame *f,
		     uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t frame[ICMP_ERROR_MAX];
	uint32_t len = icmp_build_error(frame, pkt, f, n->inside.addr, type, code, mtu);

	if (len != 0) {
		ipif_send_frame(&n->inside, frame, len, pkt->time, f->src);
	}
}

/* A packet longer than goes through at once, and not to be cut: RFC 1191. */
static bool too_long(const struct netpkt *pkt, const struct frame *f, uint32_t max_len)
{
	uint32_t longest = pkt->len;

	if (pkt->gso != NETPKT_GSO_NONE) {
		longest = gso_header_len(pkt) + pkt->gso_size;
		longest = pkt->len < longest ? pkt->len : longest;
	}
	return longest > max_len && (pkt->gso != NETPKT_GSO_NONE || (f->frag & IPV4_DF));
}

/* ---- out ---- */

/* A connection that there is no room or no sense for. */
static void refuse(struct natnet *n, const struct netpkt *pkt, const struct frame *f, int err)
{
	if (err == -ENOENT) { /* TCP in the middle of nothing: let it begin anew */
		ipif_answer(&n->inside, pkt, f);
		return;
	}
	__atomic_fetch_add(&n->prohibited, 1, __ATOMIC_RELAXED);
	complain(n, pkt, f, ICMP_UNREACHABLE, ICMP_PROHIBITED, 0);
}

/* Gives p its outside source. -ENOENT and so on as nat_outbound. */
static int translate_out(struct natnet *n, struct nat_packet *p)
{
	struct nat_tuple t = nat_packet_tuple(p, true);
	struct nat_target to;
	uint16_t port;
	int err;

	if (p->is_error) {
		err = nat_find_outbound(&n->realm, &t, &to);
		port = to.out_port;
	} else {
		err = nat_outbound(&n->realm, &t, p->pkt.time, &port);
	}
	if (err == 0) {
		nat_packet_set(p, NAT_SRC, n->host->outside.addr, port);
	}
	return err;
}

static bool send_out(struct natnet *n, const struct netpkt *pkt, const struct frame *f,
		     struct nat_packet *p)
{
	uint32_t max_len = n->host->outside.port.max_len;
	int err;

	if (!nat_packet_age(p)) {
		complain(n, pkt, f, ICMP_TIME_EXCEEDED, 0, 0);
		return true;
	}
	if (too_long(pkt, f, max_len)) {
		complain(n, pkt, f, ICMP_UNREACHABLE, ICMP_FRAG_NEEDED,
			 (uint16_t)(max_len - ETH_LEN));
		return true;
	}
	err = translate_out(n, p);
	if (err != 0) {
		if (!p->is_error) {
			refuse(n, pkt, f, err);
		}
		return true;
	}
	return hostif_output(n->host, p) == 0;
}

static bool route(struct natnet *n, const struct netpkt *pkt, const struct frame *f)
{
	struct nat_packet p;

	if (n->host->outside.addr == 0) {
		complain(n, pkt, f, ICMP_UNREACHABLE, 0, 0);
		return true;
	}
	if (!nat_packet_take(&p, pkt, f) || !nat_packet_may_go(&p, true)) {
		return true;
	}
	return send_out(n, pkt, f, &p);
}

static bool input(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	struct natnet *n = net_of(i);
	bool to_us = f->dst == i->addr;

	if (f->proto == IP_UDP && f->l4 != 0 && f->dport == DHCP_SERVER_PORT &&
	    (to_us || ipif_is_broadcast(i, f->dst))) {
		udp_input(n, pkt, f);
		return true;
	}
	if (((f->src ^ i->addr) & i->mask) != 0 || f->src == i->addr) {
		__atomic_fetch_add(&n->foreign, 1, __ATOMIC_RELAXED);
		return true;
	}
	if (to_us && f->proto == IP_UDP) {
		udp_input(n, pkt, f);
		return true;
	}
	if (to_us) {
		ipif_answer(i, pkt, f);
		return true;
	}
	/* Neighbours speak to each other themselves; groups are not routed. */
	if (((f->dst ^ i->addr) & i->mask) == 0 || f->dst >> 28 >= 14 || f->dst == 0 ||
	    f->dst >> 24 == 127 || (pkt->seg[0].base[ETH_DST] & 1)) {
		return true;
	}
	return route(n, pkt, f);
}

/* ---- in ---- */

uint64_t natnet_deliver(struct natnet *n, struct nat_packet *p)
{
	return ipif_forward(&n->inside, &p->pkt, p->head, p->f.dst);
}

static void resume(struct ipif *i)
{
	hostif_ready(net_of(i)->host);
}

/* ---- beginning and end ---- */

static const struct ipif_ops ops = { .input = input, .resume = resume };

int natnet_init(struct natnet *n, const char *name, uint64_t mac, struct hostif *host,
		const struct natnet_config *c)
{
	int err;

	memset(n, 0, sizeof(*n));
	err = dhcps_init(&n->dhcp, &c->dhcp);
	if (err < 0) {
		return err;
	}
	n->host = host;
	spin_init(&n->lock, LOCK_NET);
	ipif_init(&n->inside, name, mac, &ops);
	ipif_set_address(&n->inside, c->dhcp.addr, c->dhcp.mask, 0);
	nat_realm_init(&n->realm, &host->nat, n, c->connections);
	hostif_add(host, n);
	return 0;
}

void natnet_exit(struct natnet *n)
{
	hostif_remove(n->host, n);
	nat_realm_exit(&n->realm);
	ipif_exit(&n->inside);
	dhcps_exit(&n->dhcp);
}

void natnet_tick(struct natnet *n, uint64_t now)
{
	ipif_tick(&n->inside, now);
	while (nat_tick(&n->realm, now)) {
		thread_checkpoint();
	}
}

int natnet_forward_add(struct natnet *n, uint8_t proto, uint16_t out_port, uint32_t in_ip,
		       uint16_t in_port)
{
	if (((in_ip ^ n->inside.addr) & n->inside.mask) != 0 || in_ip == n->inside.addr) {
		return -EINVAL;
	}
	return nat_forward_add(&n->realm, proto, out_port, in_ip, in_port);
}

int natnet_forward_remove(struct natnet *n, uint8_t proto, uint16_t out_port)
{
	return nat_forward_remove(&n->realm, proto, out_port);
}

uint32_t natnet_reserve(struct natnet *n, uint64_t mac, uint32_t want)
{
	uint32_t ip;

	spin_lock(&n->lock);
	ip = dhcps_reserve(&n->dhcp, mac, want);
	spin_unlock(&n->lock);
	return ip;
}

void natnet_unreserve(struct natnet *n, uint64_t mac)
{
	spin_lock(&n->lock);
	dhcps_unreserve(&n->dhcp, mac);
	spin_unlock(&n->lock);
}

/* [L] Copies the lease at *cursor that is in use, and moves on. */
static bool next_lease(const struct natnet *n, unsigned int *cursor, uint64_t now,
		       struct dhcps_lease *out)
{
	bool found = false;

	while (!found && *cursor < n->dhcp.leases) {
		const struct dhcps_lease *l = &n->dhcp.lease[(*cursor)++];

		found = dhcps_is_used(l, now) && l->state == DHCPS_BOUND;
		*out = *l;
	}
	return found;
}

bool natnet_next_lease(struct natnet *n, unsigned int *cursor, uint64_t now,
		       struct dhcps_lease *out)
{
	bool found;

	spin_lock(&n->lock);
	found = next_lease(n, cursor, now, out);
	spin_unlock(&n->lock);
	return found;
}

/* What takes the place of n's DHCP server is that one's then. */
static int replace(struct natnet *n, struct dhcps *fresh, uint64_t now)
{
	struct dhcps old = n->dhcp;
	struct dhcps_lease lease;
	unsigned int cursor = 0;

	if (next_lease(n, &cursor, now, &lease) || n->dhcp.c.hosts != n->dhcp.configured) {
		return -EBUSY;
	}
	n->dhcp = *fresh;
	*fresh = old;
	return 0;
}

int natnet_move(struct natnet *n, const struct dhcps_config *c, uint64_t now)
{
	struct dhcps *fresh = heap_alloc(sizeof(*fresh));
	int err = fresh != NULL ? dhcps_init(fresh, c) : -ENOMEM;

	if (err == 0) {
		spin_lock(&n->lock);
		err = replace(n, fresh, now);
		spin_unlock(&n->lock);
		dhcps_exit(fresh);
	}
	if (err == 0) {
		ipif_set_address(&n->inside, c->addr, c->mask, 0);
	}
	heap_free(fresh);
	return err;
}
