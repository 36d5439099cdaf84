/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card on virtio_model.h: three queues, what it sent, what it was told. */
/* Shares no code with the driver but numbers. It sends when it is notified, unless it is held. */
#ifndef TESTS_UNIT_DRIVERS_HOST_VIRTIO_NET_MODEL_H
#define TESTS_UNIT_DRIVERS_HOST_VIRTIO_NET_MODEL_H

#include "virtio_model.h"

#define MODEL_SENT 256u

struct virtio_net_model {
	bool held;	/* sends nothing until model_release() */
	bool backwards; /* and then says so of the last first */
	bool deaf;	/* to commands */
	bool quiet;	/* wants no notifications for packets to send */
	uint8_t ack;	/* its answer to commands */
	uint8_t command[3];
	unsigned int commands;
	struct {
		uint8_t hdr[VIRTIO_NET_HDR];
		uint8_t *data; /* malloc'ed */
		uint32_t len;
	} sent[MODEL_SENT];
	unsigned int sent_count;
	bool interrupts; /* it has called */
};
extern struct virtio_net_model model;

/* As after power-on, with the MAC address 52:54:00:12:34:56 and everything offered; forgets what was sent. */
void model_power_on(void);
void model_forget_sent(void);
/* What was held is sent. */
void model_release(void);
/* A packet with that header arrives, in `bytes` with it, as the used ring says. False: no buffer. */
bool model_receive(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t bytes);
void model_set_link(bool up);

#endif
