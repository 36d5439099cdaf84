/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's PCI functions: found once at boot, offered to drivers, which register themselves. */
/* Guests' PCI is drivers/emul/vpci. */
#ifndef DRIVERS_HOST_HOST_PCI_H
#define DRIVERS_HOST_HOST_PCI_H

#include "hv/lib/types.h"

struct host_pci_driver;

enum host_pci_irq { HOST_PCI_NO_IRQ, HOST_PCI_INTX, HOST_PCI_MSI, HOST_PCI_MSIX, HOST_PCI_ISA };

struct host_pci_dev {
	struct host_pci_dev *next; /* in order of bus, slot, function */
	uint8_t bus;
	uint8_t slot;
	uint8_t function;
	uint8_t header; /* type, without the bit for several functions */
	uint16_t vendor;
	uint16_t device;
	uint32_t class;	       /* base class << 16 | subclass << 8 | programming interface */
	uint8_t pin;	       /* of INTx: 1 to 4; 0: none */
	uint8_t line;	       /* the ISA interrupt that the firmware led it to */
	enum host_pci_irq irq; /* what host_pci_irq_request got */
	const struct host_pci_driver *driver; /* NULL: nobody drives it */
};

/*
 * A driver: `static const struct host_pci_driver e1000 = {…}; HOST_PCI_REGISTER(e1000);`. The first
 * whose match() is true gets probe(), on one thread, in order of the functions (so numbers like ide0
 * are the same at each boot); it may sleep, but bounds each wait to seconds. 0: it drives d for good;
 * -Exxx, logged by the caller: nobody does.
 *
 * Memory for DMA: page_alloc(order) of hv/base/page.h, in a row and zeroed; the device sees it at
 * paging_hpa(p) (arch/paging.h). That may lie above 4 GiB: who has 32-bit registers checks.
 */
struct host_pci_driver {
	const char *name;
	bool (*match)(const struct host_pci_dev *d);
	int (*probe)(struct host_pci_dev *d);
};

#define HOST_PCI_REGISTER(drv)                                                                     \
	static const struct host_pci_driver *const host_pci_entry_##drv                            \
		__attribute__((used, section(".host_pci_drivers"))) = &(drv)

/* Finds the functions and has them probed, on a thread of its own; logs if there is no memory. */
void host_pci_start(void);
/* Returns when every probe() has. A thread; also when host_pci_start was never called. */
void host_pci_wait(void);
/* The one after d, or the first if d is NULL; NULL at the end. After host_pci_wait. */
const struct host_pci_dev *host_pci_next(const struct host_pci_dev *d);

/* ---- for drivers; in probe() and later, threads only but for read and write (any context) ---- */

/* Registers of the configuration space: size 1, 2 or 4, off a multiple of it and below 256. */
uint32_t host_pci_read(const struct host_pci_dev *d, unsigned int off, unsigned int size);
void host_pci_write(const struct host_pci_dev *d, unsigned int off, unsigned int size,
		    uint32_t val);
/* Offset of the capability with that id; 0 if there is none. */
unsigned int host_pci_capability(const struct host_pci_dev *d, uint8_t id);
/* The one of that id behind the one at `at`; 0 if there is none. */
unsigned int host_pci_capability_after(const struct host_pci_dev *d, uint8_t id, unsigned int at);
/* The device answers at its BARs, and may read and write memory. */
void host_pci_enable(struct host_pci_dev *d);

struct host_pci_bar {
	bool io;       /* ports, else memory */
	uint64_t base; /* port or host-physical address */
	uint64_t size; /* bytes */
};
/* BAR i (0-5); -ENODEV if there is none or the firmware gave it no place. Before host_pci_enable. */
int host_pci_bar(const struct host_pci_dev *d, unsigned int i, struct host_pci_bar *out);
/*
 * The registers behind memory BAR i, uncached, for good; NULL if it is none or has less than `size`
 * bytes. Before host_pci_enable.
 */
volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size);

/*
 * From now on the device's interrupt calls fn(arg), in an interrupt window of this CPU: masked, no
 * lock held, no sleep. MSI-X (its first vector) if it has that, else MSI, else its pin, which others
 * may share: fn returns quietly when its device wants nothing. d->irq tells which. 0 or -Exxx.
 */
int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg);

#endif
