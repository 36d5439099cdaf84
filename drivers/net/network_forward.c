/* SPDX-License-Identifier: BSD-2-Clause */
/* Which forwards of a network are open where: they come and go with their VM's first NIC on it. */
/* Opens a port only after the VM's address is reserved, and with no lock held. */
#include "drivers/net/network_forward.h"
#include "drivers/net/uplink.h"
#include "drivers/net/wire.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

static struct spinlock lock = SPINLOCK_INIT(LOCK_NET); /* c.forward and open of all networks */

/* [lock] Its place; -1: there is none. */
static int find(const struct network *net, uint8_t proto, uint16_t out_port)
{
	for (unsigned int i = 0; i < net->c.forwards; i++) {
		if (net->c.forward[i].proto == proto && net->c.forward[i].out_port == out_port) {
			return (int)i;
		}
	}
	return -1;
}

/* "web1.0" is web1's; "web1.x.0" is another's. */
static bool is_port_of(const char *port, const char *vm)
{
	size_t len = strlen(vm);

	if (strncmp(port, vm, len) != 0 || port[len] != '.') {
		return false;
	}
	for (port += len + 1; *port >= '0' && *port <= '9'; port++) {
	}
	return *port == '\0';
}

/* ---- opening and closing one ---- */

/* [lock] Does f of net lead to that NIC at s? Its place, or -1. */
static int find_open(const struct network *net, const struct network_forward *f,
		     const struct network_segment *s, uint64_t mac)
{
	int i = find(net, f->proto, f->out_port);

	return i >= 0 && net->open[i].segment == s && net->open[i].mac == mac ? i : -1;
}

static int open_at(struct natnet *gateway, const struct network_forward *f, uint64_t mac,
		   uint32_t want)
{
	uint32_t ip = natnet_reserve(gateway, mac, want);

	return ip != 0 ? natnet_forward_add(gateway, f->proto, f->out_port, ip, f->in_port)
		       : -ENOSPC;
}

/* What was claimed for that NIC; if it was removed meanwhile, or fails, it is undone. */
static int open_claimed(struct network *net, const struct network_forward *f,
			struct network_segment *s, uint64_t mac, uint32_t want)
{
	int err = open_at(s->gateway, f, mac, want);
	int i;

	spin_lock(&lock);
	i = find_open(net, f, s, mac);
	if (i >= 0 && err != 0) {
		net->open[i].segment = NULL;
	}
	spin_unlock(&lock);
	if (i < 0 && err == 0) {
		natnet_forward_remove(s->gateway, f->proto, f->out_port);
	}
	return err;
}

/* A NIC that is plugged in. */
struct nic {
	struct network_segment *segment;
	const char *port;
	uint64_t mac;
};

static bool is_same(const struct network_forward *a, const struct network_forward *b)
{
	return a->proto == b->proto && a->out_port == b->out_port;
}

/*
 * The first forward to that NIC, from *place on, that is not open is claimed and copied; `only`: NULL, or
 * none but that one. False: there is none.
 */
static bool claim(struct network *net, const struct nic *nic, const struct network_forward *only,
		  unsigned int *place, struct network_forward *out)
{
	bool found = false;

	spin_lock(&lock);
	for (unsigned int i = *place; i < net->c.forwards && !found; i++) {
		const struct network_forward *f = &net->c.forward[i];

		found = net->open[i].segment == NULL && is_port_of(nic->port, f->vm) &&
			(only == NULL || is_same(f, only));
		if (found) {
			net->open[i] = (struct network_open){ nic->segment, nic->mac, 0 };
			*out = *f;
			*place = i;
		}
	}
	spin_unlock(&lock);
	return found;
}

static int open_all(struct network *net, const struct nic *nic, const struct network_forward *only)
{
	struct network_forward f;
	unsigned int i = 0;
	int err = 0;

	for (; claim(net, nic, only, &i, &f); i++) {
		int e = open_claimed(net, &f, nic->segment, nic->mac, 0);

		if (e != 0) {
			log_printf(LOG_HOST, "net %s: %s port %u of the host cannot lead to %s: %s",
				   net->c.name, f.proto == IP_TCP ? "tcp" : "udp", f.out_port, f.vm,
				   errno_text(e));
			err = e;
		}
		thread_checkpoint();
	}
	return err;
}

/* ---- NICs come and go ---- */

static struct network *forwards_of(const struct network_segment *s)
{
	return s->net != NULL && s->gateway != NULL ? (struct network *)s->net : NULL;
}

void network_forward_plug(struct network_segment *s, const struct netport *p)
{
	struct network *net = forwards_of(s);

	if (net != NULL) {
		open_all(net, &(struct nic){ s, p->name, wire_get48(p->mac) }, NULL);
	}
}

/* The next one at or behind *i that leads to that NIC is copied, and claimed no more. */
static bool close_next(struct network *net, const struct nic *nic, unsigned int *i,
		       struct network_forward *out)
{
	bool found = false;

	spin_lock(&lock);
	for (; !found && *i < net->c.forwards; ++*i) {
		found = net->open[*i].segment == nic->segment && net->open[*i].mac == nic->mac &&
			is_port_of(nic->port, net->c.forward[*i].vm);
		if (found) {
			*out = net->c.forward[*i];
			net->open[*i].segment = NULL;
		}
	}
	spin_unlock(&lock);
	return found;
}

void network_forward_unplug(struct network_segment *s, const struct netport *p)
{
	const struct nic nic = { s, p->name, wire_get48(p->mac) };
	struct network *net = forwards_of(s);
	struct network_forward f;
	unsigned int i = 0;

	while (net != NULL && close_next(net, &nic, &i, &f)) {
		natnet_forward_remove(s->gateway, f.proto, f.out_port);
	}
	if (net != NULL) {
		natnet_unreserve(s->gateway, nic.mac);
	}
}

