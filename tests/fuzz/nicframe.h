/* SPDX-License-Identifier: BSD-2-Clause */
/* What the network card's fuzzer is fed with: the input's bytes, and frames that are what they should be. */
/* Bending them is the caller's. */
#ifndef TESTS_FUZZ_NICFRAME_H
#define TESTS_FUZZ_NICFRAME_H

#include "drivers/net/netport.h"

void nicframe_begin(const uint8_t *data, size_t size);
bool nicframe_more(void);
/* The next bytes of the input as a number; 0s behind its end. */
uint64_t nicframe_take(unsigned int bytes);
/* One in four, so to say: for what is rare. */
bool nicframe_rarely(void);

struct nicframe_kind {
	uint16_t type;	  /* of Ethernet */
	uint8_t proto;	  /* of IP */
	uint8_t l4;	  /* where its header begins, 0: nowhere */
	uint8_t sum;	  /* and where in that the checksum is */
	uint8_t gso;	  /* enum netpkt_gso that it can be */
	uint8_t virtio;	  /* the same in the header of a virtio NIC */
	uint8_t shortest; /* bytes, all headers */
};

/* Any; mostly TCP over IPv4. */
const struct nicframe_kind *nicframe_pick(void);
/* A length for it: short, a usual one, or up to the longest that there is. */
uint32_t nicframe_length(const struct nicframe_kind *k);
/* Headers of a frame of len bytes, of one of 256 flows. */
void nicframe_write(const struct nicframe_kind *k, uint8_t *frame, uint32_t len);

#endif
