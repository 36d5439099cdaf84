/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPv4 address on a segment: ARP, fragments, next hop. */
/* Sends no error messages and routes nothing between segments: owners do. */
#include "drivers/net/ipif.h"
#include "drivers/net/checksum.h"
#include "drivers/net/icmp.h"
#include "drivers/net/tcp.h"
#include "hv/base/heap.h"
#include "hv/lib/string.h"

static struct ipif *ipif_of(struct netport *p)
{
	return container_of(p, struct ipif, port);
}

static uint64_t mac_of(const struct ipif *i)
{
	return wire_get48(i->port.mac);
}

/* ---- ARP ---- */

static void send_arp(struct ipif *i, uint64_t dst, const struct arp_msg *m, uint64_t now)
{
	uint8_t frame[ARP_FRAME];
	struct netseg seg[2];
	struct netpkt pkt;

	arp_build(frame, dst, m);
	pkt = ipv4_packet(frame, sizeof(frame), now, seg);
	netport_send(&i->port, &pkt);
}

static void ask_for(struct ipif *i, uint32_t addr, uint32_t ip, uint64_t now)
{
	send_arp(i, ETH_BROADCAST, &(struct arp_msg){ ARP_REQUEST, mac_of(i), 0, addr, ip }, now);
}

void ipif_announce(struct ipif *i, uint64_t now)
{
	if (i->addr != 0) {
		ask_for(i, i->addr, i->addr, now);
	}
}

static void send_pending(struct ipif *i, uint8_t *frame, uint32_t len, uint64_t mac, uint64_t now)
{
	ipif_send_to(i, frame, len, now, mac);
	heap_free(frame);
}

/* RFC 826, "Packet Reception": what we know is renewed, who asks for us is learnt. */
static void arp_input(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t *frame = NULL;
	struct arp_msg m;
	uint32_t len, addr;
	bool for_us;

	if (!arp_parse(pkt->seg[0].base + f->l3, pkt->seg[0].len - f->l3, &m)) {
		return;
	}
	spin_lock(&i->lock);
	addr = i->addr;
	for_us = addr != 0 && m.tpa == addr;
	if (m.spa != addr) {
		frame = arp_learn(&i->arp, m.spa, m.sha, for_us && ((m.spa ^ addr) & i->mask) == 0,
				  pkt->time, &len);
	}
	spin_unlock(&i->lock);
	if (frame != NULL) {
		send_pending(i, frame, len, m.sha, pkt->time);
	}
	if (addr != 0 && m.spa == addr && m.sha != mac_of(i) && i->ops->conflict != NULL) {
		i->ops->conflict(i, m.sha);
	}
	if (for_us && m.op == ARP_REQUEST && m.spa != addr) {
		send_arp(i, m.sha, &(struct arp_msg){ ARP_REPLY, mac_of(i), m.sha, addr, m.spa },
			 pkt->time);
	}
}

/* ---- receiving ---- */

/* The whole datagram, if this was its last piece, comes in as if it had never been cut. */
static bool fragment_input(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	struct netseg seg[2];
	struct netpkt whole;
	struct frame wf;
	uint8_t *frame;
	uint32_t len;

	spin_lock(&i->lock);
	frame = ipv4_reassemble(&i->frags, pkt, f, &len);
	spin_unlock(&i->lock);
	if (frame != NULL) {
		whole = ipv4_packet(frame, len, pkt->time, seg);
		if (frame_parse(&whole, &wf)) {
			i->ops->input(i, &whole, &wf);
		}
		heap_free(frame);
	}
	return true;
}

static bool receive(struct netport *p, const struct netpkt *pkt)
{
	struct ipif *i = ipif_of(p);
	const uint8_t *head = pkt->seg[0].base;
	struct frame f;

	if (((head[ETH_DST] & 1) == 0 && wire_get48(head + ETH_DST) != mac_of(i)) ||
	    !frame_parse(pkt, &f) || f.tagged) {
		return true;
	}
	if (f.type == ETH_ARP) {
		arp_input(i, pkt, &f);
		return true;
	}
	if (f.type != ETH_IPV4 || !ipv4_sum_is_right(head + f.l3)) {
		return true;
	}
	return frame_is_fragment(&f) ? fragment_input(i, pkt, &f) : i->ops->input(i, pkt, &f);
}

