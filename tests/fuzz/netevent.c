/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a network besides frames: time, cables, limits, lack of memory, what administrators do. */
/* Captures are checked here; what else has to hold is fuzz_net.c's. */
#include "tests/fuzz/netevent.h"
#include "drivers/net/pcap.h"
#include "drivers/net/ping.h"
#include "fakes/fake_heap.h"
#include "hv/lib/bytes.h"
#include "tests/fuzz/frames.h"
#include "tests/fuzz/frames_dhcp.h"

#include <stdlib.h>
#include <string.h>

void netevent_insist(bool right)
{
	if (!right) {
		abort();
	}
}

/* ---- a capture, and what is read of it ---- */

static struct recording {
	struct netport *p; /* NULL: none */
	uint32_t snaplen;
	struct pcap_counts counts;
	size_t len;
	uint8_t file[MIB];
} rec;

static void record_begin(uint32_t n)
{
	static const char *const names[] = { "station", "gateway", "host", "nobody" };
	struct netswitch *const switches[] = { &sw_a, &sw_b, &sw_out };
	struct netport *p = netswitch_hold_port(switches[n % 3], names[n / 4 % 4]);

	rec.snaplen = 150 + n;
	rec.len = 0;
	if (p != NULL) {
		rec.p = pcap_start(p, 100 + n * 41, rec.snaplen) == 0 ? p : NULL;
		netevent_insist(rec.p == NULL || pcap_start(p, 1000, 300) != 0);
		netswitch_release_port(p);
	}
}

/* False: nothing new, or nobody records any more. */
static bool record_read(size_t len)
{
	len = u64_min(len, sizeof(rec.file) - rec.len);
	if (!pcap_read(rec.p, rec.file + rec.len, &len, &rec.counts)) {
		rec.p = NULL;
		return false;
	}
	rec.len += len;
	return len > 0;
}

/* As many whole records as it says, and nothing else. */
static void check_file(void)
{
	size_t at = 24;
	uint64_t packets = 0;

	for (; at + 16 <= rec.len; packets++) {
		uint32_t len = bytes_get_le32(rec.file + at + 8);

		netevent_insist(len == u64_min(rec.snaplen, bytes_get_le32(rec.file + at + 12)));
		at += 16 + len;
	}
	netevent_insist(at == rec.len && packets == rec.counts.packets);
}

static void record_end(void)
{
	while (rec.p != NULL && record_read(1000)) {
	}
	if (rec.p != NULL) {
		if (rec.len < sizeof(rec.file)) {
			check_file();
		}
		pcap_stop(rec.p);
	}
	rec.p = NULL;
}

static void capture(struct station *s, uint32_t n)
{
	(void)s;
	if (rec.p == NULL) {
		record_begin(n);
	} else if (n < 0x80) {
		record_read(n * 4);
	} else {
		record_end();
	}
}

/* ---- everything else that happens ---- */

static struct netport *some_port(struct station *s, uint32_t n)
{
	struct netport *const inner[] = { &host.outside.port, &net_a.inside.port,
					  &net_b.inside.port };

	return n < 0xc0 ? &s->f.p : inner[n % ARRAY_SIZE(inner)];
}

static void forward_add(struct station *s, uint32_t n)
{
	(void)s;
	natnet_forward_add(n & 1 ? &net_a : &net_b, n & 2 ? IP_UDP : IP_TCP, n & 4 ? 53 : 8080,
			   n & 8 ? GW_IP : IN_IP(10), n & 16 ? 0 : 80);
}

static void forward_remove(struct station *s, uint32_t n)
{
	(void)s;
	natnet_forward_remove(n & 1 ? &net_a : &net_b, IP_TCP, 8080);
}

static void set_guard(struct station *s, uint32_t n)
{
	struct netguard g = { .flags = n & NETGUARD_ALL, 1, { s->ip }, 0 };

	netswitch_set_guard(&s->f.p, &g);
	netswitch_set_host(s->f.p.sw, n & 8 ? s->ip : 0);
	if (n & 16) {
		netswitch_set_leased(&s->f.p, n & 32 ? IN_IP(10) : s->ip);
	}
}

static void set_room(struct station *s, uint32_t n)
{
	netport_lose(&s->f.p, NETPORT_DROP_FULL);
	s->f.room = n % 16 < 4 ? n % 4 : 1000000;
	netport_ready(&s->f.p);
}

