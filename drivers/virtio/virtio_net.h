/* SPDX-License-Identifier: BSD-2-Clause */
/* What management asks a VM's NICs: counters, addresses, the cable. */
/* The device itself needs no header: it registers its class. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_H
#define DRIVERS_VIRTIO_VIRTIO_NET_H

#include "drivers/net/netport.h"

struct vm;

/* The port of vm's n-th NIC, NULL: there is none. The VM is up and stays so: list locked. */
struct netport *virtio_net_port(const struct vm *vm, unsigned int n);
/* Packets that the driver had no buffers of their size for, or announced none in time. */
uint64_t virtio_net_lost(const struct vm *vm, unsigned int n);
/* Cable in or out; the driver is told. Any thread, as above. */
void virtio_net_set_link(struct vm *vm, unsigned int n, bool up);

#endif
