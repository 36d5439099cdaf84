/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo requests from the host's address, and which answer is whose. */
/* Answers other hosts' requests no more than ipif does. */
#include "drivers/net/ping.h"
#include "drivers/net/checksum.h"
#include "drivers/net/hostif.h"
#include "drivers/net/icmp.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

int ping_open(struct ping *p, struct hostif *h, uint32_t dst)
{
	int err;

	*p = (struct ping){ .h = h, .dst = dst };
	if (h->outside.addr == 0) {
		return -ENODEV;
	}
	err = nat_host_port(&h->nat, IP_ICMP, 0, &p->id);
	if (err == 0) {
		spin_lock(&h->lock);
		list_push_back(&h->pings, &p->node);
		spin_unlock(&h->lock);
	}
	return err;
}

void ping_send(struct ping *p, uint64_t now)
{
	uint8_t frame[ICMP_ECHO_FRAME];
	uint16_t seq;

	spin_lock(&p->h->lock);
	seq = ++p->seq;
	p->sent = now;
	p->took = 0;
	spin_unlock(&p->h->lock);
	icmp_build_echo(frame, p->h->outside.addr, p->dst, p->id, seq);
	ipif_send_frame(&p->h->outside, frame, sizeof(frame), now, p->dst);
}

uint64_t ping_took(const struct ping *p)
{
	uint64_t took;

	spin_lock(&p->h->lock);
	took = p->took;
	spin_unlock(&p->h->lock);
	return took;
}

void ping_close(struct ping *p)
{
	spin_lock(&p->h->lock);
	list_remove(&p->node);
	spin_unlock(&p->h->lock);
	nat_host_port_free(&p->h->nat, IP_ICMP, p->id);
}

/* The first answer counts, a second one is a duplicate. */
static void answered(struct hostif *h, uint32_t src, const uint8_t *icmp, uint64_t now)
{
	struct list_node *it;

	spin_lock(&h->lock);
	list_for_each (it, &h->pings) {
		struct ping *p = container_of(it, struct ping, node);

		if (p->dst == src && p->id == wire_get16(icmp + ICMP_REST) &&
		    p->seq == wire_get16(icmp + ICMP_SEQ) && p->took == 0) {
			/* A guest's packet has the time at which its turn began. */
			p->took = now > p->sent ? now - p->sent : 1;
		}
	}
	spin_unlock(&h->lock);
}

void ping_input(struct hostif *h, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t *frame = ipif_linear(pkt);

	if (frame != NULL && checksum_bytes(frame + f->l4, f->l4_len) == 0xffff) {
		answered(h, f->src, frame + f->l4, pkt->time);
	}
	heap_free(frame);
}
