/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a virtio device: reset, running, broken, loaded; and the queues that wait for more. */
/* Registers are virtio_common's. */
#include "drivers/virtio/virtio_dev.h"

#include "drivers/virtio/virtio_common.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include <stdarg.h>

void virtio_dev_init(struct virtio_dev *d, const struct virtio_dev_class *cls)
{
	d->cls = cls;
	d->queues = d->queues != 0 ? d->queues : cls->queues;
	BUG_ON(d->queues > VIRTIO_DEV_QUEUES || cls->queue_size > VIRTQ_SIZE_MAX);
	for (unsigned int i = 0; i < VIRTIO_DEV_QUEUES; i++) {
		d->queue[i].s = &d->s->queue[i];
		d->queue[i].dev = d;
		d->queue[i].number = (uint16_t)i;
	}
}

void virtio_dev_reset(struct virtio_dev *d)
{
	memset(d->s, 0, sizeof(*d->s));
	d->s->config_vector = VIRTIO_NO_VECTOR;
	d->again = 0;
	for (unsigned int i = 0; i < d->queues; i++) {
		virtq_reset(&d->queue[i], d->cls->queue_size);
	}
	d->interrupt(d, VIRTIO_NO_VECTOR, 0);
	if (d->cls->reset) {
		d->cls->reset(d);
	}
}

void virtio_dev_interrupt(struct virtio_dev *d, uint16_t vector, uint8_t isr)
{
	d->interrupts++;
	d->interrupt(d, vector, isr);
}

/* 2.1.2: tells the driver if that has begun to work with the device. */
void virtio_dev_broken(struct virtio_dev *d, const char *fmt, ...)
{
	char why[96];
	va_list ap;

	if (d->s->status & VIRTIO_NEEDS_RESET) {
		return;
	}
	va_start(ap, fmt);
	fmt_vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	vm_log(d->vm, "%s: its driver broke the rules: %s", d->cls->name, why);
	d->s->status |= VIRTIO_NEEDS_RESET;
	if (d->s->status & VIRTIO_DRIVER_OK) {
		virtio_dev_interrupt(d, d->s->config_vector, VIRTIO_ISR_CONFIG);
	}
}

void virtio_dev_config_changed(struct virtio_dev *d)
{
	d->s->generation++;
	if (virtio_dev_is_live(d)) {
		virtio_dev_interrupt(d, d->s->config_vector, VIRTIO_ISR_CONFIG);
	}
}

void virtio_dev_notify(struct virtio_dev *d, unsigned int queue)
{
	if (queue < d->queues && d->queue[queue].s->enabled && virtio_dev_is_live(d)) {
		d->cls->notify(d, queue);
	}
}

void virtio_dev_notify_all(struct virtio_dev *d)
{
	for (unsigned int i = 0; i < d->queues; i++) {
		virtio_dev_notify(d, i);
	}
}

void virtio_dev_again(struct virtio_dev *d, unsigned int queue)
{
	d->again |= 1u << queue;
	vdev_request_work(d->vm);
}

void virtio_dev_work(struct virtio_dev *d)
{
	uint32_t again = d->again;

	d->again = 0;
	for (unsigned int i = 0; again; i++, again >>= 1) {
		if (again & 1) {
			virtio_dev_notify(d, i);
		}
	}
}

/* ---- loading ---- */

static bool queue_is_sane(const struct virtio_dev *d, const struct virtq_state *s)
{
	uint16_t taken = (uint16_t)(s->next - s->used);

	return s->enabled <= 1 && taken <= s->size &&
	       (s->vector < d->vectors || s->vector == VIRTIO_NO_VECTOR);
}

static int load_queue(struct virtio_dev *d, unsigned int i)
{
	struct virtq *q = &d->queue[i];

	q->epoch++;
	if (!queue_is_sane(d, q->s)) {
		return -EINVAL;
	}
	if (q->s->enabled && virtq_enable(q)) {
		q->s->enabled = 0;
		return -EINVAL;
	}
	return 0;
}

/* Before FEATURES_OK a driver may have written any features. */
static bool status_is_sane(const struct virtio_dev *d)
{
	return (d->s->status & VIRTIO_FEATURES_OK) ? virtio_common_features_suit(d)
						   : !(d->s->status & VIRTIO_DRIVER_OK);
}

int virtio_dev_load(struct virtio_dev *d)
{
	int err = 0;

	if (d->s->config_vector >= d->vectors && d->s->config_vector != VIRTIO_NO_VECTOR) {
		return -EINVAL;
	}
	if (!status_is_sane(d)) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < d->queues && !err; i++) {
		err = load_queue(d, i);
	}
	d->again = (1u << d->queues) - 1; /* notifications may have been lost in between */
	vdev_request_work(d->vm);
	return err;
}
