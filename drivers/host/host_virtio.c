/* SPDX-License-Identifier: BSD-2-Clause */
/* The common configuration structure, and how to come by it. */
/* Knows no device type, and of a ring only where it is. */
#include "drivers/host/host_virtio.h"

#include "arch/clock.h"
#include "arch/mmio.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/host_vring.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define RESET_NS 1000000000ul
#define POLL_NS	 1000000ul
#define VECTOR	 0u  /* the one that host_pci_irq_request sets up */
#define MAP_MOST MIB /* of a structure: bells of a page each take 4 MiB, for a thousand queues */

/* ---- where things are: 4.1.4 "Virtio Structure PCI Capabilities" ---- */

struct place {
	unsigned int cap;
	volatile uint8_t *at; /* NULL: there is none */
	uint32_t len;
};

/* The first of that type that is somewhere: a driver may take any. */
static struct place find(const struct host_pci_dev *d, unsigned int type, uint32_t least)
{
	struct place p = { 0 };

	while (p.at == NULL &&
	       (p.cap = host_pci_capability_after(d, VIRTIO_PCI_CAP_ID, p.cap)) != 0) {
		uint32_t off = host_pci_read(d, p.cap + VIRTIO_PCI_CAP_OFF_OFF, 4);
		unsigned int bar = host_pci_read(d, p.cap + VIRTIO_PCI_CAP_BAR_OFF, 1);
		volatile uint8_t *base;

		p.len = (uint32_t)u64_min(host_pci_read(d, p.cap + VIRTIO_PCI_CAP_LEN_OFF, 4),
					  MAP_MOST);
		if (host_pci_read(d, p.cap + VIRTIO_PCI_CAP_TYPE_OFF, 1) == type && bar < 6 &&
		    p.len >= least && off % 4 == 0) {
			base = host_pci_bar_map(d, bar, (uint64_t)off + p.len);
			p.at = base != NULL ? base + off : NULL;
		}
	}
	return p;
}

int host_virtio_find(struct host_virtio *v, struct host_pci_dev *pci)
{
	const struct place common = find(pci, VIRTIO_PCI_CAP_COMMON, VIRTIO_COMMON_SIZE);
	const struct place notify = find(pci, VIRTIO_PCI_CAP_NOTIFY, 2);
	const struct place isr = find(pci, VIRTIO_PCI_CAP_ISR, 1);
	const struct place device = find(pci, VIRTIO_PCI_CAP_DEVICE, 1);

	if (common.at == NULL || notify.at == NULL || isr.at == NULL) {
		return -ENODEV;
	}
	*v = (struct host_virtio){
		.pci = pci,
		.common = common.at,
		.isr = isr.at,
		.notify = notify.at,
		.notify_len = notify.len,
		.notify_step = host_pci_read(pci, notify.cap + VIRTIO_PCI_CAP_EXTRA, 4),
		.device = device.at,
		.device_len = device.at != NULL ? device.len : 0,
	};
	return 0;
}

/* ---- 3.1 "Device Initialization" ---- */

static uint8_t status(const struct host_virtio *v)
{
	return mmio_read8(v->common + VIRTIO_COMMON_STATUS);
}

static void add_status(const struct host_virtio *v, uint8_t bits)
{
	mmio_write8(v->common + VIRTIO_COMMON_STATUS, status(v) | bits);
}

void host_virtio_off(const struct host_virtio *v)
{
	mmio_write8(v->common + VIRTIO_COMMON_STATUS, 0);
}

/* 4.1.4.3.2: the reset is over when it reads 0. */
static int reset(const struct host_virtio *v)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(RESET_NS);

	host_virtio_off(v);
	while (status(v) != 0) {
		if (clock_now() > deadline) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
	return 0;
}

static uint64_t offered(const struct host_virtio *v)
{
	uint64_t all = 0;

	for (unsigned int i = 0; i < 2; i++) {
		mmio_write32(v->common + VIRTIO_COMMON_DEVICE_FEATURE_SELECT, i);
		all |= (uint64_t)mmio_read32(v->common + VIRTIO_COMMON_DEVICE_FEATURE) << 32 * i;
	}
	return all;
}

