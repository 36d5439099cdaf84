/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the card's registers and its side of the rings. */
/* Checks what the specification asks of a driver as it goes. */
#include "virtio_net_model.h"

#include "arch/mmio.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISR    0x1000u
#define DEVICE 0x2000u
#define NOTIFY 0x3000u
#define BAR    0x4000u
#define STEP   4u
#define SIZE   256u /* of a queue, at most */

enum { RX, TX, CTRL };

struct virtio_net_model model;
struct host_pci_dev model_pci;

static uint8_t bar[BAR], space[256];

/* ---- rings ---- */

static const uint8_t *descriptor(const struct model_queue *q, unsigned int i)
{
	assert_true(i < q->size);
	return (const uint8_t *)q->desc + (size_t)16 * i;
}

static uint8_t *memory(const uint8_t *d)
{
	return (uint8_t *)bytes_get_le64(d);
}

static uint16_t flags(const uint8_t *d)
{
	return bytes_get_le16(d + 12);
}

static bool works(const struct model_queue *q)
{
	return q->enabled && (model.status & VIRTIO_DRIVER_OK);
}

/* The next chain that was offered. */
static bool take(struct model_queue *q, unsigned int *head)
{
	const uint8_t *avail = (const uint8_t *)q->avail;

	if (!works(q) || q->seen == bytes_get_le16(avail + 2)) {
		return false;
	}
	*head = bytes_get_le16(avail + 4 + (size_t)2 * (q->seen++ % q->size));
	return true;
}

static void put_used(struct model_queue *q, unsigned int head, uint32_t len)
{
	uint8_t *used = (uint8_t *)q->used;
	uint16_t idx = bytes_get_le16(used + 2);
	uint8_t *entry = used + 4 + (size_t)8 * (idx % q->size);

	bytes_put_le32(entry, model.habit == MODEL_NO_SUCH_ENTRY ? q->size
			      : model.habit == MODEL_NOT_A_HEAD	 ? (head + 1) % q->size
								 : head);
	bytes_put_le32(entry + 4, len);
	bytes_put_le16(used + 2, (uint16_t)(idx + (model.habit == MODEL_RUNS_AWAY ? 1000 : 1)));
}

static void complete(struct model_queue *q, unsigned int head, uint32_t len)
{
	put_used(q, head, len);
	if (model.habit == MODEL_TWICE) {
		put_used(q, head, len);
	}
	if (!(bytes_get_le16((const uint8_t *)q->avail) & VIRTQ_NO_INTERRUPT)) {
		model.interrupts = true;
	}
}

/* ---- packets ---- */

static void keep(const uint8_t *d, uint32_t skip)
{
	uint32_t len = bytes_get_le32(d + 8) - skip;
	uint32_t at = model.sent[model.sent_count].len;
	uint8_t *data = realloc(model.sent[model.sent_count].data, at + len + 1);

	assert_false(flags(d) & VIRTQ_DESC_WRITE);
	memcpy(data + at, memory(d) + skip, len);
	model.sent[model.sent_count].data = data;
	model.sent[model.sent_count].len = at + len;
}

static void send(unsigned int head)
{
	const struct model_queue *q = &model.q[TX];
	const uint8_t *d = descriptor(q, head);

	assert_true(model.sent_count < MODEL_SENT);
	assert_true(bytes_get_le32(d + 8) > VIRTIO_NET_HDR);
	memcpy(model.sent[model.sent_count].hdr, memory(d), VIRTIO_NET_HDR);
	keep(d, VIRTIO_NET_HDR);
	while (flags(d) & VIRTQ_DESC_NEXT) {
		d = descriptor(q, bytes_get_le16(d + 14));
		keep(d, 0);
	}
	model.sent_count++;
}

static void send_all(void)
{
	unsigned int head[SIZE], n = 0;

	while (n < SIZE && take(&model.q[TX], &head[n])) {
		send(head[n++]);
	}
	for (unsigned int i = 0; i < n; i++) {
		complete(&model.q[TX], head[model.backwards ? n - 1 - i : i], 0);
	}
}

static void obey(void)
{
	struct model_queue *q = &model.q[CTRL];
	unsigned int head;
	const uint8_t *d;

	while (take(q, &head)) {
		d = descriptor(q, head);
		assert_int_equal(bytes_get_le32(d + 8), 2);
		memcpy(model.command, memory(d), 2);
		d = descriptor(q, bytes_get_le16(d + 14));
		assert_int_equal(bytes_get_le32(d + 8), 1);
		model.command[2] = *memory(d);
		d = descriptor(q, bytes_get_le16(d + 14));
		assert_int_equal(flags(d), VIRTQ_DESC_WRITE);
		*memory(d) = model.ack;
		model.commands++;
		if (!model.deaf) {
			complete(q, head, 1);
		}
	}
}

bool model_receive(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t bytes)
{
	struct model_queue *q = &model.q[RX];
	unsigned int head;
	const uint8_t *d;

	if (!take(q, &head)) {
		return false;
	}
	d = descriptor(q, head);
	assert_int_equal(flags(d), VIRTQ_DESC_WRITE);
	assert_true(bytes_get_le32(d + 8) >= VIRTIO_NET_HDR + len);
	memcpy(memory(d), hdr, VIRTIO_NET_HDR);
	memcpy(memory(d) + VIRTIO_NET_HDR, frame, len);
	complete(q, head, bytes);
	return true;
}

void model_release(void)
{
	model.held = false;
	send_all();
}

void model_forget_sent(void)
{
	for (unsigned int i = 0; i < model.sent_count; i++) {
		free(model.sent[i].data);
	}
	memset(model.sent, 0, sizeof(model.sent));
	model.sent_count = 0;
}

