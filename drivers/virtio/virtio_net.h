/* SPDX-License-Identifier: BSD-2-Clause */
/* What management asks a VM's NICs: counters, addresses, the cable. */
/* The device itself needs no header: it registers its class. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_H
#define DRIVERS_VIRTIO_VIRTIO_NET_H

#include "drivers/net/netport.h"

struct vm;

/* The port of vm's n-th NIC, NULL: there is none. The VM is up and stays so: list locked. */
struct netport *virtio_net_port(const struct vm *vm, unsigned int n);
struct virtio_net_counts { /* packets received, since the VM was started */
	uint64_t direct;   /* copied once, from the sender's memory into the driver's buffers */
	uint64_t queued;   /* copied twice, since there were no buffers */
	uint64_t lost;	   /* that the driver had no buffers of their size for */
};
void virtio_net_counts(const struct vm *vm, unsigned int n, struct virtio_net_counts *out);
/* Cable in or out; the driver is told. Any thread, as above. */
void virtio_net_set_link(struct vm *vm, unsigned int n, bool up);

#endif
