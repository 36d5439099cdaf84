/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash tables of NAT's mappings and connections, and when they end. */
/* Each list of a class is in order of last use: expiry looks at its head only. */
#include "drivers/net/nat_table.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"

#define SECOND	   1000000000ul
#define EVICT_LOOK 64u
#define DNS_PORT   53u

static const uint64_t nat_timeouts[NAT_CLASSES] = {
	[NAT_UDP] = 300 * SECOND,	  /* RFC 4787, REQ-5 (c) */
	[NAT_UDP_DNS] = 30 * SECOND,	  /* REQ-5 (b): shorter for well-known ports */
	[NAT_ICMP] = 60 * SECOND,	  /* RFC 5508, REQ-2 */
	[NAT_TCP_OPENING] = 240 * SECOND, /* RFC 5382, REQ-5: 4 minutes */
	[NAT_TCP_OPEN] = 7440 * SECOND,	  /* 2 hours 4 minutes */
	[NAT_TCP_CLOSED] = 240 * SECOND,  [NAT_TCP_FORWARD] = 240 * SECOND,
	[NAT_UDP_FORWARD] = 300 * SECOND,
};

enum seen {
	SYN_OUT = 1,
	SYN_IN = 2,
	ACK_OUT = 4,
	ACK_IN = 8,
	FIN_OUT = 16,
	FIN_IN = 32,
	RESET = 64
};
#define OPENED	 (SYN_OUT | SYN_IN | ACK_OUT | ACK_IN)
#define FINISHED (FIN_OUT | FIN_IN)

/* ---- hash tables ---- */

static uint32_t bucket(const struct nat *n, uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ n->key) * 0x9e3779b97f4a7c15ul;

	h = (h ^ h >> 32 ^ b) * 0xd6e8feb86659fd93ul;
	return (uint32_t)(h >> 32) & (n->buckets - 1);
}

static uint32_t in_bucket(const struct nat *n, const struct nat_realm *r, uint8_t proto,
			  uint32_t ip, uint16_t port)
{
	return bucket(n, (uintptr_t)r, (uint64_t)ip << 32 | (uint32_t)port << 8 | proto);
}

static uint32_t out_bucket(const struct nat *n, uint8_t proto, uint16_t port)
{
	return bucket(n, proto, port);
}

static uint32_t flow_bucket(const struct nat *n, const struct nat_map *m, uint32_t ip,
			    uint16_t port)
{
	return bucket(n, (uintptr_t)m, (uint64_t)ip << 16 | port);
}

struct nat_map *nat_table_find_in(const struct nat_realm *r, uint8_t proto, uint32_t ip,
				  uint16_t port)
{
	struct nat_map *m = r->nat->by_in[in_bucket(r->nat, r, proto, ip, port)];

	while (m != NULL &&
	       (m->realm != r || m->in_ip != ip || m->in_port != port || m->proto != proto)) {
		m = m->next_in;
	}
	return m;
}

struct nat_map *nat_table_find_out(const struct nat *n, uint8_t proto, uint16_t port)
{
	struct nat_map *m = n->by_out[out_bucket(n, proto, port)];

	while (m != NULL && (m->out_port != port || m->proto != proto)) {
		m = m->next_out;
	}
	return m;
}

/* UDP and ICMP: one connection for all ports of the remote address (address-dependent filtering). */
static uint16_t remote_port_of(const struct nat_tuple *t)
{
	return t->proto == IP_TCP ? t->remote_port : 0;
}

struct nat_flow *nat_table_find_flow(const struct nat *n, const struct nat_map *m,
				     const struct nat_tuple *t)
{
	uint16_t port = remote_port_of(t);
	struct nat_flow *f = n->flow[flow_bucket(n, m, t->remote_ip, port)];

	while (f != NULL &&
	       (f->map != m || f->remote_ip != t->remote_ip || f->remote_port != port)) {
		f = f->next;
	}
	return f;
}

