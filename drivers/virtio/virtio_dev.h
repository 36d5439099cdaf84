/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device apart from its transport: status, features, queues, and what a device type is. */
/* Everything here runs with the devices' lock held; guest memory only on a thread of the VM. */
#ifndef DRIVERS_VIRTIO_VIRTIO_DEV_H
#define DRIVERS_VIRTIO_VIRTIO_DEV_H

#include "drivers/virtio/virtio_regs.h"
#include "drivers/virtio/virtq.h"

struct vm;
struct virtio_dev;

#define VIRTIO_DEV_QUEUES 17u /* eight pairs and a control queue */

struct virtio_dev_class {
	const char *name; /* "virtio-rng" */
	uint16_t id;	  /* VIRTIO_ID_* */
	uint32_t pci_class;
	uint64_t features; /* of all such devices; those of queues and version 1 are added */
	uint16_t queues;   /* at most VIRTIO_DEV_QUEUES; see struct virtio_dev */
	uint16_t queue_size;
	uint8_t config_size; /* bytes of device configuration */
	/*
	 * The driver says that buffers wait in a queue, or virtio_dev_again() asked for this call. Takes
	 * all, or a bounded part and calls virtio_dev_again().
	 */
	void (*notify)(struct virtio_dev *d, unsigned int queue);
	/* NULL or: forget what was taken and negotiated. */
	void (*reset)(struct virtio_dev *d);
	/* NULL or: buffers taken before the reset are still in use; the driver waits until they are not. */
	bool (*is_busy)(const struct virtio_dev *d);
	/* NULL or: DRIVER_OK was set; features are final. */
	void (*driver_ok)(struct virtio_dev *d);
	/* NULL (read-only) or: the driver wrote config[off, off + size). */
	void (*config_written)(struct virtio_dev *d, unsigned int off, unsigned int size,
			       uint32_t val);
};

struct virtio_dev_state { /* saved */
	uint64_t driver_features;
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint16_t queue_select;
	uint16_t config_vector;
	uint8_t status;
	uint8_t generation;
	uint8_t reserved[2];
	struct virtq_state queue[VIRTIO_DEV_QUEUES];
};
_Static_assert(sizeof(struct virtio_dev_state) == 24 + VIRTIO_DEV_QUEUES * 40, "saved state");

struct virtio_dev {
	const struct virtio_dev_class *cls; /* (c) */
	struct vm *vm;			    /* (c) */
	struct virtio_dev_state *s;	    /* (c) */
	uint8_t *config;		    /* (c) device configuration, cls->config_size bytes */
	uint64_t features;		    /* (c) of this one, besides the class' */
	uint16_t queues;		    /* (c) of this one, if not the class' */
	uint16_t vectors;		    /* (c) interrupt vectors that there are */
	/* (c) The transport: an interrupt by vector or line; the line's cause in isr. */
	void (*interrupt)(struct virtio_dev *d, uint16_t vector, uint8_t isr);
	bool master;	/* the transport's: it may read memory and send messages */
	uint32_t again; /* queues to look at again, by bit */
	struct virtq queue[VIRTIO_DEV_QUEUES];
	/* Counted since power-on. */
	uint64_t notifications;
	uint64_t interrupts;
};

/* ---- for devices ---- */

/* Was the feature (a bit number) offered and accepted? */
static inline bool virtio_dev_has(const struct virtio_dev *d, unsigned int feature)
{
	return d->s->driver_features >> feature & 1;
}

/* May it touch its queues? */
static inline bool virtio_dev_is_live(const struct virtio_dev *d)
{
	return (d->s->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK &&
	       d->master;
}
/*
 * The driver broke a rule: the device stops, DEVICE_NEEDS_RESET is set, the driver told, the log says
 * why, once until the reset.
 */
void virtio_dev_broken(struct virtio_dev *d, const char *fmt, ...) PRINTF(2, 3);
/* Calls notify for that queue soon, on a thread of the VM: for the rest of long work, or from others. */
void virtio_dev_again(struct virtio_dev *d, unsigned int queue);
/* The device changed its configuration: new generation, interrupt. */
void virtio_dev_config_changed(struct virtio_dev *d);
void virtio_dev_interrupt(struct virtio_dev *d, uint16_t vector, uint8_t isr);

/* ---- for the transport ---- */

/* Once. What the transport provides is filled in already. */
void virtio_dev_init(struct virtio_dev *d, const struct virtio_dev_class *cls);
void virtio_dev_reset(struct virtio_dev *d);
/* The driver notified; or the device became able to read memory. */
void virtio_dev_notify(struct virtio_dev *d, unsigned int queue);
void virtio_dev_notify_all(struct virtio_dev *d);
/* What virtio_dev_again() left to do. */
void virtio_dev_work(struct virtio_dev *d);
/* After s was loaded: -EINVAL, or the queues run. */
int virtio_dev_load(struct virtio_dev *d);

#endif
