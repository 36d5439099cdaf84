/* SPDX-License-Identifier: BSD-2-Clause */
/* Does in software what a receiver's hardware (or driver) does not: completes a checksum, cuts a long TCP */
/* segment into those that fit. Copies headers only; payload stays where it is. */
#ifndef DRIVERS_NET_GSO_H
#define DRIVERS_NET_GSO_H

#include "drivers/net/netport.h"

typedef bool gso_emit_fn(void *arg, const struct netpkt *pkt);

/* Length of all headers of a GSO packet; 0 if it is not a TCP segment as NETPKT_GSO_* promises. */
unsigned int gso_header_len(const struct netpkt *pkt);
/* How many segments pkt makes; 1 if it is not GSO. */
unsigned int gso_segments(const struct netpkt *pkt);
/*
 * Emits pkt as a receiver with `offload` takes it: as it is, with its checksum completed, or in
 * segments. Ends early where emit returns false. True: all was emitted. pkt has passed netpkt_is_sane.
 */
bool gso_emit(const struct netpkt *pkt, uint32_t offload, gso_emit_fn *emit, void *arg);

/* Does gso_emit cut it for a receiver with that offload? */
bool gso_is_cut(const struct netpkt *pkt, uint32_t offload);

#endif
