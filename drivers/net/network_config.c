/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the defaults of a network's configuration. */
/* Does not parse: that is hv/mgmt/config. */
#include "drivers/net/network_config.h"
#include "hv/lib/string.h"

/* No network holds both, so that one is free wherever the host is. */
static const struct network_subnet subnets[][2] = {
	[NETWORK_INTERNAL] = { { 0, 0 }, { 0, 0 } },
	[NETWORK_NATNET] = { { 0x0a000300, 24 }, { 0xac1f0300, 24 } },
	[NETWORK_NAT] = { { 0x0a000200, 24 }, { 0xac1f0200, 24 } },
	[NETWORK_BRIDGE] = { { 0, 0 }, { 0, 0 } },
};

void network_config_defaults(struct network_config *c)
{
	memset(c, 0, sizeof(*c));
	c->mtu = NETWORK_MTU;
	c->lease = NETWORK_LEASE;
}

struct network_subnet network_config_subnet(const struct network_config *c, uint32_t addr,
					    uint32_t mask)
{
	const struct network_subnet *s = subnets[c->mode];

	if (c->subnet.addr != 0) {
		return c->subnet;
	}
	return addr != 0 && network_overlaps(s, addr, mask) ? s[1] : s[0];
}