struct nat_map *nat_table_map_new(struct nat *n, struct nat_realm *r, uint8_t proto, uint32_t in_ip,
				  uint16_t in_port, uint16_t out_port)
{
	struct nat_map *m = heap_alloc(sizeof(*m));
	struct nat_map **in, **out;

	if (m == NULL) {
		return NULL;
	}
	m->realm = r;
	m->proto = proto;
	m->in_ip = in_ip;
	m->in_port = in_port;
	m->out_port = out_port;
	list_init(&m->flow);
	in = &n->by_in[in_bucket(n, r, proto, in_ip, in_port)];
	out = &n->by_out[out_bucket(n, proto, out_port)];
	m->next_in = *in;
	m->next_out = *out;
	*in = *out = m;
	return m;
}

void nat_table_map_free(struct nat *n, struct nat_map *m)
{
	struct nat_map **at = &n->by_in[in_bucket(n, m->realm, m->proto, m->in_ip, m->in_port)];

	while (*at != m) {
		at = &(*at)->next_in;
	}
	*at = m->next_in;
	at = &n->by_out[out_bucket(n, m->proto, m->out_port)];
	while (*at != m) {
		at = &(*at)->next_out;
	}
	*at = m->next_out;
	heap_free(m);
}

/* ---- connections ---- */

static uint32_t *account_of(const struct nat_map *m)
{
	return &m->realm->host_flows[m->in_ip % NAT_HOSTS];
}

/* The mapping goes with its last connection. */
static void flow_end(struct nat *n, struct nat_flow *f)
{
	struct nat_map *m = f->map;
	struct nat_flow **at = &n->flow[flow_bucket(n, m, f->remote_ip, f->remote_port)];

	while (*at != f) {
		at = &(*at)->next;
	}
	*at = f->next;
	list_remove(&f->lru);
	list_remove(&f->of_map);
	n->flows--;
	m->realm->flows--;
	--*account_of(m);
	if (--m->flows == 0 && !m->fixed) {
		nat_table_map_free(n, m);
	}
	heap_free(f);
}

bool nat_table_end_flows(struct nat *n, struct nat_map *m, unsigned int most)
{
	uint32_t flows = m->flows;

	for (unsigned int i = 0; i < most && i < flows; i++) {
		flow_end(n, container_of(m->flow.next, struct nat_flow, of_map));
	}
	return flows > most;
}

/* Ends up to `most` connections of a class that were not used since its time-out; how many. */
static unsigned int reap_class(struct nat_realm *r, enum nat_class cls, uint64_t now,
			       unsigned int most)
{
	unsigned int count = 0;

	while (count < most && !list_empty(&r->lru[cls])) {
		struct nat_flow *f = container_of(r->lru[cls].next, struct nat_flow, lru);

		if (now < f->used || now - f->used < nat_timeouts[cls]) {
			break;
		}
		flow_end(r->nat, f);
		count++;
	}
	return count;
}

unsigned int nat_table_reap(struct nat_realm *r, uint64_t now, unsigned int most)
{
	unsigned int count = 0;

	for (unsigned int c = 0; c < NAT_CLASSES && count < most; c++) {
		count += reap_class(r, (enum nat_class)c, now, most - count);
	}
	return count;
}

/* Among the oldest of a class, one of that account makes way. */
static bool evict(struct nat_realm *r, unsigned int cls, const uint32_t *account)
{
	struct list_node *it;
	unsigned int looked = 0;

	list_for_each (it, &r->lru[cls]) {
		struct nat_flow *f = container_of(it, struct nat_flow, lru);

		if (account_of(f->map) == account) {
			flow_end(r->nat, f);
			return true;
		}
		if (++looked == EVICT_LOOK) {
			break;
		}
	}
	return false;
}