void model_set_link(bool up)
{
	model.config[VIRTIO_NET_STATUS] = up ? VIRTIO_NET_LINK_UP : 0;
	model.interrupts = true;
}

static void kick(unsigned int queue)
{
	assert_true(queue < MODEL_QUEUES);
	model.q[queue].kicks++;
	if (queue == TX && !model.held) {
		send_all();
	} else if (queue == CTRL) {
		obey();
	}
	if (works(&model.q[TX])) {
		bytes_put_le16((uint8_t *)model.q[TX].used, model.quiet ? VIRTQ_NO_NOTIFY : 0);
	}
}

/* ---- registers ---- */

static void set_status(uint8_t val)
{
	if (val == 0) {
		memset(model.q, 0, sizeof(model.q));
		model.status = 0;
		model.accepted = 0;
		return;
	}
	assert_int_equal(val & model.status, model.status); /* none is taken back */
	model.status = val;
}

uint8_t mmio_read8(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	if (at >= DEVICE && at < DEVICE + sizeof(model.config)) {
		return model.config[at - DEVICE];
	}
	assert_int_equal(at, VIRTIO_COMMON_STATUS);
	return model.status;
}

void mmio_write8(volatile void *reg, uint8_t val)
{
	assert_ptr_equal(reg, bar + VIRTIO_COMMON_STATUS);
	set_status(val);
}

uint16_t mmio_read16(const volatile void *reg)
{
	switch ((const volatile uint8_t *)reg - bar) {
	case VIRTIO_COMMON_NUM_QUEUES:
		return model.queues;
	case VIRTIO_COMMON_QUEUE_SIZE:
		return SIZE;
	case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
		return model.queue;
	case VIRTIO_COMMON_QUEUE_VECTOR:
		return model.q[model.queue].vector;
	case DEVICE + VIRTIO_NET_STATUS:
		return model.config[VIRTIO_NET_STATUS];
	default:
		fail_msg("read of another register");
		return 0;
	}
}

void mmio_write16(volatile void *reg, uint16_t val)
{
	size_t at = (size_t)((volatile uint8_t *)reg - bar);
	struct model_queue *q = &model.q[model.queue];

	if (at >= NOTIFY) {
		assert_int_equal(at, NOTIFY + (size_t)STEP * val);
		kick(val);
	} else if (at == VIRTIO_COMMON_CONFIG_VECTOR) {
		model.config_vector = val;
	} else if (at == VIRTIO_COMMON_QUEUE_SELECT) {
		assert_true(val < model.queues);
		model.queue = val;
	} else if (at == VIRTIO_COMMON_QUEUE_VECTOR) {
		q->vector = val;
	} else if (at == VIRTIO_COMMON_QUEUE_SIZE) {
		q->size = val;
	} else {
		assert_int_equal(at, VIRTIO_COMMON_QUEUE_ENABLE);
		assert_int_equal(model.status & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
		q->enabled = val;
	}
}

uint32_t mmio_read32(const volatile void *reg)
{
	assert_ptr_equal(reg, bar + VIRTIO_COMMON_DEVICE_FEATURE);
	return (uint32_t)(model.offered >> 32 * model.select);
}

static void set_half(uint64_t *p, unsigned int half, uint32_t val)
{
	*p = (*p & ~(0xffffffffull << 32 * half)) | (uint64_t)val << 32 * half;
}

void mmio_write32(volatile void *reg, uint32_t val)
{
	unsigned int at = (unsigned int)((volatile uint8_t *)reg - bar);
	struct model_queue *q = &model.q[model.queue];

	if (at == VIRTIO_COMMON_DEVICE_FEATURE_SELECT ||
	    at == VIRTIO_COMMON_DRIVER_FEATURE_SELECT) {
		model.select = val;
	} else if (at == VIRTIO_COMMON_DRIVER_FEATURE) {
		set_half(&model.accepted, model.select, val);
		assert_int_equal(model.accepted & ~model.offered, 0);
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
	return at == 0 ? 0x40 : space[at + 1];
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	return i == 4 && size <= BAR ? bar : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	if (model.no_irq) {
		return -ENOSPC;
	}
	d->irq = HOST_PCI_MSIX;
	model.irq = fn;
	model.arg = arg;
	return 0;
}

static void capability(unsigned int at, uint8_t next, uint8_t type, uint32_t off, uint32_t len)
{
	space[at + 1] = next;
	space[at + VIRTIO_PCI_CAP_TYPE_OFF] = type;
	space[at + VIRTIO_PCI_CAP_BAR_OFF] = 4;
	bytes_put_le32(space + at + VIRTIO_PCI_CAP_OFF_OFF, off);
	bytes_put_le32(space + at + VIRTIO_PCI_CAP_LEN_OFF, len);
}

void model_power_on(void)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	model_forget_sent();
	memset(&model, 0, sizeof(model));
	memset(space, 0, sizeof(space));
	model_pci = (struct host_pci_dev){ .vendor = 0x1af4, .device = 0x1041 };
	capability(0x40, 0x50, VIRTIO_PCI_CAP_COMMON, 0, VIRTIO_COMMON_SIZE);
	capability(0x50, 0x60, VIRTIO_PCI_CAP_ISR, ISR, 1);
	capability(0x60, 0x70, VIRTIO_PCI_CAP_DEVICE, DEVICE, VIRTIO_NET_CONFIG);
	capability(0x70, 0, VIRTIO_PCI_CAP_NOTIFY, NOTIFY, STEP * MODEL_QUEUES);
	bytes_put_le32(space + 0x70 + VIRTIO_PCI_CAP_EXTRA, STEP);
	model.queues = MODEL_QUEUES;
	model.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) | 0xffffff;
	memcpy(model.config, mac, 6);
	model.config[VIRTIO_NET_STATUS] = VIRTIO_NET_LINK_UP;
}
