/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network card behind arch/mmio.h and host_pci.h: registers, three queues, what it was told. */
/* Shares no code with the driver but numbers. It sends when it is notified, unless it is held. */
#ifndef TESTS_UNIT_DRIVERS_HOST_VIRTIO_NET_MODEL_H
#define TESTS_UNIT_DRIVERS_HOST_VIRTIO_NET_MODEL_H

#include "drivers/host/host_pci.h"
#include "drivers/virtio/virtio_regs.h"

#define MODEL_SENT   256u
#define MODEL_QUEUES 3u

struct model_queue {
	uint16_t size, vector, enabled, seen;
	uint64_t desc, avail, used;
	unsigned int kicks;
};

/* What it does wrong with what it has sent, or received. */
enum model_habit {
	MODEL_IS_RIGHT,
	MODEL_NO_SUCH_ENTRY,
	MODEL_NOT_A_HEAD,
	MODEL_TWICE,
	MODEL_RUNS_AWAY
};

struct virtio_net_model {
	uint8_t status;
	uint64_t offered, accepted;
	uint32_t select;
	uint16_t queue, queues, config_vector;
	struct model_queue q[MODEL_QUEUES];
	uint8_t config[VIRTIO_NET_CONFIG];
	enum model_habit habit;
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
	void (*irq)(void *arg);
	void *arg;
	bool no_irq; /* host_pci_irq_request fails */
};
extern struct virtio_net_model model;
extern struct host_pci_dev model_pci;

/* As after power-on, with the MAC address 52:54:00:12:34:56 and everything offered; forgets what was sent. */
void model_power_on(void);
void model_forget_sent(void);
/* What was held is sent. */
void model_release(void);
/* A packet with that header arrives, in `bytes` with it, as the used ring says. False: no buffer. */
bool model_receive(const uint8_t *hdr, const uint8_t *frame, uint32_t len, uint32_t bytes);
void model_set_link(bool up);

#endif