/* ---- a VM has another address ---- */

void network_forward_move(struct network_segment *s, const struct netport *p, uint32_t ip)
{
	struct network *net = forwards_of(s);
	uint64_t mac = wire_get48(p->mac);

	spin_lock(&lock);
	for (unsigned int i = 0; net != NULL && i < net->c.forwards; i++) {
		if (net->open[i].segment == s && net->open[i].mac == mac) {
			net->open[i].want = ip;
		}
	}
	spin_unlock(&lock);
}

/* Copies one that must move; its segment stays until the caller gives it back. */
static bool next_move(struct network *net, struct network_forward *f, struct network_open *open)
{
	bool found = false;

	spin_lock(&lock);
	for (unsigned int i = 0; !found && i < net->c.forwards; i++) {
		found = net->open[i].segment != NULL && net->open[i].want != 0;
		if (found) {
			*f = net->c.forward[i];
			*open = net->open[i];
			net->open[i].want = 0;
			__atomic_fetch_add(&open->segment->users, 1, __ATOMIC_RELAXED);
		}
	}
	spin_unlock(&lock);
	return found;
}

void network_forward_tick(struct network *net)
{
	struct network_forward f;
	struct network_open o;

	while (next_move(net, &f, &o)) {
		natnet_forward_remove(o.segment->gateway, f.proto, f.out_port);
		if (open_claimed(net, &f, o.segment, o.mac, o.want) != 0) {
			log_printf(LOG_HOST, "net %s: port %u of the host leads to %s no more",
				   net->c.name, f.out_port, f.vm);
		}
		network_segment_unuse(o.segment);
	}
}

/* ---- by command ---- */

/* [lock] Does another lead to that port of the VM's, open or not? */
static bool is_led_to(const struct network *net, const struct network_forward *f)
{
	for (unsigned int i = 0; i < net->c.forwards; i++) {
		const struct network_forward *o = &net->c.forward[i];

		if (o->proto == f->proto && o->in_port == f->in_port && strcmp(o->vm, f->vm) == 0) {
			return true;
		}
	}
	return false;
}

/* Has a network of the same uplink, whose address it is, that port of the host's, open or not? */
static bool is_taken(const struct network *net, const struct network_forward *f)
{
	bool taken = false;

	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		spin_lock(&lock);
		taken |= n->uplink == net->uplink && find(n, f->proto, f->out_port) >= 0;
		spin_unlock(&lock);
	}
	return taken;
}

static int append(struct network *net, const struct network_forward *f)
{
	int err = 0;

	if (is_taken(net, f)) {
		return -EEXIST;
	}
	spin_lock(&lock);
	if (is_led_to(net, f)) {
		err = -EBUSY;
	} else if (net->c.forwards == NETWORK_FORWARDS) {
		err = -ENOSPC;
	} else {
		net->open[net->c.forwards] = (struct network_open){ NULL, 0, 0 };
		net->c.forward[net->c.forwards++] = *f;
	}
	spin_unlock(&lock);
	return err;
}

/* At a port by name, which is held: whoever unplugs it waits, and then closes what was opened. */
static int open_at_port(struct network *net, struct network_segment *s, const char *name,
			const struct network_forward *f)
{
	struct netport *p = netswitch_hold_port(&s->sw, name);
	int err = 0;

	if (p != NULL) {
		err = open_all(net, &(struct nic){ s, p->name, wire_get48(p->mac) }, f);
		netswitch_release_port(p);
	}
	return err;
}

/* At the first NIC of its VM's that is plugged in. */
static int open_now(struct network *net, const struct network_forward *f)
{
	struct network_segment *s = NULL;
	int err = 0;

	while ((s = network_next_segment(s)) != NULL) {
		unsigned int cursor = 0;
		struct netswitch_port p;

		while (err == 0 && s->net == net && netswitch_next_port(&s->sw, &cursor, &p)) {
			err = is_port_of(p.name, f->vm) ? open_at_port(net, s, p.name, f) : 0;
		}
	}
	return err;
}

int network_forward_add(const struct network *net, const struct network_forward *f)
{
	struct network *n = (struct network *)net;
	int err = net->uplink == NULL || net->c.mode == NETWORK_BRIDGE ? -EINVAL : append(n, f);

	if (err != 0) {
		return err;
	}
	err = open_now(n, f);
	if (err != 0) {
		network_forward_remove(net, f->proto, f->out_port);
	}
	return err;
}

/* Takes it off the list; the segment where it was open stays until the caller gives it back. */
static int take_out(struct network *net, uint8_t proto, uint16_t out_port,
		    struct network_segment **s)
{
	int i;

	spin_lock(&lock);
	i = find(net, proto, out_port);
	if (i >= 0) {
		*s = net->open[i].segment;
		if (*s != NULL) {
			__atomic_fetch_add(&(*s)->users, 1, __ATOMIC_RELAXED);
		}
		net->c.forwards--;
		for (unsigned int k = (unsigned int)i; k < net->c.forwards; k++) {
			net->c.forward[k] = net->c.forward[k + 1];
			net->open[k] = net->open[k + 1];
		}
	}
	spin_unlock(&lock);
	return i >= 0 ? 0 : -ENOENT;
}

int network_forward_remove(const struct network *net, uint8_t proto, uint16_t out_port)
{
	struct network_segment *s = NULL;
	int err = take_out((struct network *)net, proto, out_port, &s);

	if (s != NULL) {
		natnet_forward_remove(s->gateway, proto, out_port);
		network_segment_unuse(s);
	}
	return err;
}
