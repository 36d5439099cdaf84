/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers, capabilities and rings of a virtio device. */
/* Checks what the specification asks of a driver as it goes. */
#include "virtio_model.h"

#include "arch/mmio.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ISR    0x1000u
#define DEVICE 0x2000u
#define STEP   4u

struct virtio_model virtio_model;
struct host_pci_dev virtio_model_pci;

static uint8_t bar[VIRTIO_MODEL_BAR], space[256];

/* ---- rings ---- */

const uint8_t *virtio_model_descriptor(const struct virtio_model_queue *q, unsigned int i)
{
	assert_true(i < q->size);
	return (const uint8_t *)q->desc + (size_t)16 * i;
}

uint8_t *virtio_model_memory(const uint8_t *descriptor)
{
	return (uint8_t *)bytes_get_le64(descriptor);
}

uint32_t virtio_model_len(const uint8_t *descriptor)
{
	return bytes_get_le32(descriptor + 8);
}

uint16_t virtio_model_flags(const uint8_t *descriptor)
{
	return bytes_get_le16(descriptor + 12);
}

const uint8_t *virtio_model_next(const struct virtio_model_queue *q, const uint8_t *descriptor)
{
	assert_true(virtio_model_flags(descriptor) & VIRTQ_DESC_NEXT);
	return virtio_model_descriptor(q, bytes_get_le16(descriptor + 14));
}

bool virtio_model_works(const struct virtio_model_queue *q)
{
	return q->enabled && (virtio_model.status & VIRTIO_DRIVER_OK);
}

bool virtio_model_take(struct virtio_model_queue *q, unsigned int *head)
{
	const uint8_t *avail = (const uint8_t *)q->avail;

	if (!virtio_model_works(q) || q->seen == bytes_get_le16(avail + 2)) {
		return false;
	}
	*head = bytes_get_le16(avail + 4 + (size_t)2 * (q->seen++ % q->size));
	return true;
}

static void put_used(struct virtio_model_queue *q, unsigned int head, uint32_t len)
{
	enum virtio_model_lie lie = virtio_model.lie;
	uint8_t *used = (uint8_t *)q->used;
	uint16_t idx = bytes_get_le16(used + 2);
	uint8_t *entry = used + 4 + (size_t)8 * (idx % q->size);

	bytes_put_le32(entry, lie == VIRTIO_MODEL_NO_SUCH_ENTRY ? q->size
			      : lie == VIRTIO_MODEL_NOT_A_HEAD	? (head + 1) % q->size
								: head);
	bytes_put_le32(entry + 4, len);
	bytes_put_le16(used + 2, (uint16_t)(idx + (lie == VIRTIO_MODEL_RUNS_AWAY ? 1000 : 1)));
}

void virtio_model_complete(struct virtio_model_queue *q, unsigned int head, uint32_t len)
{
	put_used(q, head, len);
	if (virtio_model.lie == VIRTIO_MODEL_TWICE) {
		put_used(q, head, len);
	}
}

/* ---- registers ---- */

static void reset(void)
{
	virtio_model.resets++;
	if (virtio_model.on_reset != NULL) {
		virtio_model.on_reset();
	}
	memset(virtio_model.q, 0, sizeof(virtio_model.q));
	virtio_model.status = virtio_model.stuck ? 1 : 0;
	virtio_model.accepted = 0;
}

static void set_status(uint8_t val)
{
	if (val == 0) {
		reset();
	} else if (!(virtio_model.sulks && (val & VIRTIO_FEATURES_OK))) {
		/* None is taken back. */
		assert_int_equal(val & virtio_model.status, virtio_model.status);
		virtio_model.status = val;
	}
}

static uint64_t config(size_t at, unsigned int size)
{
	assert_in_range(at, DEVICE, DEVICE + virtio_model.config_size - size);
	return bytes_get_le(virtio_model.config + at - DEVICE, size);
}

uint8_t mmio_read8(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	return at == VIRTIO_COMMON_STATUS ? virtio_model.status
	       : at == ISR		  ? 1
					  : (uint8_t)config(at, 1);
}

void mmio_write8(volatile void *reg, uint8_t val)
{
	assert_ptr_equal(reg, bar + VIRTIO_COMMON_STATUS);
	set_status(val);
}

uint16_t mmio_read16(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	switch (at) {
	case VIRTIO_COMMON_NUM_QUEUES:
		return virtio_model.queues;
	case VIRTIO_COMMON_QUEUE_SIZE:
		return VIRTIO_MODEL_SIZE;
	case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
		return (uint16_t)(virtio_model.first_bell + virtio_model.queue);
	case VIRTIO_COMMON_QUEUE_VECTOR:
		return virtio_model.q[virtio_model.queue].vector;
	default:
		return (uint16_t)config(at, 2);
	}
}

static void kick(size_t at, uint16_t queue)
{
	assert_true(queue < virtio_model.queues);
	assert_int_equal(at, VIRTIO_MODEL_NOTIFY + STEP * (virtio_model.first_bell + queue));
	virtio_model.q[queue].kicks++;
	if (virtio_model.on_kick != NULL) {
		virtio_model.on_kick(queue);
	}
}

