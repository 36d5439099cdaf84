/* SPDX-License-Identifier: BSD-2-Clause */
/* An ARP cache (RFC 826) of fixed size: asks again, gives up, ages, and keeps one short packet for each */
/* address that it waits for. No lock: its owner has one; no clock. */
#ifndef DRIVERS_NET_ARP_H
#define DRIVERS_NET_ARP_H

#include "drivers/net/wire.h"

#define ARP_ENTRIES 64u
#define ARP_ASK	    1000000000ul /* ns between requests: RFC 1122, 2.3.2.1 "at most 1 per second" */
#define ARP_TRIES   3u
#define ARP_AGE	    60000000000ul /* ns: RFC 1122, 2.3.2.1, "order of a minute" */
#define ARP_PENDING 16u		  /* packets kept, of all addresses */

struct arp_entry {
	uint32_t ip;   /* 0: free */
	uint8_t tries; /* requests since the last answer */
	bool known;    /* mac is valid */
	uint64_t mac;
	uint64_t time;	  /* ns: of the answer, or of the last request */
	uint64_t used;	  /* ns: for choosing whom to forget */
	uint8_t *pending; /* on the heap: a frame that waits for mac, or NULL */
	uint32_t pending_len;
};

struct arp_cache {
	struct arp_entry entry[ARP_ENTRIES];
	unsigned int pending;
};

enum arp_answer {
	ARP_KNOWN,  /* *mac is filled in */
	ARP_ASK_IT, /* send a request now, and keep the packet */
	ARP_WAIT,   /* a request is under way: keep the packet */
	ARP_DEAD,   /* nobody answers */
};
enum arp_answer arp_lookup(struct arp_cache *a, uint32_t ip, uint64_t now, uint64_t *mac);
/*
 * Keeps a frame for ip, which is being asked for; an older one makes way. Frames longer than
 * ETH_FRAME_MAX and more than ARP_PENDING in all are not kept: false.
 */
bool arp_keep(struct arp_cache *a, uint32_t ip, const uint8_t *frame, uint32_t len);
/*
 * ip is at mac: learnt if we asked, or know ip already, or `add`. Returns the frame that waited (its
 * length in *len; the caller frees it), or NULL.
 */
uint8_t *arp_learn(struct arp_cache *a, uint32_t ip, uint64_t mac, bool add, uint64_t now,
		   uint32_t *len);
/* Requests that are due: the next address to ask for again, or 0. Frees what nobody answers for. */
uint32_t arp_tick(struct arp_cache *a, uint64_t now);
/* Forgets all and frees what waits. */
void arp_clear(struct arp_cache *a);

/* What an ARP frame for Ethernet and IPv4 says; false if it is none. */
struct arp_msg {
	uint16_t op;
	uint64_t sha, tha;
	uint32_t spa, tpa;
};
bool arp_parse(const uint8_t *arp, size_t len, struct arp_msg *m);
/* A whole frame, padded to 60 bytes; always ARP_FRAME long. */
#define ARP_FRAME 60u
void arp_build(uint8_t frame[ARP_FRAME], uint64_t dst, const struct arp_msg *m);

#endif
