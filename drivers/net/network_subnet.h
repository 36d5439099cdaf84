/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses a private segment has: those configured, or some that the host's own network has not. */
/* What a gateway does with them is natnet.c's. */
#ifndef DRIVERS_NET_NETWORK_SUBNET_H
#define DRIVERS_NET_NETWORK_SUBNET_H

#include "drivers/net/network.h"

/* What the gateway of a segment of net in that subnet gives its guests. -EINVAL: there is no room for any. */
int network_subnet_dhcp(const struct network *net, struct network_subnet sub,
			struct dhcps_config *c);
/*
 * RFC 4787, REQ-7: if the host's network turns out to have addresses of s, s gets others as soon as no
 * guest has one; a subnet that is configured stays, and the log says so. Every second. Thread context, no lock held.
 */
void network_subnet_keep_apart(struct network_segment *s, uint64_t now);

#endif
