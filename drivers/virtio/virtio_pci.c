/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio over PCI: capabilities, BARs, the ISR byte, and interrupts by message or by pin. */
/* The structures behind the BARs are virtio_common's. */
#include "drivers/virtio/virtio_pci.h"

#include "drivers/virtio/virtio_common.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vm.h"

/*
 * BAR 0 is memory with the four structures, each in a page; BAR 1 is MSI-X's; BAR 2 are ports that
 * notify: decoding an OUT costs a third of decoding a store to memory.
 */
enum { BAR_MEMORY = 0, BAR_MSIX = 1, BAR_PORTS = 2 };

#define PAGE_COMMON 0x0000u
#define PAGE_ISR    0x1000u
#define PAGE_DEVICE 0x2000u
#define PAGE_NOTIFY 0x3000u
#define PAGE_BITS   12u
#define BAR_SIZE    0x4000u

#define NOTIFY_STRIDE 4u  /* notify_off_multiplier */
#define NOTIFY_MIN    32u /* bytes */

#define REVISION    1u /* 4.1.2.1: 1 or higher */
#define SUBSYSTEM   0x40u
#define WINDOW_DATA VIRTIO_PCI_CAP_EXTRA
#define WINDOW_SIZE (VIRTIO_PCI_CAP_EXTRA + 4u)

/* ---- interrupts ---- */

static void update_pin(struct virtio_pci *p)
{
	vpci_set_intx(&p->f, p->s->isr && !vpci_msix_is_enabled(&p->msix));
}

/* 4.1.5.1.2, 4.1.5.1.3: by message the ISR byte has no meaning; isr 0 takes everything back. */
static void interrupt(struct virtio_dev *d, uint16_t vector, uint8_t isr)
{
	struct virtio_pci *p = virtio_pci_of(d);

	if (isr == 0) {
		p->s->isr = 0;
	} else if (vpci_msix_is_enabled(&p->msix)) {
		vpci_msix_raise(&p->msix, vector);
		return;
	}
	p->s->isr |= isr;
	update_pin(p);
}

/* ---- BARs ---- */

/* 4.1.4.5: reading resets it and releases the pin. */
static enum io_result isr_io(struct virtio_dev *d, struct io_access *a)
{
	struct virtio_pci *p = virtio_pci_of(d);

	if (a->addr != 0) {
		return IO_UNCLAIMED;
	}
	if (!a->write) {
		a->val = p->s->isr;
		p->s->isr = 0;
		update_pin(p);
	}
	return IO_DONE;
}

/* 4.1.5.2 "Available Buffer Notifications": the index of the queue at its place. */
static enum io_result notify_io(struct virtio_dev *d, struct io_access *a)
{
	unsigned int queue = (unsigned int)(a->addr / NOTIFY_STRIDE);

	if (!a->write || a->addr % NOTIFY_STRIDE || queue >= d->queues) {
		return IO_UNCLAIMED;
	}
	d->notifications++;
	if ((uint16_t)a->val != queue) {
		virtio_dev_broken(d, "queue %u: notified as %u", queue, (uint16_t)a->val);
	} else {
		virtio_dev_notify(d, queue);
	}
	return IO_DONE;
}

static enum io_result memory_io(void *dev, struct io_access *a)
{
	static enum io_result (*const pages[])(struct virtio_dev *, struct io_access *) = {
		[PAGE_COMMON >> PAGE_BITS] = virtio_common_io,
		[PAGE_ISR >> PAGE_BITS] = isr_io,
		[PAGE_DEVICE >> PAGE_BITS] = virtio_common_device_io,
		[PAGE_NOTIFY >> PAGE_BITS] = notify_io,
	};
	struct io_access in = *a;
	enum io_result r;

	in.addr = a->addr & (BIT(PAGE_BITS) - 1);
	r = pages[a->addr >> PAGE_BITS & 3](dev, &in);
	a->val = in.val;
	return r;
}

static enum io_result ports_io(void *dev, struct io_access *a)
{
	return notify_io(dev, a);
}

