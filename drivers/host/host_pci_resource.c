/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver needs of its PCI function: capabilities, BARs and an interrupt of some kind. */
/* Finds no functions and hands out no vectors. */
#include "arch/irq.h"
#include "arch/paging.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/host_pci_regs.h"
#include "hv/lib/errno.h"

#define CAPS_FIRST 0x40u

_Static_assert(PCI_SPACE / 4 <= 64, "a bit for each place of a capability");

static void command(const struct host_pci_dev *d, uint32_t clear, uint32_t set)
{
	uint32_t old = host_pci_read(d, PCI_COMMAND, 2);

	host_pci_write(d, PCI_COMMAND, 2, (old & ~clear) | set);
}

void host_pci_enable(struct host_pci_dev *d)
{
	command(d, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* "Capabilities List"; a chain that bites its tail ends there: nothing in it is behind itself. */
static unsigned int find(const struct host_pci_dev *d, uint8_t id, unsigned int after)
{
	unsigned int at = host_pci_read(d, PCI_CAPS, 1) & 0xfc;
	bool passed = after == 0;
	uint64_t seen = 0;

	while (at >= CAPS_FIRST && (seen & BIT(at / 4)) == 0) {
		if (passed && host_pci_read(d, at, 1) == id) {
			return at;
		}
		passed = passed || at == after;
		seen |= BIT(at / 4);
		at = host_pci_read(d, at + 1, 1) & 0xfc;
	}
	return 0;
}

unsigned int host_pci_capability_after(const struct host_pci_dev *d, uint8_t id, unsigned int at)
{
	return (host_pci_read(d, PCI_STATUS, 2) & PCI_STATUS_CAPS) != 0 ? find(d, id, at) : 0;
}

unsigned int host_pci_capability(const struct host_pci_dev *d, uint8_t id)
{
	return host_pci_capability_after(d, id, 0);
}

/* ---- BARs: "Base Addresses" ---- */

/* Which address bits of the register are writable; what it held stays. */
static uint32_t sizing(const struct host_pci_dev *d, unsigned int off)
{
	uint32_t old = host_pci_read(d, off, 4), mask;

	host_pci_write(d, off, 4, UINT32_MAX);
	mask = host_pci_read(d, off, 4);
	host_pci_write(d, off, 4, old);
	return mask;
}

static void read_io(const struct host_pci_dev *d, unsigned int off, struct host_pci_bar *b)
{
	uint32_t mask = sizing(d, off) & ~3u;

	b->base = host_pci_read(d, off, 4) & 0xfffc;
	b->size = ~(mask | 0xffff0000u) + 1u; /* a device may have the upper half hardwired to 0 */
}

static void read_memory(const struct host_pci_dev *d, unsigned int off, bool wide,
			struct host_pci_bar *b)
{
	uint64_t mask = sizing(d, off) & ~15u;

	b->base = host_pci_read(d, off, 4) & ~15u;
	if (wide) {
		mask |= (uint64_t)sizing(d, off + 4) << 32;
		b->base |= (uint64_t)host_pci_read(d, off + 4, 4) << 32;
	} else {
		mask |= mask != 0 ? (uint64_t)UINT32_MAX << 32 : 0;
	}
	b->size = ~mask + 1; /* 0: no bit is writable */
}

/* Without decoding meanwhile: the device would answer at addresses of others. */
int host_pci_bar(const struct host_pci_dev *d, unsigned int i, struct host_pci_bar *out)
{
	unsigned int off = PCI_BAR + 4 * i;
	uint32_t old = host_pci_read(d, PCI_COMMAND, 2), low = host_pci_read(d, off, 4);
	bool wide = (low & PCI_BAR_TYPE) == PCI_BAR_64BIT;

	if (i >= PCI_BARS || d->header != PCI_HEADER_PLAIN) {
		return -ENODEV;
	}
	out->io = (low & PCI_BAR_IO) != 0;
	if (!out->io && wide && i + 1 == PCI_BARS) {
		return -ENODEV;
	}
	command(d, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 0);
	if (out->io) {
		read_io(d, off, out);
	} else {
		read_memory(d, off, wide, out);
	}
	host_pci_write(d, PCI_COMMAND, 2, old);
	return out->base != 0 && out->size != 0 ? 0 : -ENODEV;
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	struct host_pci_bar b;

	if (host_pci_bar(d, i, &b) != 0 || b.io || b.size < size) {
		return NULL;
	}
	return paging_map_device((hpa_t){ b.base }, size);
}

/* ---- interrupts ---- */

static int request_msix(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	unsigned int cap = host_pci_capability(d, PCI_CAP_MSIX);
	struct irq_message m;
	volatile uint32_t *entry;
	uint32_t table, off;
	int err;

	if (cap == 0) {
		return -ENODEV;
	}
	table = host_pci_read(d, cap + PCI_MSIX_TABLE, 4);
	off = table & ~PCI_MSIX_BIR;
	entry = host_pci_bar_map(d, table & PCI_MSIX_BIR, (uint64_t)off + PCI_MSIX_ENTRY);
	err = entry != NULL ? irq_connect_message(fn, arg, &m) : -ENODEV;
	if (err != 0) {
		return err;
	}
	command(d, 0, PCI_COMMAND_MEMORY);
	entry += off / sizeof(*entry);
	entry[0] = (uint32_t)m.address;
	entry[1] = (uint32_t)(m.address >> 32);
	entry[2] = m.data;
	entry[3] = 0; /* not masked */
	host_pci_write(d, cap + PCI_MSIX_CONTROL, 2, PCI_MSIX_ENABLE);
	d->irq = HOST_PCI_MSIX;
	return 0;
}

static int request_msi(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	unsigned int cap = host_pci_capability(d, PCI_CAP_MSI), at = cap + PCI_MSI_ADDRESS;
	struct irq_message m;
	uint32_t control;
	int err = cap != 0 ? irq_connect_message(fn, arg, &m) : -ENODEV;

	if (err != 0) {
		return err;
	}
	control = host_pci_read(d, cap + PCI_MSI_CONTROL, 2);
	host_pci_write(d, at, 4, (uint32_t)m.address);
	at += 4;
	if ((control & PCI_MSI_64BIT) != 0) {
		host_pci_write(d, at, 4, (uint32_t)(m.address >> 32));
		at += 4;
	}
	host_pci_write(d, at, 2, m.data);
	host_pci_write(d, cap + PCI_MSI_CONTROL, 2, (control & ~PCI_MSI_MULTIPLE) | PCI_MSI_ENABLE);
	d->irq = HOST_PCI_MSI;
	return 0;
}

static int request_pin(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	int err = d->pin != 0 ? irq_connect_pci(d->line, fn, arg) : -ENODEV;

	if (err == 0) {
		command(d, PCI_COMMAND_NO_PIN, 0);
		d->irq = HOST_PCI_INTX;
	}
	return err;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	int err = request_msix(d, fn, arg);

	if (err != 0) {
		err = request_msi(d, fn, arg);
	}
	if (err != 0) {
		return request_pin(d, fn, arg);
	}
	command(d, 0, PCI_COMMAND_NO_PIN);
	return 0;
}
