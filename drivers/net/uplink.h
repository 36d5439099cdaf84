/* SPDX-License-Identifier: BSD-2-Clause */
/* Host NICs by name: each with the switch that bridged guests are plugged into, and the host's address, */
/* behind which NAT networks are. */
#ifndef DRIVERS_NET_UPLINK_H
#define DRIVERS_NET_UPLINK_H

#include "drivers/net/hostif.h"
#include "drivers/net/network.h"

struct uplink {
	struct list_node node; /* [list] never taken out */
	struct netport *nic;   /* (c) */
	const struct netnic_ops *ops;
	struct network_segment segment; /* its net is NULL: any number of networks share it */
	struct hostif *host; /* NULL until something needs the host's address; then for good */
	struct uplink_config c;
};

/* NULL: no host NIC has that name. */
struct uplink *uplink_find(const char *name);
/* In order of their names; NULL gives the first, NULL after the last. */
struct uplink *uplink_next(struct uplink *prev);
/* What DHCP servers are told from now on; what is not a letter, a digit, '-' or '.' becomes '-'. */
void uplink_set_hostname(const char *name);
/*
 * How the host gets its address there: once, and before any network that uses it, for else it is by DHCP.
 * -ENODEV: no such uplink; -EBUSY: it has one; -ENOMEM.
 */
int uplink_configure(const struct uplink_config *c);
/* Makes sure that the host has, or will get, an address there. -ENOMEM. Thread context, no lock held. */
int uplink_need_host(struct uplink *u);
/* Every second. Thread context, no lock held. */
void uplink_tick(uint64_t now);

#endif
