/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's half of Virtio 1.2: "PCI Device Discovery", "Device Initialization", "Split Virtqueues". */
/* Uses only what every device here has: structures in memory, a port to notify, MSI-X. */
#include "guests/lib/virtio.h"

#include "guests/lib/cpu.h"
#include "guests/lib/mem.h"

#define BARS	     6u
#define BAR_0	     0x10u
#define BAR_IO	     1u
#define BAR_TYPE     6u
#define BAR_64	     4u
#define BAR_MEMORY   0xe0000000u /* of slot 0; 256 KiB a slot, 32 KiB a BAR */
#define BAR_PORTS    0xc000u	 /* of slot 0; 256 a slot, 32 a BAR */
#define CAPABILITIES 0x34u
#define CAP_MSIX     0x11u
#define MSIX_ENABLE  0x80000000u

struct virtio_desc virtio_desc[VIRTIO_RING] __attribute__((aligned(16)));
volatile uint16_t virtio_avail[4 + VIRTIO_RING] __attribute__((aligned(4)));
volatile uint16_t virtio_used[4 + 4 * VIRTIO_RING] __attribute__((aligned(4)));

uint32_t virtio_config_read(unsigned int slot, unsigned int off)
{
	pio_out32(0xcf8, 0x80000000u | slot << 11 | (off & 0xfcu));
	return pio_in32(0xcfc);
}

void virtio_config_write(unsigned int slot, unsigned int off, uint32_t val)
{
	pio_out32(0xcf8, 0x80000000u | slot << 11 | (off & 0xfcu));
	pio_out32(0xcfc, val);
}

/* Whatever a firmware chose; a 64-bit BAR takes two and goes below 4 GiB as well. */
static void place_bars(unsigned int slot)
{
	for (unsigned int i = 0; i < BARS; i++) {
		unsigned int at = BAR_0 + 4 * i;
		uint32_t bar = virtio_config_read(slot, at);

		virtio_config_write(slot, at,
				    bar & BAR_IO ? BAR_PORTS + slot * 0x100u + i * 0x20u
						 : BAR_MEMORY + slot * 0x40000u + i * 0x8000u);
		if (!(bar & BAR_IO) && (bar & BAR_TYPE) == BAR_64) {
			virtio_config_write(slot, BAR_0 + 4 * ++i, 0);
		}
	}
}

/* Where a BAR begins, from the word of a capability that names it. */
static uint32_t bar_of(const struct virtio *v, uint32_t word)
{
	uint32_t bar = virtio_config_read(v->slot, BAR_0 + 4 * (word & 7));

	return bar & (bar & BAR_IO ? ~3u : ~15u);
}

/* "Virtio Structure PCI Capabilities"; of the places to notify at, the one with ports. */
static void find_structure(struct virtio *v, unsigned int cap, unsigned int type)
{
	uint32_t which = virtio_config_read(v->slot, cap + VIRTIO_PCI_CAP_BAR_OFF);
	uint32_t at = bar_of(v, which) + virtio_config_read(v->slot, cap + VIRTIO_PCI_CAP_OFF_OFF);

	if (type == VIRTIO_PCI_CAP_COMMON) {
		v->common = at;
	} else if (type == VIRTIO_PCI_CAP_ISR) {
		v->isr = at;
	} else if (type == VIRTIO_PCI_CAP_NOTIFY &&
		   virtio_config_read(v->slot, BAR_0 + 4 * (which & 7)) & BAR_IO) {
		v->notify = (uint16_t)at;
		v->stride = (uint16_t)virtio_config_read(v->slot, cap + VIRTIO_PCI_CAP_EXTRA);
	}
}

static void find_capabilities(struct virtio *v)
{
	unsigned int cap = virtio_config_read(v->slot, CAPABILITIES) & 0xfc;

	while (cap) {
		uint32_t head = virtio_config_read(v->slot, cap);

		if ((head & 0xff) == VIRTIO_PCI_CAP_ID) {
			find_structure(v, cap, head >> 24);
		} else if ((head & 0xff) == CAP_MSIX) {
			uint32_t table = virtio_config_read(v->slot, cap + 4);

			v->msix_cap = cap;
			v->msix = bar_of(v, table) + (table & ~7u);
		}
		cap = head >> 8 & 0xfc;
	}
}

bool virtio_find(struct virtio *v, unsigned int type)
{
	uint32_t id = (VIRTIO_PCI_DEVICE + type) << 16 | VIRTIO_PCI_VENDOR;
	unsigned int slot = 0;

	while (slot < 32 && virtio_config_read(slot, 0) != id) {
		slot++;
	}
	if (slot == 32) {
		return false;
	}
	*v = (struct virtio){ .slot = slot };
	place_bars(slot);
	find_capabilities(v);
	virtio_config_write(slot, 0x04, 7);
	return v->common && v->isr && v->notify && v->msix;
}

