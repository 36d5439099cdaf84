/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests and strangers against switches, gateways and NAT: sequences of frames of every kind, time that */
/* passes, cables, limits, what administrators do. No crash, no leak, no wrong checksum made by us. */
/* FUZZ_TARGET: net drivers/net/[!nu]*.c drivers/net/nat*.c drivers/net/net[gps]*.c */
/* FUZZ_SOURCES: tests/fuzz/frames.c tests/fuzz/frames_dhcp.c tests/fuzz/netevent.c */
/* FUZZ_SOURCES: hv/lib/ratelimit.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_panic_abort.c */
/* FUZZ_SOURCES: tests/unit/drivers/net/netfake.c tests/unit/drivers/net/natfake.c */
/* FUZZ_LIBS: -lcmocka */
#include "drivers/net/netpkt.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/netevent.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct netburst burst;

static bool send_cut(void *arg, const struct netpkt *pkt)
{
	uint8_t piece[FRAMES_LEN_MAX];

	netpkt_copy(pkt, 0, piece, sizeof(piece));
	if (frames_take(1) < 0xf0) {
		fake_send(arg, piece, pkt->len);
	}
	return true;
}

static bool can_be_cut(const uint8_t *frame, uint32_t len)
{
	return len > 100 && wire_get16(frame + ETH_TYPE) == ETH_IPV4 && frame[ETH_LEN] == 0x45 &&
	       len - ETH_LEN == wire_get16(frame + ETH_LEN + IPV4_TOTAL);
}

/* What drivers ask about a packet that the switch lets pass. */
static void ask_as_driver(const uint8_t *frame, uint32_t len, struct netpkt pkt)
{
	struct netseg seg[NETPKT_SEGS_MAX];
	struct netpkt_cut cut;

	pkt.segs = fake_cut(seg, frame, len, 3);
	pkt.seg = seg;
	pkt.len = len;
	if (!netpkt_is_sane(&pkt)) {
		return;
	}
	netpkt_flow(&pkt);
	netevent_insist(netpkt_wire_len(&pkt) >= len);
	if (pkt.gso == NETPKT_GSO_TCP4) {
		netpkt_prepare_cut(&pkt, &cut);
		netevent_insist(cut.l4 + TCP_LEN <= cut.header && cut.header < len);
	}
}

/* Who has to wait is told until when, and by its own rate beforehand. */
static void send_whole(struct station *s, const uint8_t *frame, uint32_t len, bool alone)
{
	struct netpkt pkt = frames_offload(len);
	uint64_t rate = netport_rate_wait(&s->f.p, fake_time), wait;

	ask_as_driver(frame, len, pkt);
	pkt.burst = alone ? NULL : &burst;
	wait = fake_send_pkt(&s->f, frame, len, pkt, 1 + frames_take(1) % NETPKT_SEGS_MAX);
	netevent_insist(wait == 0 || wait > fake_time);
	netevent_insist(rate == 0 || wait == (s->f.p.policy & NETPORT_NEVER_WAIT ? 0 : rate));
	if (alone) {
		netport_burst_end(&burst);
	}
}

static void step(void)
{
	struct station *s = &st[frames_take(1) % STATIONS];
	uint32_t how = frames_take(1), len;
	uint8_t *frame = frames_build(s, how, &len);

	if (how >= 0xe0 && can_be_cut(frame, len)) {
		ipv4_fragment(frame, len, 82 + frames_take(1) * 8, fake_time, send_cut, &s->f);
	} else {
		send_whole(s, frame, len, how < 0x80);
	}
	netevent_insist(frames_look());
}

/* ---- what holds whatever happened ---- */

static void check_switch(struct netswitch *sw)
{
	uint16_t learnt[MACTABLE_PORTS] = { 0 };
	const struct mac_entry *e;
	uint32_t at = 0;

	while ((e = mactable_next(&sw->macs, &at)) != NULL) {
		netevent_insist(sw->port[e->port] != NULL);
		learnt[e->port] = (uint16_t)(learnt[e->port] + (e->seen != MACTABLE_FIXED));
	}
	netevent_insist(memcmp(learnt, sw->macs.learnt, sizeof(learnt)) == 0);
}

/* Nothing that is counted is shorter than a frame. */
static void check_ports(struct netswitch *sw)
{
	struct netswitch_port port;
	unsigned int at = 0;

	while (netswitch_next_port(sw, &at, &port)) {
		netevent_insist(port.stats.sent_bytes >= port.stats.sent * ETH_LEN &&
				port.stats.received_bytes >= port.stats.received * ETH_LEN);
		for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
			netevent_insist(port.stats.drops[i] == 0 ||
					netport_drop_name((enum netport_drop)i) != NULL);
		}
	}
	check_switch(sw);
}

/* Nobody has two addresses. */
static void check_leases(struct natnet *net)
{
	struct dhcps_lease a, b;

	for (unsigned int i = 0; natnet_next_lease(net, &i, fake_time, &a);) {
		for (unsigned int k = i; natnet_next_lease(net, &k, fake_time, &b);) {
			netevent_insist(a.mac != b.mac && a.ip != b.ip);
		}
	}
}

static void check_realm(const struct nat_realm *r)
{
	uint32_t flows = 0;

	for (unsigned int i = 0; i < NAT_HOSTS; i++) {
		netevent_insist(r->host_flows[i] <= r->most);
		flows += r->host_flows[i];
	}
	netevent_insist(flows == r->flows && r->users == 0);
}

static void check(void)
{
	check_ports(&sw_a);
	check_ports(&sw_b);
	check_ports(&sw_out);
	check_leases(&net_a);
	check_leases(&net_b);
	check_realm(&net_a.realm);
	check_realm(&net_b.realm);
	netevent_insist(host.nat.flows == net_a.realm.flows + net_b.realm.flows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fake_random = 0;
	frames_begin(data, size);
	natfake_setup(NULL);
	while (frames_more()) {
		if (frames_take(1) < 0xe8) {
			step();
		} else {
			netport_burst_end(&burst);
			netevent_any();
			netevent_insist(frames_look());
		}
		fake_time += 1000;
	}
	netport_burst_end(&burst);
	netevent_end();
	check();
	natfake_teardown(NULL);
	return 0;
}
