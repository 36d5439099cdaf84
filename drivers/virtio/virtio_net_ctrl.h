/* SPDX-License-Identifier: BSD-2-Clause */
/* The control queue of a virtio NIC: modes of receiving, addresses, announcements, pairs of queues, offload. */
/* Not what these do. */
#ifndef DRIVERS_VIRTIO_VIRTIO_NET_CTRL_H
#define DRIVERS_VIRTIO_VIRTIO_NET_CTRL_H

#include "hv/lib/types.h"

struct virtio_net;
struct virtq;

/* Answers the driver's commands in q. A thread of the VM, devices' lock held. */
void virtio_net_ctrl_serve(struct virtio_net *n, struct virtq *q);

#endif
