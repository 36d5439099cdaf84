/* SPDX-License-Identifier: BSD-2-Clause */
/* The common configuration as a table of fields: feature negotiation, the steps of the status field, */
/* queue set-up. A rule broken here breaks the device or is refused as the specification says. */
#include "drivers/virtio/virtio_common.h"

#include "drivers/virtio/virtio_dev.h"
#include "drivers/virtio/virtio_regs.h"
#include "hv/lib/bytes.h"

#define STEPS (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK)

/* ---- features ---- */

static uint64_t offered(const struct virtio_dev *d)
{
	return d->cls->features | d->features | BIT(VIRTIO_F_VERSION_1) |
	       BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX);
}

static uint32_t get_device_feature(const struct virtio_dev *d)
{
	uint32_t select = d->s->device_feature_select;

	return select < 2 ? (uint32_t)(offered(d) >> (32 * select)) : 0;
}

static uint32_t get_driver_feature(const struct virtio_dev *d)
{
	uint32_t select = d->s->driver_feature_select;

	return select < 2 ? (uint32_t)(d->s->driver_features >> (32 * select)) : 0;
}

/* 3.1.1 "Driver Requirements: Device Initialization": final once FEATURES_OK is set. */
static void set_driver_feature(struct virtio_dev *d, uint32_t val)
{
	struct virtio_dev_state *s = d->s;
	unsigned int shift = 32 * (s->driver_feature_select & 1);

	if (s->status & VIRTIO_FEATURES_OK) {
		virtio_dev_broken(d, "features written after FEATURES_OK");
	} else if (s->driver_feature_select < 2) {
		s->driver_features &= ~(0xfffffffful << shift);
		s->driver_features |= (uint64_t)val << shift;
	}
}

/* ---- device status ---- */

/* 2.2 "Feature Bits"; 6.1: a driver that does not accept version 1 is refused. */
bool virtio_common_features_suit(const struct virtio_dev *d)
{
	return !(d->s->driver_features & ~offered(d)) && virtio_dev_has(d, VIRTIO_F_VERSION_1);
}

static void begin(struct virtio_dev *d)
{
	if (!(d->s->status & VIRTIO_FEATURES_OK)) {
		virtio_dev_broken(d, "DRIVER_OK without FEATURES_OK");
		return;
	}
	d->s->status |= VIRTIO_DRIVER_OK;
	if (d->cls->driver_ok) {
		d->cls->driver_ok(d);
	}
}

/* 2.1.1: bits are set, and cleared by a reset only. */
static void set_status(struct virtio_dev *d, uint32_t val)
{
	uint8_t news = (uint8_t)(val & (STEPS | VIRTIO_FAILED) & ~(uint32_t)d->s->status);

	if (val == 0) {
		virtio_dev_reset(d);
		return;
	}
	if ((d->s->status & ~val) & (STEPS | VIRTIO_FAILED)) {
		virtio_dev_broken(d, "status bits cleared without a reset");
		return;
	}
	if ((news & VIRTIO_FEATURES_OK) && !virtio_common_features_suit(d)) {
		news &= (uint8_t)~VIRTIO_FEATURES_OK; /* the driver reads it back */
	}
	d->s->status |= (uint8_t)(news & ~VIRTIO_DRIVER_OK);
	if (news & VIRTIO_DRIVER_OK) {
		begin(d);
	}
}

/* 2.4.1 "Driver Requirements: Device Reset": the driver waits for a 0. */
static uint32_t get_status(const struct virtio_dev *d)
{
	bool resetting = d->s->status == 0 && d->cls->is_busy && d->cls->is_busy(d);

	return resetting ? VIRTIO_NEEDS_RESET : d->s->status;
}

/* ---- queues ---- */

static struct virtq *selected(struct virtio_dev *d)
{
	return d->s->queue_select < d->queues ? &d->queue[d->s->queue_select] : NULL;
}

/* What may be written while it does not run; NULL after naming the rule. */
static struct virtq_state *writable_queue(struct virtio_dev *d)
{
	struct virtq *q = selected(d);

	if (q && q->s->enabled) {
		virtio_dev_broken(d, "queue %u changed while enabled", q->number);
		return NULL;
	}
	return q ? q->s : NULL;
}

