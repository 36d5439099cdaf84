/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets as a whole, for this folder; the rest is in netport.h, for everyone. */
/* Changes none. */
#ifndef DRIVERS_NET_NETPKT_H
#define DRIVERS_NET_NETPKT_H

#include "drivers/net/netport.h"

/*
 * Can the rest of this folder rely on it? Lengths within bounds, a head, a source address that is one,
 * the checksum field within the head, and a GSO packet's headers what they should be.
 */
bool netpkt_is_sane(const struct netpkt *pkt);

#endif
