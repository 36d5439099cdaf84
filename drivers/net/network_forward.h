/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of the host's that lead to a VM: open at the gateway of its NIC while that is plugged in. The VM */
/* keeps one address meanwhile. What NAT makes of them is nat.c's. */
#ifndef DRIVERS_NET_NETWORK_FORWARD_H
#define DRIVERS_NET_NETWORK_FORWARD_H

#include "drivers/net/network.h"

/*
 * Also opens it if its VM is plugged in. -EEXIST: that port of the uplink's leads somewhere already; -EBUSY: another leads to
 * that port of the VM's; -ENOSPC: too many, or no address for the VM; -EINVAL: a network without gateway or
 * uplink; -ENOMEM. Thread context, no lock held; one at a time, and not while others read net->c.
 */
int network_forward_add(const struct network *net, const struct network_forward *f);
/* Its connections stay until they time out. -ENOENT. As above. */
int network_forward_remove(const struct network *net, uint8_t proto, uint16_t out_port);

/* ---- for network.c ---- */

/* A VM's NIC was plugged into s. Logs what cannot be opened. */
void network_forward_plug(struct network_segment *s, const struct netport *p);
/* It has that address now, whoever gave it: true after the next tick. Any lock below LOCK_NET held. */
void network_forward_move(struct network_segment *s, const struct netport *p, uint32_t ip);
/* Every second, for each network. Thread context, no lock held. */
void network_forward_tick(struct network *net);
/* Nothing leads to p any more, which was unplugged from s. */
void network_forward_unplug(struct network_segment *s, const struct netport *p);

#endif