static void set_queue_size(struct virtio_dev *d, uint32_t val)
{
	struct virtq_state *s = writable_queue(d);

	if (s) {
		s->size = (uint16_t)val; /* looked at when it is enabled */
	}
}

/* 4.1.5.1.2 "MSI-X Vector Configuration": no such vector reads back as none. */
static uint16_t vector_of(const struct virtio_dev *d, uint32_t val)
{
	return (uint16_t)(val < d->vectors ? val : VIRTIO_NO_VECTOR);
}

static void set_config_vector(struct virtio_dev *d, uint32_t val)
{
	d->s->config_vector = vector_of(d, val);
}

static void set_queue_vector(struct virtio_dev *d, uint32_t val)
{
	struct virtq *q = selected(d);

	if (q) {
		q->s->vector = vector_of(d, val);
	}
}

static void set_queue_enable(struct virtio_dev *d, uint32_t val)
{
	struct virtq *q = selected(d);
	const char *why;

	if (!q || (val == 1 && q->s->enabled)) {
		return;
	}
	if (val != 1) { /* 4.1.4.3.2: the driver must not write 0 */
		virtio_dev_broken(d, "queue %u: %u written to queue_enable", q->number, val);
		return;
	}
	if (!(d->s->status & VIRTIO_FEATURES_OK)) {
		virtio_dev_broken(d, "queue %u enabled before FEATURES_OK", q->number);
		return;
	}
	why = virtq_enable(q);
	if (why) {
		virtio_dev_broken(d, "queue %u: %s", q->number, why);
	}
}

/* A half of one of the three addresses, by its place in the structure. */
static uint64_t *address_of(struct virtq_state *s, unsigned int off)
{
	return off < VIRTIO_COMMON_QUEUE_DRIVER	  ? &s->desc
	       : off < VIRTIO_COMMON_QUEUE_DEVICE ? &s->driver
						  : &s->device;
}

static void set_address(struct virtio_dev *d, unsigned int off, uint32_t val)
{
	struct virtq_state *s = writable_queue(d);
	unsigned int shift = off & 4 ? 32 : 0;

	if (s) {
		uint64_t *at = address_of(s, off);

		*at = (*at & ~(0xfffffffful << shift)) | (uint64_t)val << shift;
	}
}

static uint32_t get_address(struct virtio_dev *d, unsigned int off)
{
	struct virtq *q = selected(d);

	return q ? (uint32_t)(*address_of(q->s, off) >> (off & 4 ? 32 : 0)) : 0;
}

/* ---- the table ---- */

enum field_place { IN_DEV_STATE, IN_QUEUE_STATE, BY_FUNCTION, QUEUE_ADDRESS };

struct field {
	uint8_t off;
	uint8_t size;
	enum field_place place;
	size_t at; /* in the state */
	uint32_t (*get)(const struct virtio_dev *d);
	void (*set)(struct virtio_dev *d, uint32_t val);
	bool plain; /* written without further ado */
};

static uint32_t get_num_queues(const struct virtio_dev *d)
{
	return d->queues;
}

static uint32_t get_notify_off(const struct virtio_dev *d)
{
	return d->s->queue_select < d->queues ? d->s->queue_select : 0;
}

#define DEV(member)   .place = IN_DEV_STATE, .at = offsetof(struct virtio_dev_state, member)
#define QUEUE(member) .place = IN_QUEUE_STATE, .at = offsetof(struct virtq_state, member)
#define ADDRESS	      .place = QUEUE_ADDRESS
#define BY(fn)	      .place = BY_FUNCTION, .get = (fn)

