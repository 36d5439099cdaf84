/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames a virtio NIC takes: 5.1.6.5.1 "Packet Receive Filtering", 5.1.6.5.2 "Setting MAC Address */
/* Filtering". Knows no queue. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_FILTER_H
#define DRIVERS_VIRTIO_VIRTIO_NET_FILTER_H

#include "hv/base/lock.h"

#define VIRTIO_NET_MACS 64u /* in the table; of more all are taken */

enum virtio_net_mode {
	VIRTIO_NET_PROMISC = 1,
	VIRTIO_NET_ALLMULTI = 2,
	VIRTIO_NET_MANY_UNI = 4, /* more than the table holds */
	VIRTIO_NET_MANY_MULTI = 8,
	VIRTIO_NET_MODES = 16,
};

struct virtio_net_macs {
	uint8_t count;
	uint8_t mac[VIRTIO_NET_MACS][6];
};

struct virtio_net_filter_state { /* saved */
	uint8_t mac[6];		 /* its own */
	uint8_t mode;		 /* enum virtio_net_mode; atomic */
	struct virtio_net_macs table;
};
_Static_assert(sizeof(struct virtio_net_filter_state) == 392, "part of the saved state");

struct virtio_net_filter {
	struct virtio_net_filter_state *s; /* (c) */
	uint64_t own;			   /* s->mac as a number, atomic */
	struct spinlock lock;		   /* LOCK_NET_PORT: s->table */
};

void virtio_net_filter_init(struct virtio_net_filter *f, struct virtio_net_filter_state *s);
/* Power-on: everything is taken, as by a driver that knows no modes. */
void virtio_net_filter_reset(struct virtio_net_filter *f, const uint8_t mac[6]);
/* After s was loaded. -EINVAL */
int virtio_net_filter_load(struct virtio_net_filter *f);
/* -EINVAL: that is no card's address. */
int virtio_net_filter_set_mac(struct virtio_net_filter *f, const uint8_t mac[6]);
/* Of the modes in `mask` those in `on`. */
void virtio_net_filter_set_mode(struct virtio_net_filter *f, uint8_t mask, uint8_t on);
void virtio_net_filter_set_table(struct virtio_net_filter *f, const struct virtio_net_macs *table);
/* That of one that is not promiscuous. */
bool virtio_net_filter_lists(struct virtio_net_filter *f, const uint8_t dst[6]);
/* Any thread, no lock of rank LOCK_NET_PORT held. */
static inline bool virtio_net_filter_takes(struct virtio_net_filter *f, const uint8_t dst[6])
{
	return (__atomic_load_n(&f->s->mode, __ATOMIC_RELAXED) & VIRTIO_NET_PROMISC) ||
	       virtio_net_filter_lists(f, dst);
}

#endif
