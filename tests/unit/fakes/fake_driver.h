/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio driver for tests over fake_pc and fake_guest_mem: maps BARs, negotiates, makes rings. */
/* Polite by default; tests break the rules through the same functions. */
#ifndef TESTS_UNIT_FAKES_FAKE_DRIVER_H
#define TESTS_UNIT_FAKES_FAKE_DRIVER_H

#include "drivers/virtio/virtio_regs.h"
#include "fakes/fake_guest_mem.h"
#include "tests/unit/fakes/fake_pc.h"

/* The sources that a virtio test is made of, beside its own: see test_virtio.c. */

#define DRV_BAR(slot)	(0xe0000000ul + (slot)*0x10000ul) /* memory; MSI-X 0x8000 behind */
#define DRV_MSIX(slot)	(DRV_BAR(slot) + 0x8000)
#define DRV_PORTS(slot) ((uint16_t)(0xc000 + (slot)*0x100))
#define DRV_ISR		0x1000u /* offsets in the memory BAR */
#define DRV_DEVICE	0x2000u
#define DRV_NOTIFY	0x3000u
#define DRV_DESC(q)	(0x10000ul * ((q) + 1ul)) /* where each queue's rings are */
#define DRV_AVAIL(q)	(DRV_DESC(q) + 0x2000)
#define DRV_USED(q)	(DRV_DESC(q) + 0x3000)
#define DRV_INDIRECT(q) (DRV_DESC(q) + 0x4000)
#define DRV_DATA(q)	(DRV_DESC(q) + 0x8000)
#define DRV_SIZE	16u /* entries of each ring */
#define DRV_VERSION_1	BIT(VIRTIO_F_VERSION_1)
#define DRV_FEATURES	(DRV_VERSION_1 | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX))

extern unsigned int drv_slot; /* the device that the functions below speak to */

uint32_t drv_config_get(unsigned int off, uint8_t size);
void drv_config_set(unsigned int off, uint8_t size, uint32_t val);
/* Places and enables the BARs. */
void drv_map(unsigned int slot);

uint64_t drv_get(unsigned int off, uint8_t size);
void drv_set(unsigned int off, uint8_t size, uint64_t val);
void drv_set_features(uint64_t features);
uint64_t drv_offered(void);
uint8_t drv_status(void);
void drv_set_status(uint8_t status);
/* Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. */
void drv_negotiate(uint64_t features);
/* Sets a queue up and enables it; its vector is q + 1. */
void drv_queue(unsigned int q);
/* The same with another size; the functions below use its first DRV_SIZE entries only. */
void drv_queue_of(unsigned int q, uint16_t size);
/* All of the above, `queues` queues, DRIVER_OK. */
void drv_start(unsigned int slot, uint64_t features, unsigned int queues);
/* Vector i sends vector 0x40 + i. */
void drv_msix_on(unsigned int vectors);

void drv_desc(unsigned int q, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
	      uint16_t next);
/* The same in the queue's indirect table. */
void drv_indirect(unsigned int q, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
		  uint16_t next);
/* Makes descriptor `head` available; tells the device. */
void drv_offer(unsigned int q, uint16_t head);
void drv_kick(unsigned int q);
uint16_t drv_used(unsigned int q);
/* Length of the n-th completion. */
uint32_t drv_used_len(unsigned int q, unsigned int n);
void drv_put16(uint64_t gpa, uint16_t val);
uint16_t drv_get16(uint64_t gpa);

#endif