static void resume(struct netport *p)
{
	struct ipif *i = ipif_of(p);

	if (i->ops->resume != NULL) {
		i->ops->resume(i);
	}
}

static const struct netport_ops port_ops = { .receive = receive, .resume = resume };

void ipif_init(struct ipif *i, const char *name, uint64_t mac, const struct ipif_ops *ops)
{
	memset(i, 0, sizeof(*i));
	spin_init(&i->lock, LOCK_NET);
	i->ops = ops;
	i->port.ops = &port_ops;
	i->port.link = true;
	i->port.max_len = ETH_FRAME_MAX;
	i->port.offload = NETPORT_CSUM | NETPORT_TCP4;
	string_copy(i->port.name, name, sizeof(i->port.name));
	wire_put48(i->port.mac, mac);
}

void ipif_exit(struct ipif *i)
{
	arp_clear(&i->arp);
	ipv4_frags_clear(&i->frags);
}

void ipif_set_address(struct ipif *i, uint32_t addr, uint32_t mask, uint32_t router)
{
	spin_lock(&i->lock);
	i->addr = addr;
	i->mask = mask;
	i->router = router;
	arp_clear(&i->arp);
	spin_unlock(&i->lock);
}

void ipif_tick(struct ipif *i, uint64_t now)
{
	uint32_t ip, addr;

	do {
		spin_lock(&i->lock);
		ipv4_frags_tick(&i->frags, now);
		ip = arp_tick(&i->arp, now);
		addr = i->addr;
		spin_unlock(&i->lock);
		if (ip != 0) {
			ask_for(i, addr, ip, now);
		}
	} while (ip != 0);
}

/* ---- sending ---- */

/* Whom to ask for: dst, or the router on its way; 0: no way. */
static uint32_t next_hop(const struct ipif *i, uint32_t dst)
{
	if (i->addr == 0) {
		return 0;
	}
	return ((dst ^ i->addr) & i->mask) == 0 ? dst : i->router;
}

/* Finds the MAC address; false: the packet waits for ARP, or is lost. Asks if it is time to. */
static bool resolve(struct ipif *i, const struct netpkt *pkt, uint32_t dst, uint64_t *mac)
{
	enum arp_answer answer;
	uint32_t hop, addr;
	bool kept = true;

	spin_lock(&i->lock);
	addr = i->addr;
	hop = next_hop(i, dst);
	answer = arp_lookup(&i->arp, hop, pkt->time, mac);
	if (answer == ARP_ASK_IT || answer == ARP_WAIT) {
		uint8_t *frame = pkt->len <= ETH_FRAME_MAX ? ipif_linear(pkt) : NULL;

		kept = frame != NULL && arp_keep(&i->arp, hop, frame, pkt->len);
		heap_free(frame);
	}
	i->unreachable += answer == ARP_DEAD || !kept;
	spin_unlock(&i->lock);
	if (answer == ARP_ASK_IT) {
		ask_for(i, addr, hop, pkt->time);
	}
	return answer == ARP_KNOWN;
}

static uint64_t send_resolved(struct ipif *i, const struct netpkt *pkt, uint8_t *head, uint64_t mac)
{
	wire_put48(head + ETH_DST, mac);
	wire_put48(head + ETH_SRC, mac_of(i));
	return netport_send(&i->port, pkt);
}

/* The way of a packet that never leaves. */
static uint64_t send_to_self(struct ipif *i, const struct netpkt *pkt)
{
	struct frame f;

	if (frame_parse(pkt, &f)) {
		i->ops->input(i, pkt, &f);
	}
	return 0;
}

uint64_t ipif_send(struct ipif *i, const struct netpkt *pkt, uint8_t *head, uint32_t dst)
{
	uint64_t mac;

	if (i->addr != 0 && dst == i->addr) {
		return send_to_self(i, pkt);
	}
	if (ipif_is_broadcast(i, dst)) {
		mac = ETH_BROADCAST;
	} else if (!resolve(i, pkt, dst, &mac)) {
		return 0;
	}
	return send_resolved(i, pkt, head, mac);
}

/* Our own packets do not wait for room: who asked asks again. */
struct output {
	struct ipif *i;
	uint32_t dst;
};

