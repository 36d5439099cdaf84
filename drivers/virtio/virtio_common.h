/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the common and the device configuration, over any transport. */
/* Where they appear is the transport's. */
#ifndef DRIVERS_VIRTIO_VIRTIO_COMMON_H
#define DRIVERS_VIRTIO_VIRTIO_COMMON_H

#include "hv/iobus.h"

struct virtio_dev;

/* a->addr is the offset in the structure. An access that fits no field reads ones and writes nothing. */
enum io_result virtio_common_io(struct virtio_dev *d, struct io_access *a);
enum io_result virtio_common_device_io(struct virtio_dev *d, struct io_access *a);
/* May the driver have what it has chosen? */
bool virtio_common_features_suit(const struct virtio_dev *d);

#endif
