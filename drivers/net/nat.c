/* SPDX-License-Identifier: BSD-2-Clause */
/* Source NAT: what may begin, on which port, and whom packets are for. */
/* The tables are nat_table.c's; looks at no packet. */
#include "drivers/net/nat.h"
#include "drivers/net/nat_table.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"
#include "hv/base/random.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define PORT_FIRST   1024u /* the host's own and its forwards are below */
#define PORT_TRIES   64u
#define BUCKETS_STEP 128u /* that are looked through at one go */

/* ---- ports ---- */

/* RFC 4787, REQ-3 and REQ-4: the same port if it is free, else any of the same parity. */
static int pick_port(const struct nat *n, uint8_t proto, uint16_t want, uint16_t *port)
{
	uint16_t start;

	if (want >= PORT_FIRST && nat_table_find_out(n, proto, want) == NULL) {
		*port = want;
		return 0;
	}
	random_bytes(&start, sizeof(start));
	for (unsigned int i = 0; i < PORT_TRIES; i++) {
		uint16_t p = (uint16_t)(PORT_FIRST + (start + 2 * i) % (65536 - PORT_FIRST));

		p = (uint16_t)((p & ~1u) | (want & 1u));
		if (nat_table_find_out(n, proto, p) == NULL) {
			*port = p;
			return 0;
		}
	}
	return -EBUSY;
}

static int map_for(struct nat_realm *r, const struct nat_tuple *t, struct nat_map **m)
{
	uint16_t port;
	int err;

	*m = nat_table_find_in(r, t->proto, t->ip, t->port);
	if (*m != NULL) {
		return 0;
	}
	err = pick_port(r->nat, t->proto, t->port, &port);
	if (err == 0) {
		*m = nat_table_map_new(r->nat, r, t->proto, t->ip, t->port, port);
		err = *m != NULL ? 0 : -ENOMEM;
	}
	return err;
}

/* ---- packets ---- */

/* TCP begins with a SYN and nothing else. */
static bool may_begin(const struct nat_tuple *t)
{
	return t->proto != IP_TCP || (t->tcp_flags & (TCP_SYN | TCP_F_ACK | TCP_RST)) == TCP_SYN;
}

/*
 * A connection of r's, begun by either side: over the forward m, or over the inside address' mapping,
 * which is looked for (or made) only when making room can no longer end it.
 */
static int begin(struct nat_realm *r, struct nat_map *m, const struct nat_tuple *t, uint32_t in_ip,
		 uint64_t now, struct nat_flow **f)
{
	int err = nat_table_has_room(r, in_ip, now) ? 0 : -ENOSPC;

	if (err == 0 && m == NULL) {
		err = map_for(r, t, &m);
	}
	if (err == 0) {
		*f = nat_table_flow_new(r->nat, m, t, now);
		err = *f != NULL ? 0 : -ENOMEM;
		if (err != 0 && m->flows == 0 && !m->fixed) {
			nat_table_map_free(r->nat, m);
		}
	}
	r->refused += err != 0;
	return err;
}

static int outbound_locked(struct nat_realm *r, const struct nat_tuple *t, uint64_t now,
			   uint16_t *out_port)
{
	struct nat_map *m = nat_table_find_in(r, t->proto, t->ip, t->port);
	struct nat_flow *f = m != NULL ? nat_table_find_flow(r->nat, m, t) : NULL;
	int err = 0;

	if (f == NULL) {
		err = may_begin(t) ? begin(r, NULL, t, t->ip, now, &f) : -ENOENT;
	}
	if (err == 0) {
		nat_table_note(f, t, true, now);
		*out_port = f->map->out_port;
	}
	return err;
}

int nat_outbound(struct nat_realm *r, const struct nat_tuple *t, uint64_t now, uint16_t *out_port)
{
	int err;

	spin_lock(&r->nat->lock);
	err = outbound_locked(r, t, now, out_port);
	spin_unlock(&r->nat->lock);
	return err;
}

static struct nat_target target_of(const struct nat_map *m)
{
	return (struct nat_target){ m->realm, m->in_ip, m->in_port, m->out_port };
}

