/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the configuration ports of the host's PCI buses and the list of functions behind them. */
/* Drives no device; BARs and interrupts are host_pci_resource.c's. */
#include "drivers/host/host_pci.h"

#include "arch/pio.h"
#include "drivers/host/host_pci_regs.h"
#include "hv/base/heap.h"
#include "hv/base/lock.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

/* "PCI Local Bus Specification" 3.0, "Software Generation of Configuration Transactions" */
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define CONFIG_ENABLE  0x80000000u

#define BUSES	  256u
#define SLOTS	  32u
#define FUNCTIONS 8u
#define NOBODY	  0xffffu /* as a vendor */
#define BOOT_CPU  BIT(0)  /* interrupts of devices come to where they are asked for */

extern const struct host_pci_driver *const host_pci_drivers_start[], *const host_pci_drivers_end[];

static struct spinlock lock = SPINLOCK_INIT(LOCK_PCI); /* the two ports */
static struct host_pci_dev *first;		       /* constant after host_pci_wait */
static struct thread *prober;

/* ---- configuration space ---- */

static void select(const struct host_pci_dev *d, unsigned int off)
{
	pio_out32(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)d->bus << 16 | (uint32_t)d->slot << 11 |
					  (uint32_t)d->function << 8 | (off & 0xfc));
}

uint32_t host_pci_read(const struct host_pci_dev *d, unsigned int off, unsigned int size)
{
	uint16_t port = (uint16_t)(CONFIG_DATA + (off & 3));
	uint32_t val;

	spin_lock(&lock);
	select(d, off);
	val = size == 1 ? pio_in8(port) : size == 2 ? pio_in16(port) : pio_in32(port);
	spin_unlock(&lock);
	return val;
}

void host_pci_write(const struct host_pci_dev *d, unsigned int off, unsigned int size, uint32_t val)
{
	uint16_t port = (uint16_t)(CONFIG_DATA + (off & 3));

	spin_lock(&lock);
	select(d, off);
	if (size == 1) {
		pio_out8(port, (uint8_t)val);
	} else if (size == 2) {
		pio_out16(port, (uint16_t)val);
	} else {
		pio_out32(port, val);
	}
	spin_unlock(&lock);
}

/* ---- enumeration ---- */

struct scan {
	struct host_pci_dev **tail;
	bool known[BUSES]; /* there is such a bus */
};

static void read_ids(struct host_pci_dev *d)
{
	d->device = (uint16_t)host_pci_read(d, PCI_DEVICE, 2);
	d->class = host_pci_read(d, PCI_REVISION, 4) >> 8;
	d->header = (uint8_t)(host_pci_read(d, PCI_HEADER, 1) & ~PCI_HEADER_MANY);
	d->pin = (uint8_t)host_pci_read(d, PCI_PIN, 1);
	d->line = (uint8_t)host_pci_read(d, PCI_LINE, 1);
}

/* False if nobody answers there. */
static bool scan_function(struct scan *s, struct host_pci_dev at)
{
	struct host_pci_dev *d;

	at.vendor = (uint16_t)host_pci_read(&at, PCI_VENDOR, 2);
	if (at.vendor == NOBODY) {
		return false;
	}
	read_ids(&at);
	if (at.header == PCI_HEADER_BRIDGE) {
		s->known[host_pci_read(&at, PCI_SECONDARY, 1)] = true;
	}
	d = heap_alloc(sizeof(*d));
	if (d != NULL) {
		*d = at;
		*s->tail = d;
		s->tail = &d->next;
	}
	return true;
}

static void scan_slot(struct scan *s, struct host_pci_dev at)
{
	if (!scan_function(s, at) || (host_pci_read(&at, PCI_HEADER, 1) & PCI_HEADER_MANY) == 0) {
		return;
	}
	while (++at.function < FUNCTIONS) {
		(void)scan_function(s, at);
	}
}

static void scan_bus(struct scan *s, unsigned int bus)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		scan_slot(s, (struct host_pci_dev){ .bus = (uint8_t)bus, .slot = (uint8_t)slot });
		thread_checkpoint();
	}
}

/* A bridge's bus has a higher number than the bus it is on ("Bus Numbering"), so one pass finds all. */
static void enumerate(void)
{
	struct scan s = { .tail = &first, .known = { [0] = true } };

	for (unsigned int bus = 0; bus < BUSES; bus++) {
		if (s.known[bus]) {
			scan_bus(&s, bus);
		}
	}
}

const struct host_pci_dev *host_pci_next(const struct host_pci_dev *d)
{
	return d != NULL ? d->next : first;
}

/* ---- drivers ---- */

static const struct host_pci_driver *driver_of(const struct host_pci_dev *d)
{
	for (const struct host_pci_driver *const *p = host_pci_drivers_start;
	     p < host_pci_drivers_end; p++) {
		if ((*p)->match(d)) {
			return *p;
		}
	}
	return NULL;
}

static void probe(struct host_pci_dev *d)
{
	const struct host_pci_driver *driver = driver_of(d);
	int err = driver != NULL ? driver->probe(d) : -ENODEV;

	if (err == 0) {
		d->driver = driver;
	} else if (driver != NULL) {
		log_printf(LOG_HOST, "pci %02x:%02x.%x: %s: %s", d->bus, d->slot, d->function,
			   driver->name, errno_text(err));
	}
	thread_checkpoint();
}

static void body(void *arg UNUSED)
{
	enumerate();
	for (struct host_pci_dev *d = first; d != NULL; d = d->next) {
		probe(d);
	}
}

void host_pci_start(void)
{
	const struct thread_params p = { .name = "devices", .body = body, .cpus = BOOT_CPU };
	int err = thread_create(&prober, &p);

	if (err != 0) {
		log_printf(LOG_HOST, "pci: devices cannot be looked for: %s", errno_text(err));
		prober = NULL;
	}
}

void host_pci_wait(void)
{
	if (prober != NULL) {
		thread_join(prober);
		prober = NULL;
	}
}
