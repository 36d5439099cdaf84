/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks by name, and the segments that they are made of. */
/* How a switch forwards and what a gateway does is netswitch.c's and natnet.c's. */
#include "drivers/net/network.h"
#include "drivers/net/network_forward.h"
#include "drivers/net/network_subnet.h"
#include "drivers/net/uplink.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define ADDRESSES     1024u	       /* a shared segment's table */
#define ADDRESSES_NAT 16u	       /* one guest's */
#define GATEWAY_MAC   0x02494e530001ul /* the same on each segment: they never meet */
#define NOWHERE_NAT   16u

static struct spinlock lock = SPINLOCK_INIT(LOCK_NET);
static struct list_node networks = { &networks, &networks }; /* [lock] */
static struct list_node segments = { &segments, &segments }; /* [lock] */
static uint64_t last_id;				     /* [lock] */
static struct hostif *nowhere; /* the host's side of networks without an uplink: no address ever */

/* ---- segments ---- */

static int make_gateway(struct network_segment *s, const struct network *net)
{
	struct hostif *host = net->uplink != NULL ? net->uplink->host : nowhere;
	struct natnet_config *n = heap_alloc(sizeof(*n));
	int err = n != NULL ? network_subnet_dhcp(net, s->subnet, &n->dhcp) : -ENOMEM;

	s->gateway = err == 0 ? heap_alloc(sizeof(*s->gateway)) : NULL;
	if (s->gateway == NULL) {
		heap_free(n);
		return err != 0 ? err : -ENOMEM;
	}
	n->connections = NETWORK_NAT_MOST;
	err = natnet_init(s->gateway, "gateway", GATEWAY_MAC, host, n);
	heap_free(n);
	if (err != 0) {
		heap_free(s->gateway);
		s->gateway = NULL;
		return err;
	}
	return netswitch_attach(&s->sw, &s->gateway->inside.port);
}

static void destroy(struct network_segment *s)
{
	if (s->gateway != NULL) {
		if (s->gateway->inside.port.sw != NULL) {
			netswitch_detach(&s->gateway->inside.port);
		}
		natnet_exit(s->gateway);
		heap_free(s->gateway);
	}
	netswitch_exit(&s->sw);
	heap_free(s);
}

void network_publish(struct network_segment *s)
{
	spin_lock(&lock);
	s->id = ++last_id;
	list_push_back(&segments, &s->node);
	spin_unlock(&lock);
}

/* Takes it out of every walk before it is taken apart. */
static void retract(struct network_segment *s)
{
	spin_lock(&lock);
	list_remove(&s->node);
	spin_unlock(&lock);
	while (__atomic_load_n(&s->users, __ATOMIC_ACQUIRE) != 0) {
		thread_yield();
	}
}

static int make_segment(const struct network *net, struct network_segment **out)
{
	uint32_t addresses = net->c.mode == NETWORK_NAT ? ADDRESSES_NAT : ADDRESSES;
	struct network_segment *s = heap_alloc(sizeof(*s));
	int err;

	if (s == NULL) {
		return -ENOMEM;
	}
	s->net = net;
	s->subnet = network_subnet(net);
	err = netswitch_init(&s->sw, net->c.name, addresses);
	thread_checkpoint();
	if (err == 0 && net->c.mode != NETWORK_INTERNAL) {
		err = make_gateway(s, net);
	}
	if (err != 0) {
		destroy(s);
		return err;
	}
	network_publish(s);
	*out = s;
	return 0;
}

struct network_segment *network_next_segment(struct network_segment *prev)
{
	struct network_segment *next = NULL;
	struct list_node *it;

	spin_lock(&lock);
	list_for_each (it, &segments) {
		struct network_segment *s = container_of(it, struct network_segment, node);

		if (prev == NULL || s->id > prev->id) {
			__atomic_fetch_add(&s->users, 1, __ATOMIC_RELAXED);
			next = s;
			break;
		}
	}
	spin_unlock(&lock);
	if (prev != NULL) {
		network_segment_unuse(prev);
	}
	return next;
}

void network_segment_unuse(struct network_segment *s)
{
	__atomic_fetch_sub(&s->users, 1, __ATOMIC_RELEASE);
}

/* ---- networks ---- */

const struct network *network_next(const struct network *prev)
{
	struct list_node *it;

	spin_lock(&lock);
	it = prev != NULL ? prev->node.next : networks.next;
	spin_unlock(&lock);
	return it != &networks ? container_of(it, struct network, node) : NULL;
}

const struct network *network_find(const char *name)
{
	const struct network *net = NULL;

	while ((net = network_next(net)) != NULL && strcmp(net->c.name, name) != 0) {
	}
	return net;
}

