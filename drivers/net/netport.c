/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of a port: what its owner sends is checked and goes to the switch; what the switch has for it */
/* is brought into a form that it takes. */
#include "drivers/net/gso.h"
#include "drivers/net/netpkt.h"
#include "drivers/net/netport_priv.h"
#include "drivers/net/netswitch.h"
#include "drivers/net/pcap.h"
#include "hv/thread.h"

const char *netport_drop_name(enum netport_drop why)
{
	static const char *const names[NETPORT_DROPS] = {
		[NETPORT_DROP_MALFORMED] = "malformed", [NETPORT_DROP_SPOOFED] = "spoofed",
		[NETPORT_DROP_FILTERED] = "filtered",	[NETPORT_DROP_LINK] = "link down",
		[NETPORT_DROP_FULL] = "full",		[NETPORT_DROP_RATE] = "rate",
		[NETPORT_DROP_TOO_LONG] = "too long",	[NETPORT_DROP_CROWDED] = "crowded",
	};

	return names[why];
}

void netport_lose(struct netport *p, enum netport_drop why)
{
	netport_drop(p, why);
}

/* A negative value, or why pkt may not come from p. */
static int check(const struct netport *p, const struct netpkt *pkt)
{
	if (!netpkt_is_sane(pkt)) {
		return NETPORT_DROP_MALFORMED;
	}
	if (!__atomic_load_n(&p->link, __ATOMIC_RELAXED)) {
		return NETPORT_DROP_LINK;
	}
	return -1;
}

/* Which record it is, 0: none. The first look is without the lock: a capture that begins now misses a packet. */
static uint64_t capture(struct netport *p, const struct netpkt *pkt)
{
	uint64_t record = 0;

	if (__atomic_load_n(&p->capture, __ATOMIC_RELAXED) == NULL) {
		return 0;
	}
	spin_lock(&p->sw->lock);
	if (p->capture != NULL) {
		record = pcap_record(p->capture, pkt);
	}
	spin_unlock(&p->sw->lock);
	return record;
}

/* Recorded before the answer to it can be, but it has to wait. */
static void uncapture(struct netport *p, uint64_t record)
{
	if (record == 0) {
		return;
	}
	spin_lock(&p->sw->lock);
	if (p->capture != NULL) {
		pcap_undo(p->capture, record);
	}
	spin_unlock(&p->sw->lock);
}

static uint64_t over_send_rate(struct netport *p, uint64_t wait)
{
	if (p->policy & NETPORT_NEVER_WAIT) {
		netport_drop(p, NETPORT_DROP_RATE);
		return 0;
	}
	netport_count(&p->stats.waits, 1);
	return wait;
}

uint64_t netport_rate_wait(const struct netport *p, uint64_t now)
{
	return ratelimit_wait(&p->send_rate, now);
}

uint64_t netport_send(struct netport *p, const struct netpkt *pkt)
{
	uint64_t wait = ratelimit_wait(&p->send_rate, pkt->time);
	uint64_t record;
	int why;

	if (wait != 0) {
		return over_send_rate(p, wait);
	}
	why = check(p, pkt);
	if (why >= 0) {
		netport_drop(p, (enum netport_drop)why);
		return 0;
	}
	record = capture(p, pkt);
	wait = netswitch_forward(p->sw, p, pkt);
	if (wait == 0) {
		netport_count(&p->stats.sent, 1);
		netport_count(&p->stats.sent_bytes, pkt->len);
	} else {
		uncapture(p, record);
		netport_count(&p->stats.waits, 1);
	}
	return wait;
}

struct delivery {
	struct netport *p;
	bool begun; /* something was taken */
	bool lost;  /* something was too long */
};

static bool give(void *arg, const struct netpkt *pkt)
{
	struct delivery *d = arg;

	if (pkt->gso == NETPKT_GSO_NONE && pkt->len > d->p->max_len) {
		d->lost = true;
		return true;
	}
	if (!d->p->ops->receive(d->p, pkt)) {
		return false;
	}
	d->begun = true;
	if (pkt->more != 0) { /* a hundred of them, each copied and summed */
		thread_checkpoint();
	}
	return true;
}

/* Before the work of bringing it into a form that p takes. */
static bool is_too_long(const struct netport *p, const struct netpkt *pkt)
{
	if (pkt->gso == NETPKT_GSO_NONE) {
		return pkt->len > p->max_len;
	}
	return gso_is_cut(pkt, __atomic_load_n(&p->offload, __ATOMIC_RELAXED)) &&
	       gso_segments(pkt) > GSO_CUT_MAX;
}

bool netport_deliver(struct netport *p, const struct netpkt *pkt)
{
	struct delivery d = { .p = p };

	if (!__atomic_load_n(&p->link, __ATOMIC_RELAXED)) {
		netport_drop(p, NETPORT_DROP_LINK);
		return true;
	}
	if (is_too_long(p, pkt)) {
		netport_drop(p, NETPORT_DROP_TOO_LONG);
		return true;
	}
	if (!gso_emit(pkt, __atomic_load_n(&p->offload, __ATOMIC_RELAXED), give, &d)) {
		if (d.begun) { /* against its contract; TCP will send the rest again */
			netport_drop(p, NETPORT_DROP_FULL);
		}
		return d.begun;
	}
	if (d.lost) {
		netport_drop(p, NETPORT_DROP_TOO_LONG);
		return true;
	}
	capture(p, pkt);
	netport_count(&p->stats.received, 1);
	netport_count(&p->stats.received_bytes, pkt->len);
	__atomic_store_n(&p->full_since, 0, __ATOMIC_RELAXED);
	return true;
}