static void accept(const struct host_virtio *v)
{
	for (unsigned int i = 0; i < 2; i++) {
		mmio_write32(v->common + VIRTIO_COMMON_DRIVER_FEATURE_SELECT, i);
		mmio_write32(v->common + VIRTIO_COMMON_DRIVER_FEATURE,
			     (uint32_t)(v->features >> 32 * i));
	}
	add_status(v, VIRTIO_FEATURES_OK);
}

int host_virtio_begin(struct host_virtio *v, uint64_t wanted)
{
	int err = reset(v);

	if (err != 0) {
		return err;
	}
	add_status(v, VIRTIO_ACKNOWLEDGE);
	add_status(v, VIRTIO_DRIVER);
	v->features = offered(v) & (wanted | BIT(VIRTIO_F_VERSION_1));
	if ((v->features & BIT(VIRTIO_F_VERSION_1)) == 0) {
		return -ENOTSUP;
	}
	accept(v);
	return (status(v) & VIRTIO_FEATURES_OK) != 0 ? 0 : -ENOTSUP;
}

static void put_address(const struct host_virtio *v, unsigned int reg, hpa_t at)
{
	mmio_write32(v->common + reg, (uint32_t)at.v);
	mmio_write32(v->common + reg + 4, (uint32_t)(at.v >> 32));
}

/* 4.1.5.1.2: it says so if it has no resources for the vector. */
static bool set_vector(const struct host_virtio *v)
{
	uint16_t vector = v->pci->irq == HOST_PCI_MSIX ? VECTOR : VIRTIO_NO_VECTOR;

	mmio_write16(v->common + VIRTIO_COMMON_CONFIG_VECTOR, vector);
	mmio_write16(v->common + VIRTIO_COMMON_QUEUE_VECTOR, vector);
	return mmio_read16(v->common + VIRTIO_COMMON_QUEUE_VECTOR) == vector;
}

int host_virtio_queue(const struct host_virtio *v, uint16_t queue, const struct host_vring *r,
		      volatile uint8_t **bell)
{
	uint64_t at;

	if (queue >= mmio_read16(v->common + VIRTIO_COMMON_NUM_QUEUES)) {
		return -ENODEV;
	}
	mmio_write16(v->common + VIRTIO_COMMON_QUEUE_SELECT, queue);
	at = (uint64_t)mmio_read16(v->common + VIRTIO_COMMON_QUEUE_NOTIFY_OFF) * v->notify_step;
	if (mmio_read16(v->common + VIRTIO_COMMON_QUEUE_SIZE) < r->size || at % 2 != 0 ||
	    at + 2 > v->notify_len || !set_vector(v)) {
		return -ENODEV;
	}
	mmio_write16(v->common + VIRTIO_COMMON_QUEUE_SIZE, r->size);
	put_address(v, VIRTIO_COMMON_QUEUE_DESC, host_vring_desc(r));
	put_address(v, VIRTIO_COMMON_QUEUE_DRIVER, host_vring_avail(r));
	put_address(v, VIRTIO_COMMON_QUEUE_DEVICE, host_vring_used(r));
	mmio_write16(v->common + VIRTIO_COMMON_QUEUE_ENABLE, 1);
	*bell = v->notify + at;
	return 0;
}

void host_virtio_ready(const struct host_virtio *v)
{
	add_status(v, VIRTIO_DRIVER_OK);
}

/* ---- at work ---- */

void host_virtio_kick(volatile uint8_t *bell, uint16_t queue)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* what was offered is there before the bell */
	mmio_write16(bell, queue);
}

/* 4.1.4.5: reading it lets the pin go; with MSI-X nobody else has the vector. */
bool host_virtio_irq(const struct host_virtio *v)
{
	return v->pci->irq == HOST_PCI_MSIX || mmio_read8(v->isr) != 0;
}

uint32_t host_virtio_config(const struct host_virtio *v, unsigned int off, unsigned int size)
{
	if (off + size > v->device_len) {
		return 0;
	}
	return size == 1   ? mmio_read8(v->device + off)
	       : size == 2 ? mmio_read16(v->device + off)
			   : mmio_read32(v->device + off);
}

uint64_t host_virtio_config64(const struct host_virtio *v, unsigned int off)
{
	return host_virtio_config(v, off, 4) | (uint64_t)host_virtio_config(v, off + 4, 4) << 32;
}
