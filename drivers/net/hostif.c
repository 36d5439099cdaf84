/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own address on an uplink: what comes in is for a segment behind the NAT, for our DHCP client, */
/* for our DNS forwarder, a ping, or the answer to one of ours. */
#include "drivers/net/hostif.h"
#include "drivers/net/icmp.h"
#include "drivers/net/natnet.h"
#include "drivers/net/netswitch.h"
#include "drivers/net/ping.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define UDP_SEND_MAX (UDP_DATA + DNS_MAX)

static struct hostif *host_of(struct ipif *i)
{
	return container_of(i, struct hostif, outside);
}

/* ---- DHCP client ---- */

/* The address is known before anybody is told that it is: ipif's lock is another one. */
static void apply_address(struct hostif *h, uint64_t now)
{
	uint32_t addr, mask, router;

	spin_lock(&h->lock);
	addr = h->dhcpc.addr;
	mask = h->dhcpc.mask;
	router = h->dhcpc.router;
	spin_unlock(&h->lock);
	if (addr == h->outside.addr && mask == h->outside.mask && router == h->outside.router) {
		return;
	}
	ipif_set_address(&h->outside, addr, mask, router);
	if (h->outside.port.sw != NULL) {
		netswitch_set_host(h->outside.port.sw, addr);
	}
	ipif_announce(&h->outside, now);
}

static void dhcp_input(struct hostif *h, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t *frame = ipif_linear(pkt);
	const uint8_t *msg;
	uint32_t len;
	bool news = false;

	msg = frame != NULL ? ipif_udp_data(frame, f, &len) : NULL;
	if (msg != NULL) {
		spin_lock(&h->lock);
		news = dhcpc_input(&h->dhcpc, msg, len, pkt->time);
		spin_unlock(&h->lock);
	}
	heap_free(frame);
	if (news) {
		apply_address(h, pkt->time);
	}
}

static void dhcp_tick(struct hostif *h, uint64_t now)
{
	uint8_t frame[UDP_DATA + DHCP_MAX];
	struct dhcp_out out;
	enum dhcpc_way way;
	uint32_t src, dst;

	spin_lock(&h->lock);
	way = dhcpc_tick(&h->dhcpc, now, &out);
	src = h->dhcpc.addr;
	dst = way == DHCPC_TO_SERVER ? h->dhcpc.server : IPV4_BROADCAST;
	spin_unlock(&h->lock);
	apply_address(h, now);
	if (way != DHCPC_NOTHING) {
		memcpy(frame + UDP_DATA, out.buf, out.len);
		ipv4_build_udp(frame, src, dst, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, out.len);
		ipif_send_frame(&h->outside, frame, UDP_DATA + out.len, now, dst);
	}
}

/* ---- DNS forwarder ---- */

static uint32_t dns_server(const struct hostif *h)
{
	return h->c.dns != 0 ? h->c.dns : h->dhcpc.dns;
}

static void end_query(struct hostif *h, uint16_t port)
{
	nat_host_port_free(&h->nat, IP_UDP, port);
}

/* Records the query and returns the server's address; 0: it goes nowhere. */
static uint32_t record_query(struct hostif *h, struct natnet *net, uint32_t client,
			     uint16_t client_port, uint16_t port, uint8_t *msg, uint32_t len,
			     uint64_t now)
{
	struct dns_query *q;
	uint32_t server;

	spin_lock(&h->lock);
	server = dns_server(h);
	q = server != 0 ? dns_ask(&h->dns, net, client, client_port, msg, len, now) : NULL;
	if (q != NULL) {
		q->port = port;
	}
	spin_unlock(&h->lock);
	return q != NULL ? server : 0;
}

