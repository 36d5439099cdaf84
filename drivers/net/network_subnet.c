/* SPDX-License-Identifier: BSD-2-Clause */
/* Chooses the subnets of private segments, and changes them when the host's own network has the same. */
/* Says nothing to guests: who has no lease yet gets one that is right. */
#include "drivers/net/network_subnet.h"
#include "drivers/net/network_forward.h"
#include "drivers/net/uplink.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

/* The host's side; NULL: there is none, so that nothing collides. */
static const struct ipif *outside_of(const struct network *net)
{
	return net->uplink != NULL && net->uplink->host != NULL ? &net->uplink->host->outside
								: NULL;
}

static struct network_subnet choose(const struct network *net)
{
	const struct ipif *out = outside_of(net);

	return out != NULL ? network_config_subnet(&net->c, out->addr, out->mask)
			   : network_config_subnet(&net->c, 0, 0);
}

struct network_subnet network_subnet(const struct network *net)
{
	return net->segment != NULL && net->segment->gateway != NULL ? net->segment->subnet
								     : choose(net);
}

/* The first address is the gateway's; the others, as many as there may be, its leases. */
int network_subnet_dhcp(const struct network *net, struct network_subnet sub,
			struct dhcps_config *c)
{
	uint32_t mask = network_mask(&sub);

	if (sub.prefix < NETWORK_PREFIX_MIN || sub.prefix > NETWORK_PREFIX_MAX) {
		return -EINVAL;
	}
	c->addr = (sub.addr & mask) + 1;
	c->mask = mask;
	c->first = c->addr + 1;
	c->last = (uint32_t)u64_min((sub.addr | ~mask) - 1, c->addr + DHCPS_RANGE_MAX);
	c->lease = net->c.lease / 1000;
	return 0;
}

/* ---- a collision ---- */

typedef void port_fn(struct network_segment *s, const struct netport *p);

static void each_port(struct network_segment *s, port_fn *fn)
{
	unsigned int cursor = 0;
	struct netswitch_port copy;

	while (netswitch_next_port(&s->sw, &cursor, &copy)) {
		struct netport *p = netswitch_hold_port(&s->sw, copy.name);

		if (p != NULL) {
			fn(s, p);
			netswitch_release_port(p);
		}
	}
}

/* Forwards are closed meanwhile. -EBUSY: an address came to be in use. */
static int move(struct network_segment *s, struct network_subnet to, uint64_t now)
{
	struct dhcps_config *c = heap_alloc(sizeof(*c));
	int err = c != NULL ? network_subnet_dhcp(s->net, to, c) : -ENOMEM;

	each_port(s, network_forward_unplug);
	err = err != 0 ? err : natnet_move(s->gateway, c, now);
	if (err == 0) {
		s->subnet = to;
		log_printf(LOG_HOST, "net %s: other addresses, for the network at %s has those",
			   s->net->c.name, s->net->uplink->nic->name);
	}
	each_port(s, network_forward_plug);
	heap_free(c);
	return err;
}

/* Has a guest an address, from here or brought with it from elsewhere? */
static bool is_leased(struct network_segment *s, uint64_t now)
{
	struct dhcps_lease lease;
	struct netswitch_port p;
	unsigned int cursor = 0, ports = 0;
	bool leased = natnet_next_lease(s->gateway, &cursor, now, &lease);

	while (!leased && netswitch_next_port(&s->sw, &ports, &p)) {
		leased = p.leased != 0;
	}
	return leased;
}

static void say(struct network_segment *s, const char *what)
{
	if (!s->collides) {
		log_printf(LOG_HOST,
			   "net %s: the network at %s has its addresses, too: guests do not reach "
			   "those there; %s",
			   s->net->c.name, s->net->uplink->nic->name, what);
	}
	s->collides = true;
}

void network_subnet_keep_apart(struct network_segment *s, uint64_t now)
{
	const struct ipif *out = outside_of(s->net);
	struct network_subnet to;

	if (out == NULL || out->addr == 0 || !network_overlaps(&s->subnet, out->addr, out->mask)) {
		s->collides = false;
		return;
	}
	to = choose(s->net);
	if (to.addr == s->subnet.addr) {
		say(s, "subnet = ... gives it others");
	} else if (is_leased(s, now)) {
		say(s, "it gets others when no guest has one");
	} else {
		move(s, to, now);
	}
}