static void set_offload(struct station *s, uint32_t n)
{
	s->f.p.offload = n & 7;
}

static void set_link(struct station *s, uint32_t n)
{
	netport_set_link(some_port(s, n), n & 8);
}

static void set_rates(struct station *s, uint32_t n)
{
	static const uint64_t rates[] = { 0, 1000, 100000, 10000000 };

	netswitch_set_rates(some_port(s, n), rates[n / 8 % 4], rates[n / 32 % 4], fake_time);
}

static void lack_memory(struct station *s, uint32_t n)
{
	(void)s;
	fake_heap_limit = n < 0x80 ? n % 8 : ~0ul;
}

/* The host forgets its address. */
static void use_dhcp(struct station *s, uint32_t n)
{
	(void)s;
	host.c.addr = 0;
	dhcpc_init(&host.dhcpc, HOST, n & 1 ? "host" : "");
}

static void pass(unsigned int ticks, uint64_t each)
{
	for (unsigned int i = 0; i < ticks; i++) {
		fake_time += each;
		hostif_tick(&host, fake_time);
		natnet_tick(&net_a, fake_time);
		natnet_tick(&net_b, fake_time);
		netevent_insist(frames_look());
	}
	netswitch_tick(&sw_a, fake_time);
	netswitch_tick(&sw_b, fake_time);
	netswitch_tick(&sw_out, fake_time);
	natfake_greet();
}

static void pass_seconds(struct station *s, uint32_t n)
{
	(void)s;
	pass(1 + n % 8, SECOND);
}

static void pass_minutes(struct station *s, uint32_t n)
{
	(void)s;
	pass(1 + n % 16, 30 * SECOND);
}

static void pass_hours(struct station *s, uint32_t n)
{
	(void)s;
	pass(1 + n % 2, n * 60 * SECOND);
}

/* A server answers each of the host's first messages. */
static void get_address(struct station *s, uint32_t n)
{
	uint8_t frame[UDP_DATA + DHCP_MAX];

	use_dhcp(s, n);
	for (unsigned int i = 0; i < 2; i++) {
		pass(1, SECOND);
		fake_send(&st[S1].f, frame, frames_dhcp_answer(frame, &st[S1]));
	}
}

static uint32_t learnable(struct station *s, uint32_t i)
{
	return fake_udp(nf_frame, s->hop, FAKE_MAC(0x1000 + i), s->ip, HOST_IP, 9, 9, 1);
}

/* Four messages of each client: it asks, takes an address, does something with it, asks again. */
static uint32_t lease(struct station *s, uint32_t i)
{
	static const uint8_t types[] = { DHCP_DISCOVER, DHCP_REQUEST, 0, DHCP_DISCOVER };
	static const uint8_t uses[] = { DHCP_DECLINE, DHCP_RELEASE, DHCP_REQUEST, DHCP_INFORM };
	bool uses_it = types[i % 4] == 0;
	uint32_t ip = IN_IP(10 + i / 4 % 16);
	struct dhcp_msg m = { .op = DHCP_OP_REQUEST,
			      .type = uses_it ? uses[i / 4 % 4] : types[i % 4],
			      .ciaddr = uses_it ? ip : 0,
			      .chaddr = FAKE_MAC(0x1000 + i / 4) };
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	dhcp_put32(&o, DHCP_OPT_REQUESTED, ip);
	dhcp_end(&o);
	memcpy(nf_frame + UDP_DATA, o.buf, o.len);
	ipv4_build_udp(nf_frame, 0, IPV4_BROADCAST, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, o.len);
	fake_eth(nf_frame, s->hop, m.chaddr, ETH_IPV4);
	return UDP_DATA + o.len;
}

static uint32_t talk(struct station *s, uint32_t i)
{
	return fake_udp(nf_frame, s->hop, s->mac, s->ip, FAKE_IP(1), (uint16_t)(1000 + i), 53, 1);
}

static uint32_t give_up(struct station *s, uint32_t i)
{
	return fake_tcp(nf_frame, s->hop, s->mac, s->ip, FAKE_IP(1), (uint16_t)(1000 + i / 2), 80,
			i & 1 ? TCP_RST : TCP_SYN, i, 0);
}

static void crowd(struct station *s, uint32_t n)
{
	static uint32_t (*const builders[])(struct station *, uint32_t) = { learnable, lease, talk,
									    give_up };
	uint32_t (*build)(struct station *, uint32_t) = builders[n % ARRAY_SIZE(builders)];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = build(s, i);

		fake_send(&s->f, nf_frame, len);
	}
}