void hostif_dns_ask(struct hostif *h, struct natnet *net, uint32_t client, uint16_t client_port,
		    uint8_t *msg, uint32_t len, uint64_t now)
{
	uint8_t *frame;
	uint32_t server;
	uint16_t port;

	if (len > DNS_MAX || h->outside.addr == 0 || nat_host_port(&h->nat, IP_UDP, 0, &port) < 0) {
		return;
	}
	server = record_query(h, net, client, client_port, port, msg, len, now);
	frame = server != 0 ? heap_alloc(UDP_SEND_MAX) : NULL;
	if (server == 0) {
		end_query(h, port);
	} else if (frame != NULL) { /* else it times out */
		memcpy(frame + UDP_DATA, msg, len);
		ipv4_build_udp(frame, h->outside.addr, server, port, DNS_PORT, len);
		ipif_send_frame(&h->outside, frame, UDP_DATA + len, now, server);
	}
	heap_free(frame);
}

/* Ends the query; its segment stays until the caller gives it back. */
static struct natnet *take_answer(struct hostif *h, uint16_t port, uint8_t *msg, uint32_t len,
				  uint64_t now, struct dns_query *q)
{
	struct dns_query *found;

	spin_lock(&h->lock);
	found = dns_answer(&h->dns, port, msg, len, now);
	if (found != NULL) {
		*q = *found;
		dns_end(found);
		nat_realm_use(&((struct natnet *)q->owner)->realm);
	}
	spin_unlock(&h->lock);
	return found != NULL ? q->owner : NULL;
}

/* RFC 5452, 9.1: also from where the query went. */
static void dns_input(struct hostif *h, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t *frame;
	const uint8_t *data;
	struct natnet *net;
	struct dns_query q;
	uint32_t len;

	if (f->src != dns_server(h) || f->sport != DNS_PORT) {
		return;
	}
	frame = ipif_linear(pkt);
	data = frame != NULL ? ipif_udp_data(frame, f, &len) : NULL;
	net = data != NULL ? take_answer(h, f->dport, frame + (data - frame), len, pkt->time, &q)
			   : NULL;
	if (net != NULL) {
		end_query(h, q.port);
		natnet_dns_answer(net, q.client, q.client_port, data, len, pkt->time);
		nat_realm_unuse(&net->realm);
	}
	heap_free(frame);
}

/* Ends one query: that is too old, or (now 0) that is of net. False: there is none. */
static bool drop_query(struct hostif *h, uint64_t now, const struct natnet *net)
{
	struct dns_query *q;
	uint16_t port = 0;

	spin_lock(&h->lock);
	q = net != NULL ? dns_of(&h->dns, net) : dns_late(&h->dns, now);
	if (q != NULL) {
		port = q->port;
		dns_end(q);
	}
	spin_unlock(&h->lock);
	if (q != NULL) {
		end_query(h, port);
	}
	return q != NULL;
}

/* ---- packets ---- */

/* What no segment claims. True always: the host's own packets are not waited for. */
static bool local_input(struct hostif *h, const struct netpkt *pkt, const struct frame *f)
{
	if (f->proto == IP_UDP && f->l4 != 0) {
		dns_input(h, pkt, f);
	} else if (f->proto == IP_ICMP && f->l4 != 0 && f->dst == h->outside.addr) {
		if (pkt->seg[0].base[f->l4] == ICMP_ECHO_REPLY) {
			ping_input(h, pkt, f);
		} else {
			ipif_answer(&h->outside, pkt, f);
		}
	}
	return true;
}

static uint64_t deliver(struct nat_packet *p, const struct nat_target *to)
{
	uint64_t wait = 0;

	if (nat_packet_age(p)) {
		nat_packet_set(p, NAT_DST, to->in_ip, to->in_port);
		wait = natnet_deliver(to->realm->owner, p);
	}
	nat_realm_unuse(to->realm);
	return wait;
}