/* ---- configuration space ---- */

/* 4.1.4.9 "PCI configuration access capability": may the driver reach that through the window? */
static bool window_access(struct virtio_pci *p, struct io_access *a, struct vpci_bar **bar)
{
	const uint8_t *cap = &p->s->config[p->cap];
	uint8_t i = cap[VIRTIO_PCI_CAP_BAR_OFF];

	a->addr = bytes_get_le32(cap + VIRTIO_PCI_CAP_OFF_OFF);
	a->size = cap[VIRTIO_PCI_CAP_LEN_OFF];
	if (bytes_get_le32(cap + VIRTIO_PCI_CAP_LEN_OFF) > 4 || i >= VPCI_BARS ||
	    (a->size != 1 && a->size != 2 && a->size != 4)) {
		return false;
	}
	*bar = &p->f.bar[i];
	return a->addr % a->size == 0 && range_within(a->addr, a->size, (*bar)->size);
}

static bool touches(unsigned int off, unsigned int size, unsigned int at, unsigned int len)
{
	return off < at + len && at < off + size;
}

static void config_read(struct vpci_function *f, unsigned int off, unsigned int size)
{
	struct virtio_pci *p = f->dev;
	struct io_access a = { .write = false };
	struct vpci_bar *bar;

	if (touches(off, size, p->cap + WINDOW_DATA, 4) && window_access(p, &a, &bar) &&
	    bar->fn(bar->dev, &a) == IO_DONE) {
		bytes_put_le(&p->s->config[p->cap + WINDOW_DATA], a.size, a.val);
	}
}

static void write_window(struct virtio_pci *p)
{
	struct io_access a = { .write = true };
	struct vpci_bar *bar;

	if (window_access(p, &a, &bar)) {
		a.val = bytes_get_le(&p->s->config[p->cap + WINDOW_DATA], a.size);
		(void)bar->fn(bar->dev, &a);
	}
}

static void config_written(struct vpci_function *f, unsigned int off, unsigned int size)
{
	struct virtio_pci *p = f->dev;
	bool was_master = p->d.master;

	if (touches(off, size, p->cap + WINDOW_DATA, 4)) {
		write_window(p);
	}
	vpci_msix_config_written(&p->msix);
	update_pin(p);
	p->d.master = vpci_is_master(f);
	if (p->d.master && !was_master) {
		virtio_dev_notify_all(&p->d);
	}
}

/* ---- making one ---- */

static int add_capability(struct virtio_pci *p, uint8_t type, uint8_t bar, uint32_t off,
			  uint32_t len)
{
	uint8_t body[VIRTIO_PCI_CAP_EXTRA + 4] = { VIRTIO_PCI_CAP_ID };
	bool more = type == VIRTIO_PCI_CAP_NOTIFY || type == VIRTIO_PCI_CAP_PCI;
	uint8_t size = more ? sizeof(body) : VIRTIO_PCI_CAP_SIZE;

	body[2] = size;
	body[VIRTIO_PCI_CAP_TYPE_OFF] = type;
	body[VIRTIO_PCI_CAP_BAR_OFF] = bar;
	bytes_put_le32(&body[VIRTIO_PCI_CAP_OFF_OFF], off);
	bytes_put_le32(&body[VIRTIO_PCI_CAP_LEN_OFF], len);
	if (type == VIRTIO_PCI_CAP_NOTIFY) {
		bytes_put_le32(&body[VIRTIO_PCI_CAP_EXTRA], NOTIFY_STRIDE);
	}
	return vpci_add_capability(&p->f, body, size);
}

/* Places to notify: a power of two, since ports are a BAR of their own. */
static uint32_t notify_size(const struct virtio_pci *p)
{
	uint32_t size = NOTIFY_MIN;

	while (size < NOTIFY_STRIDE * p->d.queues) {
		size *= 2;
	}
	return size;
}

