/* SPDX-License-Identifier: BSD-2-Clause */
/* Records what a port sends and receives as a pcap file that is read while it grows, from a ring in */
/* memory: who reads too slowly loses whole packets, which are counted. */
#ifndef DRIVERS_NET_PCAP_H
#define DRIVERS_NET_PCAP_H

#include "drivers/net/netport.h"

struct pcap {
	uint8_t *ring;	  /* (c) */
	uint32_t size;	  /* (c) */
	uint32_t snaplen; /* (c) bytes kept of a packet */
	uint32_t head;	  /* where the next record goes */
	uint32_t tail;	  /* where reading goes on */
	uint32_t end;	  /* with head below tail: where reading wraps */
	uint32_t last;	  /* where the newest record began */
	bool can_undo;	  /* and nothing of it was read */
	uint64_t packets, lost;
};

/*
 * Records p's packets, up to snaplen bytes of each, in a ring of `size` bytes that begins with the file's
 * header. -EBUSY: somebody does so already; -EINVAL: sizes that make no sense; -ENOMEM. Thread context.
 */
int pcap_start(struct netport *p, uint32_t size, uint32_t snaplen);
/*
 * Takes up to len bytes of the file; 0: nothing new. *counts: so far. False: nobody records p's packets
 * (any more).
 */
struct pcap_counts {
	uint64_t packets;
	uint64_t lost; /* that found no room */
};
bool pcap_read(struct netport *p, void *buf, size_t *len, struct pcap_counts *counts);
void pcap_stop(struct netport *p);

/* The port's side, for a port with a capture; the switch's lock held. Which record it is; 0: no room. */
uint64_t pcap_record(struct pcap *c, const struct netpkt *pkt);
/* That record's packet was not sent after all: it goes, if it is the newest and nothing of it was read. */
void pcap_undo(struct pcap *c, uint64_t record);

#endif