/* What gateways without an uplink have behind them; made when the first network is. */
static int make_nowhere(void)
{
	const struct hostif_config c = { .nat_buckets = NOWHERE_NAT, .nat_most = NOWHERE_NAT };
	int err;

	if (nowhere != NULL) {
		return 0;
	}
	nowhere = heap_alloc(sizeof(*nowhere));
	err = nowhere != NULL ? hostif_init(nowhere, "nowhere", GATEWAY_MAC + 1, &c) : -ENOMEM;
	if (err != 0) {
		heap_free(nowhere);
		nowhere = NULL;
	}
	return err;
}

/* What the mode wants of it: the host's address, or all of its packets. */
static int use_uplink(struct network *net)
{
	struct uplink *u = net->uplink;

	if (u == NULL) {
		return net->c.uplink[0] == '\0' ? 0 : -ENODEV;
	}
	if (net->c.mode != NETWORK_BRIDGE) {
		return uplink_need_host(u);
	}
	u->ops->set_promiscuous(u->nic, true);
	net->segment = &u->segment;
	return 0;
}

static int make(struct network *net)
{
	int err;

	net->uplink = uplink_find(net->c.uplink);
	err = use_uplink(net);
	if (err == 0 && (net->c.mode == NETWORK_INTERNAL || net->c.mode == NETWORK_NATNET)) {
		err = make_segment(net, &net->segment);
	}
	return err;
}

int network_create(const struct network_config *c)
{
	struct network *net;
	int err;

	if (network_find(c->name) != NULL) {
		return -EEXIST;
	}
	err = make_nowhere();
	net = heap_alloc(sizeof(*net));
	if (err != 0 || net == NULL) {
		heap_free(net);
		return -ENOMEM;
	}
	net->c = *c;
	err = make(net);
	if (err != 0) {
		heap_free(net);
		return err;
	}
	spin_lock(&lock);
	list_push_back(&networks, &net->node);
	spin_unlock(&lock);
	return 0;
}

void network_tick(uint64_t now)
{
	struct network_segment *s = NULL;

	while ((s = network_next_segment(s)) != NULL) {
		netswitch_tick(&s->sw, now);
		thread_checkpoint();
		if (s->gateway != NULL) {
			network_subnet_keep_apart(s, now);
			natnet_tick(s->gateway, now);
			thread_checkpoint();
		}
	}
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		network_forward_tick((struct network *)n);
	}
	uplink_tick(now);
}

/* ---- ports ---- */

/* What its guest could do harm with: RFC 2131 servers of its own where we are the server, too. */
static const uint8_t guards[] = {
	[NETWORK_INTERNAL] = NETGUARD_MAC,
	[NETWORK_NATNET] = NETGUARD_ALL,
	[NETWORK_NAT] = NETGUARD_ALL,
	[NETWORK_BRIDGE] =
		NETGUARD_MAC | NETGUARD_SERVER, /* addresses are the network's beyond to give */
};

int netport_plug(struct netport *p, const char *network)
{
	const struct network *net = network_find(network);
	struct network_segment *s = net != NULL ? net->segment : NULL;
	int err = net != NULL ? 0 : -ENOENT;

	if (err == 0 && s == NULL) {
		err = make_segment(net, &s);
	}
	if (err != 0) {
		return err;
	}
	p->guard.flags = p->policy & NETPORT_SPOOFS ? 0 : guards[net->c.mode];
	p->max_len = net->c.mtu + NETPORT_MTU_TO_LEN;
	err = netswitch_attach(&s->sw, p);
	if (err == 0) {
		network_forward_plug(s, p);
	} else if (net->segment == NULL) {
		retract(s);
		destroy(s);
	}
	return err;
}

static struct network_segment *segment_of(struct netport *p)
{
	return container_of(p->sw, struct network_segment, sw);
}

void netport_unplug(struct netport *p)
{
	struct network_segment *s = segment_of(p);

	netswitch_detach(p);
	network_forward_unplug(s, p);
	if (s->net != NULL && s->net->segment == NULL) {
		retract(s);
		destroy(s);
	}
}

void netport_set_rate(struct netport *p, uint64_t rate, uint64_t now)
{
	netswitch_set_rates(p, rate, rate, now);
}

uint32_t netport_leased(const struct netport *p)
{
	return __atomic_load_n(&p->guard.leased, __ATOMIC_RELAXED);
}

void netport_set_leased(struct netport *p, uint32_t ip)
{
	struct network_segment *s = segment_of(p);
	const struct dhcps_config *c = s->gateway != NULL ? &s->gateway->dhcp.c : NULL;

	if (c != NULL && ip >= c->first && ip <= c->last) { /* not the gateway's, above all */
		netswitch_set_leased(p, ip);
		network_forward_move(s, p, ip);
	}
}