uint32_t virtio_get(const struct virtio *v, unsigned int off, unsigned int size)
{
	uintptr_t at = v->common + off;

	return size == 1   ? *(volatile uint8_t *)at
	       : size == 2 ? *(volatile uint16_t *)at
			   : *(volatile uint32_t *)at;
}

void virtio_set(const struct virtio *v, unsigned int off, unsigned int size, uint32_t val)
{
	uintptr_t at = v->common + off;

	if (size == 1) {
		*(volatile uint8_t *)at = (uint8_t)val;
	} else if (size == 2) {
		*(volatile uint16_t *)at = (uint16_t)val;
	} else {
		*(volatile uint32_t *)at = val;
	}
}

uint8_t virtio_status(const struct virtio *v)
{
	return (uint8_t)virtio_get(v, VIRTIO_COMMON_STATUS, 1);
}

bool virtio_negotiate(const struct virtio *v, uint64_t features)
{
	virtio_set(v, VIRTIO_COMMON_STATUS, 1, 0);
	virtio_set(v, VIRTIO_COMMON_STATUS, 1, VIRTIO_ACKNOWLEDGE);
	virtio_set(v, VIRTIO_COMMON_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (unsigned int i = 0; i < 2; i++) {
		virtio_set(v, VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, i);
		virtio_set(v, VIRTIO_COMMON_DRIVER_FEATURE, 4, (uint32_t)(features >> (32 * i)));
	}
	virtio_set(v, VIRTIO_COMMON_STATUS, 1,
		   VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	return virtio_status(v) & VIRTIO_FEATURES_OK;
}

static void set_address(const struct virtio *v, unsigned int off, const volatile void *at)
{
	virtio_set(v, off, 4, (uint32_t)(uintptr_t)at);
	virtio_set(v, off + 4, 4, 0);
}

unsigned int virtio_queue_max(const struct virtio *v, unsigned int queue)
{
	virtio_set(v, VIRTIO_COMMON_STATUS, 1, 0);
	virtio_set(v, VIRTIO_COMMON_QUEUE_SELECT, 2, queue);
	return virtio_get(v, VIRTIO_COMMON_QUEUE_SIZE, 2);
}

void virtio_queue(struct virtio *v, unsigned int queue, unsigned int size)
{
	memset(virtio_desc, 0, sizeof(virtio_desc));
	memset((void *)(uintptr_t)virtio_avail, 0, sizeof(virtio_avail));
	memset((void *)(uintptr_t)virtio_used, 0, sizeof(virtio_used));
	v->queue = queue;
	v->size = size;
	v->avail = 0;
	virtio_set(v, VIRTIO_COMMON_QUEUE_SELECT, 2, queue);
	virtio_set(v, VIRTIO_COMMON_QUEUE_SIZE, 2, size);
	virtio_set(v, VIRTIO_COMMON_QUEUE_VECTOR, 2, 1);
	set_address(v, VIRTIO_COMMON_QUEUE_DESC, virtio_desc);
	set_address(v, VIRTIO_COMMON_QUEUE_DRIVER, virtio_avail);
	set_address(v, VIRTIO_COMMON_QUEUE_DEVICE, virtio_used);
	virtio_set(v, VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

void virtio_start(struct virtio *v, unsigned int queue, unsigned int size, uint64_t features)
{
	virtio_negotiate(v, features);
	virtio_queue(v, queue, size);
	virtio_set(v, VIRTIO_COMMON_STATUS, 1,
		   VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void virtio_msix(const struct virtio *v, unsigned int vectors, unsigned int first)
{
	for (unsigned int i = 0; i < vectors; i++) {
		mmio_write32(v->msix + 16ul * i, 0xfee00000);
		mmio_write32(v->msix + 16ul * i + 4, 0);
		mmio_write32(v->msix + 16ul * i + 8, first + i);
		mmio_write32(v->msix + 16ul * i + 12, 0);
	}
	virtio_config_write(v->slot, v->msix_cap, MSIX_ENABLE);
}

void virtio_offer(struct virtio *v, uint16_t head)
{
	virtio_avail[2 + v->avail % v->size] = head;
	__asm__ volatile("" ::: "memory");
	virtio_avail[1] = ++v->avail;
}

void virtio_kick(const struct virtio *v)
{
	pio_out16((uint16_t)(v->notify + v->stride * v->queue), (uint16_t)v->queue);
}
