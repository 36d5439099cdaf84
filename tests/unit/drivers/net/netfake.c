/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports that remember, frames built field by field. */
/* Shares no code with what it tests but the header of offsets. */
#include "tests/unit/drivers/net/netfake.h"
#include "hv/base/random.h"
#include "hv/thread.h"

#include <stdlib.h>
#include <string.h>

uint64_t fake_time = 1000;
uint64_t fake_random;
unsigned int yielded;
unsigned int checkpoints;
void (*on_yield)(void);

void random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len-- > 0) {
		*p++ = (uint8_t)(++fake_random * 0x9e3779b97f4a7c15ul >> 56);
	}
}

void thread_yield(void)
{
	yielded++;
	if (on_yield != NULL) {
		on_yield();
	}
}

void thread_checkpoint(void)
{
	checkpoints++;
}

static struct fake_port *fake_of(struct netport *p)
{
	return container_of(p, struct fake_port, p);
}

static bool receive(struct netport *p, const struct netpkt *pkt)
{
	struct fake_port *f = fake_of(p);

	if (f->room < 1u + pkt->more) {
		return false;
	}
	f->room--;
	if (!f->empty && f->count < FAKE_QUEUE) {
		struct fake_frame *g = &f->got[f->count];

		*g = (struct fake_frame){ malloc(pkt->len), pkt->len,	   pkt->flags,
					  pkt->gso,	    pkt->gso_size, pkt->csum_start,
					  pkt->csum_offset, pkt->more };
		if (g->data == NULL || netpkt_copy(pkt, 0, g->data, pkt->len) != pkt->len) {
			abort();
		}
	}
	f->count++;
	return true;
}

static void resume(struct netport *p)
{
	fake_of(p)->resumed++;
}

static void link_changed(struct netport *p)
{
	fake_of(p)->link_changes++;
}

static void flush(struct netport *p)
{
	fake_of(p)->flushed++;
}

static const struct netport_ops ops = { receive, resume, link_changed, flush };

void fake_port_init(struct fake_port *f, const char *name, uint64_t mac)
{
	memset(f, 0, sizeof(*f));
	f->p.ops = &ops;
	strncpy(f->p.name, name, sizeof(f->p.name) - 1);
	wire_put48(f->p.mac, mac);
	f->p.max_len = ETH_FRAME_MAX;
	f->p.link = true;
	f->room = 1000000000;
}

void fake_port_clear(struct fake_port *f)
{
	for (unsigned int i = 0; i < FAKE_QUEUE; i++) {
		free(f->got[i].data);
	}
	memset(f->got, 0, sizeof(f->got));
	f->count = 0;
}

uint16_t fake_cut(struct netseg *seg, const void *frame, uint32_t len, unsigned int segs)
{
	uint32_t at = (uint32_t)u64_min(len, NETPKT_HEAD), n = 1;

	seg[0] = (struct netseg){ frame, at };
	while (at < len) {
		uint32_t left = len - at, most = left / (segs > n ? segs - n : 1);

		seg[n] = (struct netseg){ (const uint8_t *)frame + at, segs > n + 1 ? most : left };
		seg[n].len = seg[n].len == 0 ? left : seg[n].len;
		at += seg[n++].len;
	}
	return (uint16_t)n;
}

uint64_t fake_send_pkt(struct fake_port *f, const void *frame, uint32_t len, struct netpkt pkt,
		       unsigned int segs)
{
	struct netseg seg[NETPKT_SEGS_MAX];
	uint8_t *copy =
		malloc(len > 0 ? len : 1); /* exact, so that the sanitizer sees every overrun */
	uint64_t wait;

	memcpy(copy, frame, len);
	pkt.segs = fake_cut(seg, copy, len, segs);
	pkt.seg = seg;
	pkt.len = len;
	pkt.time = fake_time;
	wait = netport_send(&f->p, &pkt);
	free(copy);
	return wait;
}

uint64_t fake_send(struct fake_port *f, const void *frame, uint32_t len)
{
	return fake_send_pkt(f, frame, len, (struct netpkt){ 0 }, 3);
}

/* ---- frames ---- */

uint16_t fake_sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint64_t sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	}
	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

uint32_t fake_eth(uint8_t *f, uint64_t dst, uint64_t src, uint16_t type)
{
	wire_put48(f + ETH_DST, dst);
	wire_put48(f + ETH_SRC, src);
	wire_put16(f + ETH_TYPE, type);
	return ETH_LEN;
}

uint32_t fake_arp(uint8_t *f, uint64_t dst, uint64_t src, uint16_t op, uint64_t sha, uint32_t spa,
		  uint64_t tha, uint32_t tpa)
{
	uint8_t *a = f + fake_eth(f, dst, src, ETH_ARP);

	wire_put16(a + ARP_HTYPE, 1);
	wire_put16(a + ARP_PTYPE, ETH_IPV4);
	a[ARP_HLEN] = 6;
	a[ARP_PLEN] = 4;
	wire_put16(a + ARP_OP, op);
	wire_put48(a + ARP_SHA, sha);
	wire_put32(a + ARP_SPA, spa);
	wire_put48(a + ARP_THA, tha);
	wire_put32(a + ARP_TPA, tpa);
	return ETH_LEN + ARP_LEN;
}

