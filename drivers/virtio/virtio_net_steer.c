/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows and the pairs that they were last sent and received on. */
/* Looks at addresses and ports only (netpkt_flow). */
#include "drivers/virtio/virtio_net_steer.h"

#include "arch/clock.h"
#include "drivers/net/netport.h"
#include "hv/lib/string.h"

#define QUIET_NS 100000000ul /* long enough for another vCPU to have taken all that came before */

static unsigned int flow_of(const struct netpkt *pkt)
{
	return netpkt_flow(pkt) % VIRTIO_NET_FLOWS;
}

void virtio_net_steer_reset(struct virtio_net_steer *s)
{
	memset(s, 0, sizeof(*s));
}

void virtio_net_steer_sent(struct virtio_net_steer *s, const struct netpkt *pkt, unsigned int pair)
{
	__atomic_store_n(&s->flow[flow_of(pkt)].sent_on, (uint8_t)(pair + 1), __ATOMIC_RELAXED);
}

/*
 * A flow changes its pair while it is quiet only: each pair is emptied by another vCPU, and what comes on
 * the new one could overtake what is still on the old. TCP would take that for a loss. Another CPU may have
 * read its clock later and been here first: that is no quiet time.
 */
unsigned int virtio_net_steer_pick(struct virtio_net_steer *s, const struct netpkt *pkt,
				   unsigned int active)
{
	unsigned int i = flow_of(pkt);
	struct virtio_net_flow *f = &s->flow[i];
	uint64_t now = clock_now(), last = __atomic_exchange_n(&f->last, now, __ATOMIC_RELAXED);
	unsigned int pair = __atomic_load_n(&f->comes_on, __ATOMIC_RELAXED);
	unsigned int sent_on = __atomic_load_n(&f->sent_on, __ATOMIC_RELAXED);

	if (pair == 0 || (int64_t)(now - last) > (int64_t)clock_ns_to_ticks(QUIET_NS)) {
		pair = sent_on != 0 ? sent_on : i % active + 1;
		__atomic_store_n(&f->comes_on, (uint8_t)pair, __ATOMIC_RELAXED);
	}
	return (pair - 1) % active;
}
