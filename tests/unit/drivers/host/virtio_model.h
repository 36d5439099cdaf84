/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtio device is to its driver, behind arch/mmio.h and host_pci.h: capabilities, registers, rings. */
/* Shares no code with the driver but numbers; what a request is, is a test's or another model's. */
#ifndef TESTS_UNIT_DRIVERS_HOST_VIRTIO_MODEL_H
#define TESTS_UNIT_DRIVERS_HOST_VIRTIO_MODEL_H

#include "drivers/host/host_pci.h"
#include "drivers/virtio/virtio_regs.h"

#define VIRTIO_MODEL_QUEUES 3u
#define VIRTIO_MODEL_SIZE   256u /* of a queue, at most */
#define VIRTIO_MODEL_BAR    0x4000u
#define VIRTIO_MODEL_NOTIFY 0x3000u /* where it has its bells */

/* Where its capabilities stand; CUT is COMMON too, in a place that there is not. */
enum virtio_model_cap {
	VIRTIO_MODEL_NO_BAR = 0x40,
	VIRTIO_MODEL_CUT = 0x50,
	VIRTIO_MODEL_COMMON = 0x60,
	VIRTIO_MODEL_ISR = 0x70,
	VIRTIO_MODEL_DEVICE = 0x80,
	VIRTIO_MODEL_BELLS = 0x90,
};

/* What it does wrong with a used ring. */
enum virtio_model_lie {
	VIRTIO_MODEL_IS_RIGHT,
	VIRTIO_MODEL_NO_SUCH_ENTRY,
	VIRTIO_MODEL_NOT_A_HEAD,
	VIRTIO_MODEL_TWICE,
	VIRTIO_MODEL_RUNS_AWAY,
};

struct virtio_model_queue {
	uint16_t size, vector, enabled, seen;
	uint64_t desc, avail, used;
	unsigned int kicks;
};

struct virtio_model {
	uint8_t status;
	uint64_t offered, accepted;
	uint32_t select;
	uint16_t queue, queues, config_vector;
	struct virtio_model_queue q[VIRTIO_MODEL_QUEUES];
	uint8_t config[64];
	uint32_t config_size; /* of that are there */
	uint16_t first_bell;  /* notify offset of queue 0 */
	enum virtio_model_lie lie;
	bool stuck, sulks; /* does not come out of a reset; agrees to nothing */
	unsigned int resets;
	void (*on_reset)(void);		     /* NULL or: a reset begins */
	void (*on_kick)(unsigned int queue); /* NULL or: a bell was rung */
	void (*irq)(void *arg);
	void *arg;
	bool no_irq; /* host_pci_irq_request fails */
};
extern struct virtio_model virtio_model;
extern struct host_pci_dev virtio_model_pci;

/* As after power-on; offers VERSION_1 and EVENT_IDX. */
void virtio_model_power_on(uint16_t device, uint32_t config_size);
void virtio_model_capability(enum virtio_model_cap at, uint8_t in, uint32_t off, uint32_t len);

const uint8_t *virtio_model_descriptor(const struct virtio_model_queue *q, unsigned int i);
uint8_t *virtio_model_memory(const uint8_t *descriptor);
uint32_t virtio_model_len(const uint8_t *descriptor);
uint16_t virtio_model_flags(const uint8_t *descriptor);
/* The one behind it in its chain. */
const uint8_t *virtio_model_next(const struct virtio_model_queue *q, const uint8_t *descriptor);

/* The driver is done with it and the queue is on. */
bool virtio_model_works(const struct virtio_model_queue *q);
/* The next chain that was offered; false: none. */
bool virtio_model_take(struct virtio_model_queue *q, unsigned int *head);
/* Puts the chain into the used ring, or lies. */
void virtio_model_complete(struct virtio_model_queue *q, unsigned int head, uint32_t len);

#endif