void mmio_write16(volatile void *reg, uint16_t val)
{
	size_t at = (size_t)((volatile uint8_t *)reg - bar);
	struct virtio_model_queue *q = &virtio_model.q[virtio_model.queue];

	if (at >= VIRTIO_MODEL_NOTIFY) {
		kick(at, val);
	} else if (at == VIRTIO_COMMON_CONFIG_VECTOR) {
		virtio_model.config_vector = val;
	} else if (at == VIRTIO_COMMON_QUEUE_SELECT) {
		assert_true(val < virtio_model.queues);
		virtio_model.queue = val;
	} else if (at == VIRTIO_COMMON_QUEUE_VECTOR) {
		q->vector = val;
	} else if (at == VIRTIO_COMMON_QUEUE_SIZE) {
		q->size = val;
	} else {
		assert_int_equal(at, VIRTIO_COMMON_QUEUE_ENABLE);
		assert_int_equal(virtio_model.status & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
		q->enabled = val;
	}
}

uint32_t mmio_read32(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	return at == VIRTIO_COMMON_DEVICE_FEATURE
		       ? (uint32_t)(virtio_model.offered >> 32 * virtio_model.select)
		       : (uint32_t)config(at, 4);
}

static void set_half(uint64_t *p, unsigned int half, uint32_t val)
{
	*p = (*p & ~(0xffffffffull << 32 * half)) | (uint64_t)val << 32 * half;
}

void mmio_write32(volatile void *reg, uint32_t val)
{
	size_t at = (size_t)((volatile uint8_t *)reg - bar);
	struct virtio_model_queue *q = &virtio_model.q[virtio_model.queue];

	if (at == VIRTIO_COMMON_DEVICE_FEATURE_SELECT ||
	    at == VIRTIO_COMMON_DRIVER_FEATURE_SELECT) {
		virtio_model.select = val;
	} else if (at == VIRTIO_COMMON_DRIVER_FEATURE) {
		set_half(&virtio_model.accepted, virtio_model.select, val);
		assert_int_equal(virtio_model.accepted & ~virtio_model.offered, 0);
	} else {
		assert_in_range(at, VIRTIO_COMMON_QUEUE_DESC, VIRTIO_COMMON_QUEUE_DEVICE + 4);
		set_half(at < VIRTIO_COMMON_QUEUE_DRIVER   ? &q->desc
			 : at < VIRTIO_COMMON_QUEUE_DEVICE ? &q->avail
							   : &q->used,
			 at / 4 & 1, val);
	}
}

/* ---- PCI ---- */

uint32_t host_pci_read(const struct host_pci_dev *d, unsigned int off, unsigned int size)
{
	(void)d;
	return (uint32_t)bytes_get_le(space + off, size);
}

unsigned int host_pci_capability_after(const struct host_pci_dev *d, uint8_t id, unsigned int at)
{
	(void)d;
	assert_int_equal(id, VIRTIO_PCI_CAP_ID);
	return at == 0 ? VIRTIO_MODEL_NO_BAR : space[at + 1];
}

/* BAR 5 has nothing but bells. */
volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	if (i == 5) {
		return size <= MIB ? bar + VIRTIO_MODEL_NOTIFY : NULL;
	}
	return i == 4 && size <= VIRTIO_MODEL_BAR ? bar : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	if (virtio_model.no_irq) {
		return -ENOSPC;
	}
	d->irq = HOST_PCI_MSIX;
	virtio_model.irq = fn;
	virtio_model.arg = arg;
	return 0;
}

void virtio_model_capability(enum virtio_model_cap at, uint8_t in, uint32_t off, uint32_t len)
{
	static const uint8_t types[] = {
		[VIRTIO_MODEL_NO_BAR / 16] = VIRTIO_PCI_CAP_COMMON,
		[VIRTIO_MODEL_CUT / 16] = VIRTIO_PCI_CAP_COMMON,
		[VIRTIO_MODEL_COMMON / 16] = VIRTIO_PCI_CAP_COMMON,
		[VIRTIO_MODEL_ISR / 16] = VIRTIO_PCI_CAP_ISR,
		[VIRTIO_MODEL_DEVICE / 16] = VIRTIO_PCI_CAP_DEVICE,
		[VIRTIO_MODEL_BELLS / 16] = VIRTIO_PCI_CAP_NOTIFY,
	};

	space[at + 1] = (uint8_t)(at == VIRTIO_MODEL_BELLS ? 0 : at + 16);
	space[at + VIRTIO_PCI_CAP_TYPE_OFF] = types[at / 16];
	space[at + VIRTIO_PCI_CAP_BAR_OFF] = in;
	bytes_put_le32(space + at + VIRTIO_PCI_CAP_OFF_OFF, off);
	bytes_put_le32(space + at + VIRTIO_PCI_CAP_LEN_OFF, len);
}

void virtio_model_power_on(uint16_t device, uint32_t config_size)
{
	memset(&virtio_model, 0, sizeof(virtio_model));
	memset(space, 0, sizeof(space));
	virtio_model_pci = (struct host_pci_dev){ .vendor = 0x1af4, .device = device };
	virtio_model_capability(VIRTIO_MODEL_NO_BAR, 7, 0, VIRTIO_COMMON_SIZE);
	virtio_model_capability(VIRTIO_MODEL_CUT, 4, VIRTIO_MODEL_BAR - 8, VIRTIO_COMMON_SIZE);
	virtio_model_capability(VIRTIO_MODEL_COMMON, 4, 0, VIRTIO_COMMON_SIZE);
	virtio_model_capability(VIRTIO_MODEL_ISR, 4, ISR, 1);
	virtio_model_capability(VIRTIO_MODEL_DEVICE, 4, DEVICE, config_size);
	virtio_model_capability(VIRTIO_MODEL_BELLS, 4, VIRTIO_MODEL_NOTIFY, 16);
	bytes_put_le32(space + VIRTIO_MODEL_BELLS + VIRTIO_PCI_CAP_EXTRA, STEP);
	assert_true(config_size <= sizeof(virtio_model.config));
	virtio_model.config_size = config_size;
	virtio_model.queues = VIRTIO_MODEL_QUEUES;
	virtio_model.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX);
}