/* 4.1.4.4.1: a driver uses the first notification structure that it can. */
static int add_structures(struct virtio_pci *p)
{
	const struct {
		uint8_t type, bar;
		uint32_t off, len;
	} structures[] = {
		{ VIRTIO_PCI_CAP_COMMON, BAR_MEMORY, PAGE_COMMON, VIRTIO_COMMON_SIZE },
		{ VIRTIO_PCI_CAP_ISR, BAR_MEMORY, PAGE_ISR, 1 },
		{ VIRTIO_PCI_CAP_NOTIFY, BAR_PORTS, 0, notify_size(p) },
		{ VIRTIO_PCI_CAP_NOTIFY, BAR_MEMORY, PAGE_NOTIFY, notify_size(p) },
	};
	int cap = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(structures) && cap >= 0; i++) {
		cap = add_capability(p, structures[i].type, structures[i].bar, structures[i].off,
				     structures[i].len);
	}
	if (cap >= 0 && p->d.cls->config_size) {
		cap = add_capability(p, VIRTIO_PCI_CAP_DEVICE, BAR_MEMORY, PAGE_DEVICE,
				     p->d.cls->config_size);
	}
	return cap < 0 ? cap : 0;
}

static int add_window(struct virtio_pci *p)
{
	int cap = add_capability(p, VIRTIO_PCI_CAP_PCI, 0, 0, 0);
	uint8_t *writable;

	if (cap < 0) {
		return cap;
	}
	p->cap = (unsigned int)cap;
	writable = &p->f.writable[p->cap];
	writable[VIRTIO_PCI_CAP_BAR_OFF] = 0xff;
	memset(&writable[VIRTIO_PCI_CAP_OFF_OFF], 0xff, WINDOW_SIZE - VIRTIO_PCI_CAP_OFF_OFF);
	return 0;
}

static void identify(struct virtio_pci *p, const struct virtio_dev_class *cls)
{
	struct vpci_function *f = &p->f;

	f->config = p->s->config;
	f->dev = p;
	f->name = cls->name;
	vpci_identify(f, VIRTIO_PCI_VENDOR, (uint16_t)(VIRTIO_PCI_DEVICE + cls->id), cls->pci_class,
		      REVISION, 1);
	bytes_put_le16(&f->config[VPCI_SUBSYSTEM], VIRTIO_PCI_VENDOR);
	bytes_put_le16(&f->config[VPCI_SUBSYSTEM + 2], SUBSYSTEM);
	f->bar[BAR_MEMORY] = (struct vpci_bar){ .size = BAR_SIZE, .fn = memory_io, .dev = &p->d };
	f->bar[BAR_PORTS] = (struct vpci_bar){
		.size = notify_size(p), .io = true, .fn = ports_io, .dev = &p->d
	};
	f->config_read = config_read;
	f->config_written = config_written;
}

int virtio_pci_create(struct virtio_pci *p, struct vm *vm, const struct virtio_dev_class *cls,
		      struct virtio_pci_state *s, uint8_t *config, unsigned int slot)
{
	int err;

	p->s = s;
	p->d.vm = vm;
	p->d.s = &s->dev;
	p->d.config = config;
	p->d.interrupt = interrupt;
	virtio_dev_init(&p->d, cls);
	p->d.vectors = (uint16_t)(p->d.queues + 1);
	identify(p, cls);
	err = vpci_msix_init(&p->msix, &p->f, &s->msix, p->d.vectors, BAR_MSIX);
	err = err ? err : add_structures(p);
	err = err ? err : add_window(p);
	return err ? err : vpci_add(vm, VPCI_DEVFN(slot, 0u), &p->f);
}

void virtio_pci_reset(struct virtio_pci *p)
{
	vpci_reset_function(&p->f);
	vpci_msix_reset(&p->msix);
	p->d.master = false;
	virtio_dev_reset(&p->d);
}

int virtio_pci_load(struct virtio_pci *p)
{
	int err = vpci_load_function(&p->f);

	p->d.master = vpci_is_master(&p->f);
	err = err ? err : vpci_msix_load(&p->msix);
	err = err ? err : virtio_dev_load(&p->d);
	update_pin(p);
	return err;
}