static bool emit_piece(void *arg, const struct netpkt *pkt)
{
	struct output *o = arg;
	uint8_t head[NETPKT_HEAD];
	struct netseg seg[2] = { { head, pkt->seg[0].len } };
	struct netpkt out = *pkt;

	memcpy(head, pkt->seg[0].base, pkt->seg[0].len);
	if (pkt->segs > 1) {
		seg[1] = pkt->seg[1];
	}
	out.seg = seg;
	ipif_send(o->i, &out, head, o->dst);
	return true;
}

void ipif_send_frame(struct ipif *i, uint8_t *frame, uint32_t len, uint64_t now, uint32_t dst)
{
	struct output o = { i, dst };
	uint8_t *ip = frame + ETH_LEN;

	spin_lock(&i->lock);
	wire_put16(ip + IPV4_ID, i->id++);
	spin_unlock(&i->lock);
	ipv4_put_sum(ip);
	ipv4_fragment(frame, len, i->port.max_len, now, emit_piece, &o);
}

uint64_t ipif_forward(struct ipif *i, const struct netpkt *pkt, uint8_t *head, uint32_t dst)
{
	uint8_t *frame;

	if (pkt->gso != NETPKT_GSO_NONE || pkt->len <= i->port.max_len) {
		return ipif_send(i, pkt, head, dst);
	}
	if (wire_get16(head + ETH_LEN + IPV4_FRAG) & IPV4_DF) {
		__atomic_fetch_add(&i->unreachable, 1, __ATOMIC_RELAXED);
		return 0;
	}
	frame = ipif_linear(pkt);
	if (frame != NULL) {
		ipif_send_frame(i, frame, pkt->len, pkt->time, dst);
	}
	heap_free(frame);
	return 0;
}

void ipif_send_to(struct ipif *i, uint8_t *frame, uint32_t len, uint64_t now, uint64_t mac)
{
	struct netseg seg[2];
	struct netpkt pkt = ipv4_packet(frame, len, now, seg);

	send_resolved(i, &pkt, frame, mac);
}

/* ---- packets to us ---- */

uint8_t *ipif_linear(const struct netpkt *pkt)
{
	uint8_t *frame = heap_alloc(pkt->len);

	if (frame == NULL || netpkt_copy(pkt, 0, frame, pkt->len) != pkt->len) {
		heap_free(frame);
		return NULL;
	}
	if (pkt->flags & NETPKT_CSUM_PARTIAL) {
		uint16_t sum = checksum_bytes(frame + pkt->csum_start, pkt->len - pkt->csum_start);

		wire_put16(frame + pkt->csum_start + pkt->csum_offset,
			   checksum_partial_field(sum, pkt->csum_offset));
	}
	return frame;
}

void ipif_answer(struct ipif *i, const struct netpkt *pkt, const struct frame *f)
{
	uint8_t reset[TCP_RESET_LEN];
	uint8_t *frame;

	if (f->proto == IP_TCP) {
		if (tcp_build_reset(reset, pkt->seg[0].base, f)) {
			ipif_send_frame(i, reset, sizeof(reset), pkt->time, f->src);
		}
		return;
	}
	if (f->proto != IP_ICMP || f->l4 == 0 || pkt->seg[0].base[f->l4] != ICMP_ECHO) {
		return;
	}
	frame = ipif_linear(pkt);
	if (frame != NULL && icmp_make_echo_reply(frame, f)) {
		ipif_send_frame(i, frame, f->l3 + (uint32_t)f->total, pkt->time, f->src);
	}
	heap_free(frame);
}

const uint8_t *ipif_udp_data(const uint8_t *frame, const struct frame *f, uint32_t *len)
{
	const uint8_t *udp = frame + f->l4;
	uint32_t l4_len = wire_get16(udp + UDP_LENGTH);

	if (f->proto != IP_UDP || f->l4 == 0 || l4_len < UDP_LEN || l4_len > f->l4_len) {
		return NULL;
	}
	if (wire_get16(udp + UDP_SUM) != 0 &&
	    checksum_plus(checksum_pseudo4(f->src, f->dst, IP_UDP, l4_len),
			  checksum_bytes(udp, l4_len)) != 0xffff) {
		return NULL;
	}
	*len = l4_len - UDP_LEN;
	return udp + UDP_LEN;
}