static bool make_way(struct nat_realm *r, const uint32_t *account)
{
	bool made = false;

	for (unsigned int c = NAT_TCP_CLOSED; c < NAT_CLASSES && !made; c++) {
		made = evict(r, c, account);
	}
	return made;
}

/* Room for one more of the inside address ip? */
bool nat_table_has_room(struct nat_realm *r, uint32_t ip, uint64_t now)
{
	uint32_t *account = &r->host_flows[ip % NAT_HOSTS];

	nat_table_reap(r, now, 4);
	if (*account < r->most && r->nat->flows < r->nat->most) {
		return true;
	}
	nat_table_reap(r, now, NAT_REAP_STEP);
	if (*account < r->most && r->nat->flows < r->nat->most) {
		return true;
	}
	return make_way(r, account);
}

static enum nat_class opening(const struct nat_map *m)
{
	return m->fixed ? NAT_TCP_FORWARD : NAT_TCP_OPENING;
}

static enum nat_class class_of(const struct nat_map *m, const struct nat_tuple *t)
{
	if (t->proto == IP_ICMP) {
		return NAT_ICMP;
	}
	if (t->proto == IP_TCP) {
		return opening(m);
	}
	if (m->fixed) {
		return NAT_UDP_FORWARD;
	}
	return t->remote_port == DNS_PORT ? NAT_UDP_DNS : NAT_UDP;
}

struct nat_flow *nat_table_flow_new(struct nat *n, struct nat_map *m, const struct nat_tuple *t,
				    uint64_t now)
{
	struct nat_flow *f = heap_alloc(sizeof(*f));
	struct nat_flow **at;

	if (f == NULL) {
		return NULL;
	}
	f->map = m;
	f->remote_ip = t->remote_ip;
	f->remote_port = remote_port_of(t);
	f->cls = (uint8_t)class_of(m, t);
	f->used = now;
	at = &n->flow[flow_bucket(n, m, f->remote_ip, f->remote_port)];
	f->next = *at;
	*at = f;
	list_push_back(&m->realm->lru[f->cls], &f->lru);
	list_push_back(&m->flow, &f->of_map);
	m->flows++;
	m->realm->flows++;
	n->flows++;
	++*account_of(m);
	return f;
}

static void use(struct nat_flow *f, enum nat_class cls, uint64_t now)
{
	f->cls = (uint8_t)cls;
	f->used = now;
	list_remove(&f->lru);
	list_push_back(&f->map->realm->lru[cls], &f->lru);
}

/* RFC 5382, 2.1 and REQ-5: open when both ends have sent a SYN and acknowledged one. */
static void note_tcp(struct nat_flow *f, uint8_t flags, bool out, uint64_t now)
{
	unsigned int seen = f->seen;

	if ((flags & TCP_SYN) && f->cls == NAT_TCP_CLOSED) {
		seen = 0; /* the same ports, a new connection */
	}
	seen |= flags & TCP_SYN ? (out ? SYN_OUT : SYN_IN) : 0u;
	seen |= flags & TCP_F_ACK ? (out ? ACK_OUT : ACK_IN) : 0u;
	seen |= flags & TCP_FIN ? (out ? FIN_OUT : FIN_IN) : 0u;
	seen |= flags & TCP_RST ? (unsigned int)RESET : 0u;
	f->seen = (uint8_t)seen;
	if ((seen & RESET) || (seen & FINISHED) == FINISHED) {
		use(f, NAT_TCP_CLOSED, now);
	} else {
		use(f, (seen & OPENED) == OPENED ? NAT_TCP_OPEN : opening(f->map), now);
	}
}

/* RFC 4787, REQ-6: what goes out renews; what comes in does not, for a stranger could keep it alive. */
void nat_table_note(struct nat_flow *f, const struct nat_tuple *t, bool out, uint64_t now)
{
	if (t->proto == IP_TCP) {
		note_tcp(f, t->tcp_flags, out, now);
	} else if (out) {
		use(f, (enum nat_class)f->cls, now);
	}
}