static int inbound_locked(struct nat *n, const struct nat_tuple *t, uint64_t now,
			  struct nat_target *to)
{
	struct nat_map *m = nat_table_find_out(n, t->proto, t->port);
	struct nat_flow *f;
	int err = 0;

	if (m == NULL) {
		return -ENOENT;
	}
	*to = target_of(m);
	if (m->realm == NULL) {
		return 0;
	}
	f = nat_table_find_flow(n, m, t);
	if (f == NULL) {
		err = m->fixed && may_begin(t) ? begin(m->realm, m, t, m->in_ip, now, &f) : -EACCES;
	}
	if (err == 0) {
		nat_table_note(f, t, false, now);
	}
	return err;
}

int nat_inbound(struct nat *n, const struct nat_tuple *t, uint64_t now, struct nat_target *to)
{
	int err;

	spin_lock(&n->lock);
	err = inbound_locked(n, t, now, to);
	if (err == 0 && to->realm != NULL) {
		nat_realm_use(to->realm);
	}
	spin_unlock(&n->lock);
	return err;
}

int nat_find_outbound(struct nat_realm *r, const struct nat_tuple *t, struct nat_target *to)
{
	struct nat_map *m;
	int err = -ENOENT;

	spin_lock(&r->nat->lock);
	m = nat_table_find_in(r, t->proto, t->ip, t->port);
	if (m != NULL && nat_table_find_flow(r->nat, m, t) != NULL) {
		*to = target_of(m);
		err = 0;
	}
	spin_unlock(&r->nat->lock);
	return err;
}

int nat_find_inbound(struct nat *n, const struct nat_tuple *t, struct nat_target *to)
{
	struct nat_map *m;
	int err = -ENOENT;

	spin_lock(&n->lock);
	m = nat_table_find_out(n, t->proto, t->port);
	if (m != NULL && m->realm != NULL && nat_table_find_flow(n, m, t) != NULL) {
		*to = target_of(m);
		nat_realm_use(m->realm);
		err = 0;
	}
	spin_unlock(&n->lock);
	return err;
}

/* ---- forwards, and the host's own ports ---- */

static int fix(struct nat *n, struct nat_realm *r, uint8_t proto, uint16_t out_port, uint32_t in_ip,
	       uint16_t in_port)
{
	struct nat_map *m;

	if (nat_table_find_out(n, proto, out_port) != NULL) {
		return -EEXIST;
	}
	if (r != NULL && nat_table_find_in(r, proto, in_ip, in_port) != NULL) {
		return -EBUSY;
	}
	m = nat_table_map_new(n, r, proto, in_ip, in_port, out_port);
	if (m == NULL) {
		return -ENOMEM;
	}
	m->fixed = true;
	return 0;
}

/* Ends some connections of a mapping that is no forward; true: call again, for it may be there still. */
static bool make_way(struct nat *n, struct nat_map *m)
{
	return m != NULL && !m->fixed && nat_table_end_flows(n, m, NAT_REAP_STEP);
}

/* A step of nat_forward_add; -EAGAIN: another. What maps so already, for its connections, becomes fixed. */
static int forward_step(struct nat_realm *r, uint8_t proto, uint16_t out_port, uint32_t in_ip,
			uint16_t in_port)
{
	struct nat_map *out = nat_table_find_out(r->nat, proto, out_port);
	struct nat_map *in = nat_table_find_in(r, proto, in_ip, in_port);

	if (out != NULL && out == in && !out->fixed) {
		out->fixed = true;
		return 0;
	}
	if (make_way(r->nat, out) || make_way(r->nat, in)) {
		return -EAGAIN;
	}
	return fix(r->nat, r, proto, out_port, in_ip, in_port);
}

int nat_forward_add(struct nat_realm *r, uint8_t proto, uint16_t out_port, uint32_t in_ip,
		    uint16_t in_port)
{
	int err;

	if (out_port == 0 || in_port == 0 || in_ip == 0 || (proto != IP_TCP && proto != IP_UDP)) {
		return -EINVAL;
	}
	do {
		spin_lock(&r->nat->lock);
		err = forward_step(r, proto, out_port, in_ip, in_port);
		spin_unlock(&r->nat->lock);
		thread_checkpoint();
	} while (err == -EAGAIN);
	return err;
}

