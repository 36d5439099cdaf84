/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what a card does with its queues: packets, commands, its link. */
/* Checks what the specification asks of a driver as it goes. */
#include "virtio_net_model.h"

#include "hv/lib/bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RX, TX, CTRL };

struct virtio_net_model model;

static struct virtio_model_queue *queue(unsigned int i)
{
	return &virtio_model.q[i];
}

static void complete(struct virtio_model_queue *q, unsigned int head, uint32_t len)
{
	virtio_model_complete(q, head, len);
	if (!(bytes_get_le16((const uint8_t *)q->avail) & VIRTQ_NO_INTERRUPT)) {
		model.interrupts = true;
	}
}

/* ---- packets ---- */

static void keep(const uint8_t *d, uint32_t skip)
{
	uint32_t len = virtio_model_len(d) - skip;
	uint32_t at = model.sent[model.sent_count].len;
	uint8_t *data = realloc(model.sent[model.sent_count].data, at + len + 1);

	assert_false(virtio_model_flags(d) & VIRTQ_DESC_WRITE);
	memcpy(data + at, virtio_model_memory(d) + skip, len);
	model.sent[model.sent_count].data = data;
	model.sent[model.sent_count].len = at + len;
}

static void send(unsigned int head)
{
	const struct virtio_model_queue *q = queue(TX);
	const uint8_t *d = virtio_model_descriptor(q, head);

	assert_true(model.sent_count < MODEL_SENT);
	assert_true(virtio_model_len(d) > VIRTIO_NET_HDR);
	memcpy(model.sent[model.sent_count].hdr, virtio_model_memory(d), VIRTIO_NET_HDR);
	keep(d, VIRTIO_NET_HDR);
	while (virtio_model_flags(d) & VIRTQ_DESC_NEXT) {
		d = virtio_model_next(q, d);
		keep(d, 0);
	}
	model.sent_count++;
}

static void send_all(void)
{
	unsigned int head[VIRTIO_MODEL_SIZE], n = 0;

	while (n < VIRTIO_MODEL_SIZE && virtio_model_take(queue(TX), &head[n])) {
		send(head[n++]);
	}
	for (unsigned int i = 0; i < n; i++) {
		complete(queue(TX), head[model.backwards ? n - 1 - i : i], 0);
	}
}

static void obey(void)
{
	struct virtio_model_queue *q = queue(CTRL);
	unsigned int head;
	const uint8_t *d;

	while (virtio_model_take(q, &head)) {
		d = virtio_model_descriptor(q, head);
		assert_int_equal(virtio_model_len(d), 2);
		memcpy(model.command, virtio_model_memory(d), 2);
		d = virtio_model_next(q, d);
		assert_int_equal(virtio_model_len(d), 1);
		model.command[2] = *virtio_model_memory(d);
		d = virtio_model_next(q, d);
		assert_int_equal(virtio_model_flags(d), VIRTQ_DESC_WRITE);
		*virtio_model_memory(d) = model.ack;
		model.commands++;
		if (!model.deaf) {
			complete(q, head, 1);
		}
	}
}

bool model_receive(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t bytes)
{
	struct virtio_model_queue *q = queue(RX);
	unsigned int head;
	const uint8_t *d;

	if (!virtio_model_take(q, &head)) {
		return false;
	}
	d = virtio_model_descriptor(q, head);
	assert_int_equal(virtio_model_flags(d), VIRTQ_DESC_WRITE);
	assert_true(virtio_model_len(d) >= VIRTIO_NET_HDR + len);
	memcpy(virtio_model_memory(d), hdr, VIRTIO_NET_HDR);
	memcpy(virtio_model_memory(d) + VIRTIO_NET_HDR, frame, len);
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
	virtio_model.config[VIRTIO_NET_STATUS] = up ? VIRTIO_NET_LINK_UP : 0;
	model.interrupts = true;
}

static void kicked(unsigned int i)
{
	if (i == TX && !model.held) {
		send_all();
	} else if (i == CTRL) {
		obey();
	}
	if (virtio_model_works(queue(TX))) {
		bytes_put_le16((uint8_t *)queue(TX)->used, model.quiet ? VIRTQ_NO_NOTIFY : 0);
	}
}

void model_power_on(void)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	model_forget_sent();
	memset(&model, 0, sizeof(model));
	virtio_model_power_on(0x1041, VIRTIO_NET_CONFIG);
	virtio_model.on_kick = kicked;
	virtio_model.offered |= 0xffffff;
	memcpy(virtio_model.config, mac, 6);
	virtio_model.config[VIRTIO_NET_STATUS] = VIRTIO_NET_LINK_UP;
}
