/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of Virtio 1.2 over the fake PC. */
/* Checks nothing. */
#include "tests/unit/fakes/fake_driver.h"

#include <string.h>

unsigned int drv_slot;

static void address(unsigned int off)
{
	fake_out(0xcf8, 4, 0x80000000u | drv_slot << 11 | (off & ~3u));
}

uint32_t drv_config_get(unsigned int off, uint8_t size)
{
	address(off);
	return fake_in((uint16_t)(0xcfc + (off & 3)), size);
}

void drv_config_set(unsigned int off, uint8_t size, uint32_t val)
{
	address(off);
	fake_out((uint16_t)(0xcfc + (off & 3)), size, val);
}

void drv_map(unsigned int slot)
{
	drv_slot = slot;
	drv_config_set(0x10, 4, DRV_BAR(slot));
	drv_config_set(0x14, 4, DRV_MSIX(slot));
	drv_config_set(0x18, 4, DRV_PORTS(slot));
	drv_config_set(0x04, 2, 7);
}

uint64_t drv_get(unsigned int off, uint8_t size)
{
	return fake_read(DRV_BAR(drv_slot) + off, size);
}

void drv_set(unsigned int off, uint8_t size, uint64_t val)
{
	fake_write(DRV_BAR(drv_slot) + off, size, val);
}

void drv_set_features(uint64_t features)
{
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, 0);
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE, 4, features & 0xffffffff);
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, 1);
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE, 4, features >> 32);
}

uint64_t drv_offered(void)
{
	uint64_t low;

	drv_set(VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 4, 0);
	low = drv_get(VIRTIO_COMMON_DEVICE_FEATURE, 4);
	drv_set(VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 4, 1);
	return drv_get(VIRTIO_COMMON_DEVICE_FEATURE, 4) << 32 | low;
}

uint8_t drv_status(void)
{
	return (uint8_t)drv_get(VIRTIO_COMMON_STATUS, 1);
}

void drv_set_status(uint8_t status)
{
	drv_set(VIRTIO_COMMON_STATUS, 1, status);
}

void drv_negotiate(uint64_t features)
{
	drv_set_status(0);
	drv_set_status(VIRTIO_ACKNOWLEDGE);
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	drv_set_features(features);
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static void set_address(unsigned int off, uint64_t gpa)
{
	drv_set(off, 4, gpa & 0xffffffff);
	drv_set(off + 4, 4, gpa >> 32);
}

void drv_queue(unsigned int q)
{
	drv_queue_of(q, DRV_SIZE);
}

void drv_queue_of(unsigned int q, uint16_t size)
{
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, q);
	drv_set(VIRTIO_COMMON_QUEUE_SIZE, 2, size);
	drv_set(VIRTIO_COMMON_QUEUE_VECTOR, 2, q + 1);
	set_address(VIRTIO_COMMON_QUEUE_DESC, DRV_DESC(q));
	set_address(VIRTIO_COMMON_QUEUE_DRIVER, DRV_AVAIL(q));
	set_address(VIRTIO_COMMON_QUEUE_DEVICE, DRV_USED(q));
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

void drv_start(unsigned int slot, uint64_t features, unsigned int queues)
{
	fake_guest_mem_reset();
	drv_map(slot);
	drv_negotiate(features);
	for (unsigned int q = 0; q < queues; q++) {
		drv_queue(q);
	}
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void drv_msix_on(unsigned int vectors)
{
	for (unsigned int i = 0; i < vectors; i++) {
		uint64_t entry = DRV_MSIX(drv_slot) + 16ul * i;

		fake_write(entry, 4, 0xfee00000);
		fake_write(entry + 4, 4, 0);
		fake_write(entry + 8, 4, 0x40 + i);
		fake_write(entry + 12, 4, 0);
	}
	drv_config_set(0x42, 2, 0x8000);
}

static void put_desc(uint64_t at, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	fake_guest_mem_put64(at, addr);
	fake_guest_mem_put32(at + 8, len);
	drv_put16(at + 12, flags);
	drv_put16(at + 14, next);
}

void drv_desc(unsigned int q, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
	      uint16_t next)
{
	put_desc(DRV_DESC(q) + 16ul * i, addr, len, flags, next);
}

void drv_indirect(unsigned int q, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
		  uint16_t next)
{
	put_desc(DRV_INDIRECT(q) + 16ul * i, addr, len, flags, next);
}

void drv_offer(unsigned int q, uint16_t head)
{
	uint16_t idx = drv_get16(DRV_AVAIL(q) + 2);

	drv_put16(DRV_AVAIL(q) + 4 + 2ul * (idx % DRV_SIZE), head);
	drv_put16(DRV_AVAIL(q) + 2, (uint16_t)(idx + 1));
}

void drv_kick(unsigned int q)
{
	fake_out((uint16_t)(DRV_PORTS(drv_slot) + 4 * q), 2, q);
}

uint16_t drv_used(unsigned int q)
{
	return drv_get16(DRV_USED(q) + 2);
}

uint32_t drv_used_len(unsigned int q, unsigned int n)
{
	return (uint32_t)(fake_guest_mem_get64(DRV_USED(q) + 4 + 8ul * (n % DRV_SIZE)) >> 32);
}

void drv_put16(uint64_t gpa, uint16_t val)
{
	memcpy(&fake_ram[gpa], &val, sizeof(val));
}

uint16_t drv_get16(uint64_t gpa)
{
	uint16_t val;

	memcpy(&val, &fake_ram[gpa], sizeof(val));
	return val;
}