static const struct field fields[] = {
	{ VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 4, DEV(device_feature_select), .plain = true },
	{ VIRTIO_COMMON_DEVICE_FEATURE, 4, BY(get_device_feature) },
	{ VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, DEV(driver_feature_select), .plain = true },
	{ VIRTIO_COMMON_DRIVER_FEATURE, 4, BY(get_driver_feature), .set = set_driver_feature },
	{ VIRTIO_COMMON_CONFIG_VECTOR, 2, DEV(config_vector), .set = set_config_vector },
	{ VIRTIO_COMMON_NUM_QUEUES, 2, BY(get_num_queues) },
	{ VIRTIO_COMMON_STATUS, 1, BY(get_status), .set = set_status },
	{ VIRTIO_COMMON_GENERATION, 1, DEV(generation) },
	{ VIRTIO_COMMON_QUEUE_SELECT, 2, DEV(queue_select), .plain = true },
	{ VIRTIO_COMMON_QUEUE_SIZE, 2, QUEUE(size), .set = set_queue_size },
	{ VIRTIO_COMMON_QUEUE_VECTOR, 2, QUEUE(vector), .set = set_queue_vector },
	{ VIRTIO_COMMON_QUEUE_ENABLE, 2, QUEUE(enabled), .set = set_queue_enable },
	{ VIRTIO_COMMON_QUEUE_NOTIFY_OFF, 2, BY(get_notify_off) },
	{ VIRTIO_COMMON_QUEUE_DESC, 4, ADDRESS },
	{ VIRTIO_COMMON_QUEUE_DESC + 4, 4, ADDRESS },
	{ VIRTIO_COMMON_QUEUE_DRIVER, 4, ADDRESS },
	{ VIRTIO_COMMON_QUEUE_DRIVER + 4, 4, ADDRESS },
	{ VIRTIO_COMMON_QUEUE_DEVICE, 4, ADDRESS },
	{ VIRTIO_COMMON_QUEUE_DEVICE + 4, 4, ADDRESS },
};

static const struct field *find(const struct io_access *a)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].off == a->addr && fields[i].size == a->size) {
			return &fields[i];
		}
	}
	return NULL;
}

/* The state's own field; a queue that there is not reads 0. NULL: none. */
static uint8_t *state_of(struct virtio_dev *d, const struct field *f)
{
	struct virtq *q;

	if (f->place == IN_DEV_STATE) {
		return (uint8_t *)d->s + f->at;
	}
	q = selected(d);
	return q ? (uint8_t *)q->s + f->at : NULL;
}

static uint32_t read_field(struct virtio_dev *d, const struct field *f)
{
	const uint8_t *p;

	if (f->place == QUEUE_ADDRESS) {
		return get_address(d, f->off);
	}
	if (f->place == BY_FUNCTION) {
		return f->get(d);
	}
	p = state_of(d, f);
	if (p && f->off == VIRTIO_COMMON_QUEUE_ENABLE) {
		return *p; /* a byte in the state */
	}
	return p ? (uint32_t)bytes_get_le(p, f->size) : 0;
}

static void write_field(struct virtio_dev *d, const struct field *f, uint32_t val)
{
	if (f->place == QUEUE_ADDRESS) {
		set_address(d, f->off, val);
	} else if (f->plain) {
		bytes_put_le(state_of(d, f), f->size, val);
	} else if (f->set) {
		f->set(d, val);
	}
}

/* 4.1.3.1: 64-bit fields by their halves; some drivers use both at once. */
static enum io_result wide_io(struct virtio_dev *d, struct io_access *a)
{
	struct io_access half = { .addr = a->addr, .size = 4, .write = a->write };
	uint64_t low;
	enum io_result r;

	half.val = a->val & 0xffffffffu;
	r = virtio_common_io(d, &half);
	low = half.val;
	half.addr += 4;
	half.val = a->val >> 32;
	if (r == IO_DONE) {
		r = virtio_common_io(d, &half);
	}
	a->val = a->write ? a->val : half.val << 32 | low;
	return r;
}

enum io_result virtio_common_io(struct virtio_dev *d, struct io_access *a)
{
	const struct field *f;

	if (a->size == 8 && a->addr >= VIRTIO_COMMON_QUEUE_DESC && a->addr % 8 == 0) {
		return wide_io(d, a);
	}
	f = find(a);
	if (!f) {
		return IO_UNCLAIMED;
	}
	if (a->write) {
		write_field(d, f, (uint32_t)a->val);
	} else {
		a->val = read_field(d, f);
	}
	return IO_DONE;
}

enum io_result virtio_common_device_io(struct virtio_dev *d, struct io_access *a)
{
	if (!range_within(a->addr, a->size, d->cls->config_size)) {
		return IO_UNCLAIMED;
	}
	if (!a->write) {
		a->val = bytes_get_le(d->config + a->addr, a->size);
	} else if (d->cls->config_written && a->size <= 4) {
		d->cls->config_written(d, (unsigned int)a->addr, a->size, (uint32_t)a->val);
	}
	return IO_DONE;
}