/* Its connections stay until they time out, as those of a mapping that nobody may begin any more. */
int nat_forward_remove(struct nat_realm *r, uint8_t proto, uint16_t out_port)
{
	struct nat_map *m;
	int err = -ENOENT;

	spin_lock(&r->nat->lock);
	m = nat_table_find_out(r->nat, proto, out_port);
	if (m != NULL && m->realm == r && m->fixed) {
		m->fixed = false;
		if (m->flows == 0) {
			nat_table_map_free(r->nat, m);
		}
		err = 0;
	}
	spin_unlock(&r->nat->lock);
	return err;
}

int nat_host_port(struct nat *n, uint8_t proto, uint16_t want, uint16_t *port)
{
	int err = 0;

	spin_lock(&n->lock);
	*port = want;
	if (want == 0) {
		random_bytes(&want, sizeof(want));
		err = pick_port(n, proto, want, port);
	}
	if (err == 0) {
		err = fix(n, NULL, proto, *port, 0, *port);
		err = err == -EEXIST ? -EBUSY : err;
	}
	spin_unlock(&n->lock);
	return err;
}

void nat_host_port_free(struct nat *n, uint8_t proto, uint16_t port)
{
	struct nat_map *m;

	spin_lock(&n->lock);
	m = nat_table_find_out(n, proto, port);
	if (m != NULL && m->realm == NULL) {
		nat_table_map_free(n, m);
	}
	spin_unlock(&n->lock);
}

/* ---- beginning and end ---- */

bool nat_tick(struct nat_realm *r, uint64_t now)
{
	unsigned int count;

	spin_lock(&r->nat->lock);
	count = nat_table_reap(r, now, NAT_REAP_STEP);
	spin_unlock(&r->nat->lock);
	return count == NAT_REAP_STEP;
}

int nat_init(struct nat *n, uint32_t buckets, uint32_t most)
{
	*n = (struct nat){ .buckets = buckets, .most = most };
	spin_init(&n->lock, LOCK_NET);
	random_bytes(&n->key, sizeof(n->key));
	n->by_in = heap_alloc(buckets * sizeof(*n->by_in));
	n->by_out = heap_alloc(buckets * sizeof(*n->by_out));
	n->flow = heap_alloc(buckets * sizeof(*n->flow));
	if (n->by_in == NULL || n->by_out == NULL || n->flow == NULL) {
		nat_exit(n);
		return -ENOMEM;
	}
	return 0;
}

void nat_exit(struct nat *n)
{
	heap_free(n->by_in);
	heap_free(n->by_out);
	heap_free(n->flow);
	n->by_in = n->by_out = NULL;
	n->flow = NULL;
}

void nat_realm_init(struct nat_realm *r, struct nat *n, void *owner, uint32_t most)
{
	memset(r, 0, sizeof(*r));
	r->nat = n;
	r->owner = owner;
	r->most = most;
	for (unsigned int c = 0; c < NAT_CLASSES; c++) {
		list_init(&r->lru[c]);
	}
}

void nat_realm_use(struct nat_realm *r)
{
	__atomic_fetch_add(&r->users, 1, __ATOMIC_RELAXED);
}

void nat_realm_unuse(struct nat_realm *r)
{
	__atomic_fetch_sub(&r->users, 1, __ATOMIC_RELEASE);
}

/* One of r's mappings that no connection uses, in bucket b. */
static bool free_one_map(struct nat_realm *r, uint32_t b)
{
	for (struct nat_map *m = r->nat->by_in[b]; m != NULL; m = m->next_in) {
		if (m->realm == r) {
			nat_table_map_free(r->nat, m);
			return true;
		}
	}
	return false;
}

void nat_realm_exit(struct nat_realm *r)
{
	while (nat_tick(r, UINT64_MAX)) {
		thread_checkpoint();
	}
	for (uint32_t b = 0; b < r->nat->buckets; b++) {
		spin_lock(&r->nat->lock);
		while (free_one_map(r, b)) {
		}
		spin_unlock(&r->nat->lock);
		if (b % BUCKETS_STEP == 0) {
			thread_checkpoint();
		}
	}
	while (__atomic_load_n(&r->users, __ATOMIC_ACQUIRE) != 0) {
		thread_yield();
	}
}