static void reserve(struct station *s, uint32_t n)
{
	struct natnet *net = n & 1 ? &net_a : &net_b;
	uint64_t mac = n & 2 ? s->mac : FAKE_MAC(0x1000 + n / 32);
	uint32_t ip = 0;

	if (n & 4) {
		natnet_unreserve(net, mac);
	} else {
		ip = natnet_reserve(net, mac, n & 8 ? IN_IP(10 + n / 16) : 0);
	}
	netevent_insist(ip == 0 || natnet_reserve(net, mac, ip) == ip);
}

/* The segment gets other addresses: few and fixed ones, a subnet that is another one, wrong ones. */
static void move(struct station *s, uint32_t n)
{
	static const struct dhcps_config to[] = {
		{ GW_IP, 0xffffff00, IN_IP(10), IN_IP(20), .lease = 3600 },
		{ GW_IP, 0xffffff00, IN_IP(10), IN_IP(11), .dns = FAKE_IP(2), .lease = 60,
		  .next_server = FAKE_IP(2), .bootfile = "boot.efi",
		  .host = { { FAKE_MAC(0x11), IN_IP(11) }, { FAKE_MAC(0x12), IN_IP(40) } },
		  .hosts = 2 },
		{ IN_IP(257), 0xffffff00, IN_IP(258), IN_IP(260), .lease = 60 },
		{ GW_IP, 0xffffff00, IN_IP(0), IN_IP(11), .lease = 60 },
	};

	(void)s;
	natnet_move(n & 1 ? &net_a : &net_b, &to[n / 2 % ARRAY_SIZE(to)], fake_time);
}

/* Unplugged, and another of the same address plugged in; perhaps a neighbour's crowd is learnt meanwhile. */
static void plug(struct station *s, uint32_t n)
{
	static const uint32_t lens[] = { ETH_FRAME_MAX, 600, 9014, NETPKT_LEN_MAX };
	struct netswitch *sw = s->f.p.sw;

	record_end();
	netswitch_detach(&s->f.p);
	if (frames_take(1) & 1) {
		crowd(&st[(s - st + 1) % STATIONS], 252);
	}
	fake_port_init(&s->f, "station", s->mac);
	s->f.p.policy = n % 32;
	s->f.p.max_len = lens[n / 32 % ARRAY_SIZE(lens)];
	netevent_insist(netswitch_attach(sw, &s->f.p) == 0);
}

/* ---- the host's pings ---- */

static struct ping request;
static bool pinging;

static void ping_end(void)
{
	if (pinging) {
		ping_close(&request);
	}
	pinging = false;
}

/* Something like an answer: to this request or another, from whom it was sent to or somebody else. */
static void ping_answer(struct station *s, uint32_t n)
{
	static const uint8_t data[256];
	uint32_t ids = (uint32_t)(request.id ^ (n & 1)) << 16 | (request.seq ^ (n >> 1 & 1));

	fake_time += n;
	fake_send(&s->f, nf_frame,
		  fake_icmp(nf_frame, n & 4 ? HOST : s->hop, s->mac, s->ip, HOST_IP,
			    n & 8 ? ICMP_UNREACHABLE : ICMP_ECHO_REPLY, 0, ids, data, n));
}

static void ping(struct station *s, uint32_t n)
{
	if (!pinging) {
		pinging = ping_open(&request, &host, n & 1 ? s->ip : HOST_IP) == 0;
	} else if (n < 0xe0) {
		ping_send(&request, fake_time);
		ping_answer(s, n);
		netevent_insist(ping_took(&request) <= n + 1);
	} else {
		ping_end();
	}
}

static void (*const events[])(struct station *, uint32_t) = {
	forward_add, forward_remove, set_guard,	   set_room, set_offload, lack_memory, use_dhcp,
	pass_hours,  pass_seconds,   pass_minutes, set_link, set_rates,	  capture,     crowd,
	capture,     reserve,	     get_address,  move,     plug,	  ping,
};

void netevent_any(void)
{
	uint32_t what = frames_take(1), n = frames_take(1);

	events[what % ARRAY_SIZE(events)](&st[frames_take(1) % STATIONS], n);
}

void netevent_end(void)
{
	fake_heap_limit = ~0ul;
	record_end();
	ping_end();
}