/* Value as netport_send's. */
static uint64_t inbound(struct hostif *h, struct nat_packet *p)
{
	struct nat_tuple t = nat_packet_tuple(p, false);
	struct nat_target to;
	int err = -ENOENT;

	if (p->is_error) {
		err = nat_find_inbound(&h->nat, &t, &to);
	} else if (nat_packet_may_go(p, false)) {
		err = nat_inbound(&h->nat, &t, p->pkt.time, &to);
	}
	if (err == 0 && to.realm != NULL) {
		return deliver(p, &to);
	}
	if (err == 0 || err == -ENOENT) {
		local_input(h, &p->pkt, &p->f);
	}
	return 0;
}

static bool input(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	struct hostif *h = host_of(i);
	struct nat_packet p;

	if (f->proto == IP_UDP && f->l4 != 0 && f->dport == DHCP_CLIENT_PORT) {
		if (h->c.addr == 0) {
			dhcp_input(h, pkt, f);
		}
		return true;
	}
	if (i->addr == 0 || f->dst != i->addr || (pkt->seg[0].base[ETH_DST] & 1) ||
	    !nat_packet_take(&p, pkt, f)) {
		return true;
	}
	return inbound(h, &p) == 0;
}

uint64_t hostif_output(struct hostif *h, struct nat_packet *p)
{
	if (p->f.dst == h->outside.addr) { /* hairpin: RFC 4787, REQ-9 */
		return inbound(h, p);
	}
	return ipif_forward(&h->outside, &p->pkt, p->head, p->f.dst);
}

/* ---- segments ---- */

/* The n-th segment, in use; NULL: there are fewer. */
static struct natnet *nth_net(struct hostif *h, unsigned int n)
{
	struct list_node *it;
	struct natnet *net = NULL;

	spin_lock(&h->lock);
	list_for_each (it, &h->nets) {
		if (n-- == 0) {
			net = container_of(it, struct natnet, node);
			nat_realm_use(&net->realm);
			break;
		}
	}
	spin_unlock(&h->lock);
	return net;
}

/* The uplink has room: whoever sent through a gateway may go on. */
static void resume(struct ipif *i)
{
	struct natnet *net;

	for (unsigned int n = 0; (net = nth_net(host_of(i), n)) != NULL; n++) {
		netport_ready(&net->inside.port);
		nat_realm_unuse(&net->realm);
	}
}

void hostif_ready(struct hostif *h)
{
	netport_ready(&h->outside.port);
}

void hostif_add(struct hostif *h, struct natnet *net)
{
	spin_lock(&h->lock);
	list_push_back(&h->nets, &net->node);
	spin_unlock(&h->lock);
}

void hostif_remove(struct hostif *h, struct natnet *net)
{
	spin_lock(&h->lock);
	list_remove(&net->node);
	spin_unlock(&h->lock);
	while (drop_query(h, 0, net)) {
	}
}

/* ---- beginning and end ---- */

static void conflict(struct ipif *i, uint64_t mac)
{
	(void)mac;
	__atomic_fetch_add(&host_of(i)->conflicts, 1, __ATOMIC_RELAXED);
}

static const struct ipif_ops ops = { .input = input, .resume = resume, .conflict = conflict };

int hostif_init(struct hostif *h, const char *name, uint64_t mac, const struct hostif_config *c)
{
	memset(h, 0, sizeof(*h));
	h->c = *c;
	spin_init(&h->lock, LOCK_NET);
	list_init(&h->nets);
	list_init(&h->pings);
	ipif_init(&h->outside, name, mac, &ops);
	dhcpc_init(&h->dhcpc, mac, c->hostname);
	if (c->addr != 0) {
		ipif_set_address(&h->outside, c->addr, c->mask, c->router);
	}
	return nat_init(&h->nat, c->nat_buckets, c->nat_most);
}

void hostif_exit(struct hostif *h)
{
	ipif_exit(&h->outside);
	nat_exit(&h->nat);
}

void hostif_tick(struct hostif *h, uint64_t now)
{
	if (h->c.addr == 0) {
		dhcp_tick(h, now);
	}
	ipif_tick(&h->outside, now);
	while (drop_query(h, now, NULL)) {
	}
}
