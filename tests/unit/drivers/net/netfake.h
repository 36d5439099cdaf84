/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports that remember what they receive, frames built field by field, virtual time. */
/* Also random_bytes (a counter's hash) and thread_yield for programs without them. */
#ifndef TESTS_UNIT_DRIVERS_NET_NETFAKE_H
#define TESTS_UNIT_DRIVERS_NET_NETFAKE_H

#include "drivers/net/netswitch.h"
#include "drivers/net/wire.h"

#define FAKE_QUEUE 64u
#define FAKE_FRAME (NETPKT_LEN_MAX + 8u)

struct fake_frame {
	uint8_t *data; /* malloc'ed */
	uint32_t len;
	uint8_t flags, gso;
	uint16_t gso_size, csum_start, csum_offset, more;
};

struct fake_port {
	struct netport p;
	unsigned int room;  /* frames it still takes */
	unsigned int count; /* frames in got[]; past FAKE_QUEUE they are only counted */
	struct fake_frame got[FAKE_QUEUE];
	unsigned int resumed;
	unsigned int flushed;
	unsigned int link_changes;
	bool empty; /* keep no frames, only count */
};

extern uint64_t fake_time;   /* ns: of every packet sent */
extern uint64_t fake_random; /* bytes that random_bytes has given: what it gives next */
extern unsigned int yielded; /* calls of thread_yield */
extern unsigned int checkpoints;
extern void (*on_yield)(void);

/* "52:54:00:00:00:n" */
#define FAKE_MAC(n) (0x525400000000ul + (n))
/* 10.0.0.n */
#define FAKE_IP(n) (0x0a000000u + (n))

void fake_port_init(struct fake_port *f, const char *name, uint64_t mac);
/* Frees and forgets what it received. */
void fake_port_clear(struct fake_port *f);
/* Sends a frame in one, or `segs`, segments. */
uint64_t fake_send(struct fake_port *f, const void *frame, uint32_t len);
uint64_t fake_send_pkt(struct fake_port *f, const void *frame, uint32_t len, struct netpkt pkt,
		       unsigned int segs);
/* Cuts a frame: head, then up to segs - 1 pieces. seg has NETPKT_SEGS_MAX entries; returns entries. */
uint16_t fake_cut(struct netseg *seg, const void *frame, uint32_t len, unsigned int segs);

/* Builders; each returns the frame's length so far. Checksums are right. */
uint32_t fake_eth(uint8_t *f, uint64_t dst, uint64_t src, uint16_t type);
uint32_t fake_arp(uint8_t *f, uint64_t dst, uint64_t src, uint16_t op, uint64_t sha, uint32_t spa,
		  uint64_t tha, uint32_t tpa);
/* Header of 20 bytes behind fake_eth for `len` bytes of payload. */
void fake_ipv4(uint8_t *f, uint32_t src, uint32_t dst, uint8_t proto, uint32_t len);
/* Whole frames; payload bytes count up from seed. */
uint32_t fake_udp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		  uint16_t sport, uint16_t dport, uint32_t len);
uint32_t fake_tcp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		  uint16_t sport, uint16_t dport, uint8_t flags, uint32_t seq, uint32_t len);
uint32_t fake_icmp(uint8_t *f, uint64_t dst_mac, uint64_t src_mac, uint32_t src, uint32_t dst,
		   uint8_t type, uint8_t code, uint32_t rest, const void *data, uint32_t len);
/* Sets the TCP, UDP or ICMP checksum, and IPv4's, of a whole frame. */
void fake_fix_checksums(uint8_t *f, uint32_t len);
/* Are the checksums of an IPv4 frame right? By a plain loop, not by the code under test. */
bool fake_checksums_right(const uint8_t *f, uint32_t len);
/* RFC 1071 as it is written. */
uint16_t fake_sum(const uint8_t *p, size_t len, uint32_t start);

#endif
