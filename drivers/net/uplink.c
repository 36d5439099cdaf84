/* SPDX-License-Identifier: BSD-2-Clause */
/* Host NICs by name, their switches, and when the host takes an address there. */
/* What the host does with packets is hostif.c's; which networks lead there is network.c's. */
#include "drivers/net/uplink.h"
#include "drivers/net/wire.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define ADDRESSES   1024u
#define NAT_BUCKETS 8192u
#define NAT_MOST    32768u

static struct spinlock lock = SPINLOCK_INIT(LOCK_NET);
static struct list_node uplinks = LIST_INIT(uplinks); /* [lock] */
static unsigned int count;			      /* atomic */
static char hostname[DHCP_NAME] = "insula";

struct uplink *uplink_next(struct uplink *prev)
{
	struct list_node *it;

	spin_lock(&lock);
	it = prev != NULL ? prev->node.next : uplinks.next;
	spin_unlock(&lock);
	return it != &uplinks ? container_of(it, struct uplink, node) : NULL;
}

struct uplink *uplink_find(const char *name)
{
	struct uplink *u = NULL;

	while ((u = uplink_next(u)) != NULL && strcmp(u->nic->name, name) != 0) {
	}
	return u;
}

/* ---- a new NIC ---- */

static void publish(struct uplink *u)
{
	network_publish(&u->segment);
	spin_lock(&lock);
	list_push_back(&uplinks, &u->node);
	spin_unlock(&lock);
}

int netport_offer(struct netport *p, const struct netnic_ops *ops)
{
	struct uplink *u = heap_alloc(sizeof(*u));
	int err = -ENOMEM;

	if (u != NULL) {
		fmt_snprintf(p->name, sizeof(p->name), "nic%u",
			     __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED));
		u->nic = p;
		u->ops = ops;
		p->max_len = NETWORK_MTU + NETPORT_MTU_TO_LEN;
		err = netswitch_init(&u->segment.sw, p->name, ADDRESSES);
		err = err != 0 ? err : netswitch_attach(&u->segment.sw, p);
	}
	if (err != 0) {
		heap_free(u);
		return err;
	}
	publish(u);
	return 0;
}

/* ---- the host's address ---- */

static struct hostif_config host_config(const struct uplink *u)
{
	struct hostif_config c = {
		.addr = u->c.address.addr,
		.mask = u->c.address.addr != 0 ? network_mask(&u->c.address) : 0,
		.router = u->c.router,
		.dns = u->c.dns,
		.nat_buckets = NAT_BUCKETS,
		.nat_most = NAT_MOST,
	};

	string_copy(c.hostname, hostname, sizeof(c.hostname));
	return c;
}

/* The NIC's own MAC address: what the network beyond knows (and may insist on). */
static int make_host(struct uplink *u)
{
	struct hostif_config c = host_config(u);
	struct hostif *h = heap_alloc(sizeof(*h));
	int err;

	if (h == NULL) {
		return -ENOMEM;
	}
	err = hostif_init(h, "host", wire_get48(u->nic->mac), &c);
	thread_checkpoint();
	err = err != 0 ? err : netswitch_attach(&u->segment.sw, &h->outside.port);
	if (err != 0) {
		hostif_exit(h);
		heap_free(h);
		return err;
	}
	netswitch_set_host(&u->segment.sw, c.addr);
	__atomic_store_n(&u->host, h, __ATOMIC_RELEASE);
	return 0;
}

int uplink_need_host(struct uplink *u)
{
	return u->host != NULL ? 0 : make_host(u);
}

void uplink_set_hostname(const char *name)
{
	string_copy(hostname, name, sizeof(hostname));
	for (char *p = hostname; *p != '\0'; p++) {
		bool letter = (*p | 32) >= 'a' && (*p | 32) <= 'z';

		*p = letter || (*p >= '0' && *p <= '9') || *p == '.' ? *p : '-';
	}
}

int uplink_configure(const struct uplink_config *c)
{
	struct uplink *u = uplink_find(c->uplink);

	if (u == NULL) {
		return -ENODEV;
	}
	if (u->host != NULL) {
		return -EBUSY;
	}
	u->c = *c;
	return make_host(u);
}

void uplink_tick(uint64_t now)
{
	struct uplink *u = NULL;

	while ((u = uplink_next(u)) != NULL) {
		struct hostif *h = __atomic_load_n(&u->host, __ATOMIC_ACQUIRE);

		if (h != NULL) {
			hostif_tick(h, now);
		}
		thread_checkpoint();
	}
}