void fake_ipv4(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
	uint8_t *ip = f + ETH_LEN;

	memset(ip, 0, IPV4_LEN);
	ip[IPV4_VIHL] = 0x45;
	wire_put16(ip + IPV4_TOTAL, (uint16_t)(IPV4_LEN + len));
	wire_put16(ip + IPV4_ID, 0x1234);
	ip[IPV4_TTL] = 64;
	ip[IPV4_PROTO] = proto;
	wire_put32(ip + IPV4_SRC, src);
	wire_put32(ip + IPV4_DST, dst);
	wire_put16(ip + IPV4_SUM, (uint16_t)~fake_sum(ip, IPV4_LEN, 0));
}

static uint32_t pseudo(const uint8_t *ip, uint32_t l4_len)
{
	return (uint32_t)fake_sum(ip + IPV4_SRC, 8, 0) + ip[IPV4_PROTO] + l4_len;
}

/* Offset of the checksum field in a transport header, and whether it has a pseudo header. */
static int field_of(uint8_t proto)
{
	return proto == IP_TCP ? TCP_SUM : proto == IP_UDP ? UDP_SUM : proto == IP_ICMP ? 2 : -1;
}

static uint16_t l4_sum(const uint8_t *f)
{
	const uint8_t *ip = f + ETH_LEN;
	uint32_t ihl = (ip[0] & 15u) * 4, len = wire_get16(ip + IPV4_TOTAL) - ihl;
	uint32_t start = ip[IPV4_PROTO] == IP_ICMP ? 0 : pseudo(ip, len);

	return fake_sum(ip + ihl, len, start);
}

void fake_fix_checksums(uint8_t *f, uint32_t len)
{
	uint8_t *ip = f + ETH_LEN;
	uint32_t ihl = (ip[0] & 15u) * 4;
	int field = field_of(ip[IPV4_PROTO]);

	(void)len;
	wire_put16(ip + IPV4_SUM, 0);
	wire_put16(ip + IPV4_SUM, (uint16_t)~fake_sum(ip, ihl, 0));
	if (field >= 0 && (wire_get16(ip + IPV4_FRAG) & 0x3fff) == 0) {
		wire_put16(ip + ihl + field, 0);
		uint16_t sum = (uint16_t)~l4_sum(f);
		wire_put16(ip + ihl + field, sum == 0 && ip[IPV4_PROTO] == IP_UDP ? 0xffff : sum);
	}
}

bool fake_checksums_right(const uint8_t *f, uint32_t len)
{
	const uint8_t *ip = f + ETH_LEN;
	uint32_t ihl = (ip[0] & 15u) * 4;

	if (wire_get16(f + ETH_TYPE) != ETH_IPV4 || wire_get16(ip + IPV4_TOTAL) + 14u > len ||
	    fake_sum(ip, ihl, 0) != 0xffff) {
		return false;
	}
	if ((wire_get16(ip + IPV4_FRAG) & 0x3fff) || field_of(ip[IPV4_PROTO]) < 0) {
		return true;
	}
	if (ip[IPV4_PROTO] == IP_UDP && wire_get16(ip + ihl + UDP_SUM) == 0) {
		return true;
	}
	return l4_sum(f) == 0xffff;
}

static void fill(uint8_t *p, uint32_t len, uint32_t seed)
{
	for (uint32_t i = 0; i < len; i++) {
		p[i] = (uint8_t)(seed + i + (i >> 8) * 7);
	}
}

uint32_t fake_udp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		  uint16_t sport, uint16_t dport, uint32_t len)
{
	uint8_t *udp = f + ETH_LEN + IPV4_LEN;

	fake_eth(f, dst_mac, src_mac, ETH_IPV4);
	fake_ipv4(f, src, dst, IP_UDP, UDP_LEN + len);
	wire_put16(udp + UDP_SPORT, sport);
	wire_put16(udp + UDP_DPORT, dport);
	wire_put16(udp + UDP_LENGTH, (uint16_t)(UDP_LEN + len));
	fill(udp + UDP_LEN, len, sport);
	fake_fix_checksums(f, ETH_LEN + IPV4_LEN + UDP_LEN + len);
	return ETH_LEN + IPV4_LEN + UDP_LEN + len;
}

uint32_t fake_tcp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		  uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t len)
{
	uint8_t *tcp = f + ETH_LEN + IPV4_LEN;

	fake_eth(f, dst_mac, src_mac, ETH_IPV4);
	fake_ipv4(f, src, dst, IP_TCP, TCP_LEN + len);
	memset(tcp, 0, TCP_LEN);
	wire_put16(tcp + TCP_SPORT, sport);
	wire_put16(tcp + TCP_DPORT, dport);
	wire_put32(tcp + TCP_SEQ, seq);
	tcp[TCP_OFFSET] = 5 << 4;
	tcp[TCP_FLAGS] = flags;
	wire_put16(tcp + TCP_WINDOW, 0xffff);
	fill(tcp + TCP_LEN, len, seq);
	fake_fix_checksums(f, ETH_LEN + IPV4_LEN + TCP_LEN + len);
	return ETH_LEN + IPV4_LEN + TCP_LEN + len;
}

uint32_t fake_icmp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		   uint8_t type, uint8_t code, uint32_t rest, const void *data, uint32_t len)
{
	uint8_t *icmp = f + ETH_LEN + IPV4_LEN;

	fake_eth(f, dst_mac, src_mac, ETH_IPV4);
	fake_ipv4(f, src, dst, IP_ICMP, 8 + len);
	icmp[0] = type;
	icmp[1] = code;
	wire_put32(icmp + 4, rest);
	memcpy(icmp + 8, data, len);
	fake_fix_checksums(f, ETH_LEN + IPV4_LEN + 8 + len);
	return ETH_LEN + IPV4_LEN + 8 + len;
}
