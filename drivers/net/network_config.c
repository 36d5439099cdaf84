/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the defaults of a network's configuration. */
/* Does not parse: that is hv/mgmt/config. */
#include "drivers/net/network_config.h"
#include "hv/lib/string.h"

static const struct network_subnet subnets[] = {
	[NETWORK_INTERNAL] = { 0, 0 },
	[NETWORK_NATNET] = { 0x0a000300, 24 },
	[NETWORK_NAT] = { 0x0a000200, 24 },
	[NETWORK_BRIDGE] = { 0, 0 },
};

void network_config_defaults(struct network_config *c)
{
	memset(c, 0, sizeof(*c));
	c->mtu = NETWORK_MTU;
	c->lease = NETWORK_LEASE;
}

struct network_subnet network_config_subnet(const struct network_config *c)
{
	return c->subnet.addr != 0 ? c->subnet : subnets[c->mode];
}
