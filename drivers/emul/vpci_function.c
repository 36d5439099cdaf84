/* SPDX-License-Identifier: BSD-2-Clause */
/* One PCI function: configuration writes by their masks, and BARs mapped where the guest says. */
/* Which function is addressed, and where its pin leads, is vpci's. */
#include "drivers/emul/vpci_function.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vm.h"

/* PCI Local Bus Specification 3.0, "Base Addresses" */
#define BAR_IO		0x1u
#define BAR_64		0x4u
#define BAR_PREFETCH	0x8u
#define BAR_ADDRESS_MAX BIT(46) /* no memory is decoded above */

static unsigned int bar_offset(unsigned int i)
{
	return VPCI_BAR0 + 4 * i;
}

static uint32_t bar_flags(const struct vpci_bar *b)
{
	if (b->io) {
		return BAR_IO;
	}
	return (b->is64 ? BAR_64 : 0) | (b->prefetch ? BAR_PREFETCH : 0);
}

/* Address bits that are there: what a guest reads back after writing all ones. */
static uint64_t bar_mask(const struct vpci_bar *b)
{
	uint64_t mask = ~(b->size - 1);

	return b->io ? mask & 0xfffcu : b->is64 ? mask : mask & 0xffffffffu;
}

static bool bar_is_sane(const struct vpci_function *f, unsigned int i)
{
	const struct vpci_bar *b = &f->bar[i];

	if (b->size & (b->size - 1) || b->size < (b->io ? 4 : 16) || !b->fn) {
		return false;
	}
	if (b->io) {
		return b->size <= 256 && !b->is64;
	}
	if (b->is64) {
		return i + 1 < VPCI_BARS && f->bar[i + 1].size == 0 && b->size < BAR_ADDRESS_MAX;
	}
	return b->size <= 0x80000000u;
}

static int init_bar(struct vpci_function *f, unsigned int i)
{
	struct vpci_bar *b = &f->bar[i];
	unsigned int bytes = b->is64 ? 8 : 4;

	if (b->size == 0) {
		return 0;
	}
	if (!bar_is_sane(f, i)) {
		return -EINVAL;
	}
	b->f = f;
	bytes_put_le(&f->config[bar_offset(i)], bytes, bar_flags(b));
	bytes_put_le(&f->writable[bar_offset(i)], bytes, bar_mask(b));
	return 0;
}

int vpci_function_init(struct vpci_function *f)
{
	for (unsigned int i = 0; i < VPCI_BARS; i++) {
		int err = init_bar(f, i);

		if (err) {
			return err;
		}
	}
	memcpy(f->power_on, f->config, VPCI_CONFIG);
	return 0;
}

/* ---- BARs ---- */

static struct iobus *bus_of(const struct vpci_bar *b)
{
	return b->io ? &b->f->vm->pio : &b->f->vm->mmio;
}

static enum io_result bar_access(void *dev, struct io_access *a)
{
	struct vpci_bar *b = dev;
	uint64_t addr = a->addr;
	enum io_result res;

	a->addr -= b->base;
	res = b->fn(b->dev, a);
	a->addr = addr;
	return res;
}

static void unmap(struct vpci_function *f, unsigned int i)
{
	struct vpci_bar *b = &f->bar[i];

	if (!b->mapped) {
		return;
	}
	iobus_release(bus_of(b), b->base, b);
	b->mapped = false;
	if (f->bar_moved) {
		f->bar_moved(f, i);
	}
}

static void map(struct vpci_function *f, unsigned int i, uint64_t base)
{
	struct vpci_bar *b = &f->bar[i];

	if (iobus_claim(bus_of(b), base, b->size, bar_access, b)) {
		vm_log(f->vm, "PCI 00:%02x.%x: nothing can be mapped at 0x%lx, BAR %u stays off",
		       f->devfn >> 3, f->devfn & 7u, base, i);
		return;
	}
	b->base = base;
	b->mapped = true;
	if (f->bar_moved) {
		f->bar_moved(f, i);
	}
}

/* Where the guest wants the BAR; 0 if nowhere, or while it sizes it with all ones. */
static uint64_t wanted_base(const struct vpci_function *f, unsigned int i)
{
	const struct vpci_bar *b = &f->bar[i];
	uint64_t enable = b->io ? VPCI_COMMAND_IO : VPCI_COMMAND_MEMORY;
	uint64_t base = bytes_get_le(&f->config[bar_offset(i)], b->is64 ? 8 : 4) & bar_mask(b);

	if (b->size == 0 || !(f->config[VPCI_COMMAND] & enable) || base == bar_mask(b)) {
		return 0;
	}
	return base < BAR_ADDRESS_MAX ? base : 0;
}

void vpci_function_map(struct vpci_function *f)
{
	for (unsigned int i = 0; i < VPCI_BARS; i++) {
		uint64_t base = wanted_base(f, i);

		if (f->bar[i].mapped && f->bar[i].base == base) {
			continue;
		}
		unmap(f, i);
		if (base) {
			map(f, i, base);
		}
	}
}

void vpci_function_unmap(struct vpci_function *f)
{
	for (unsigned int i = 0; i < VPCI_BARS; i++) {
		unmap(f, i);
	}
}

/* ---- configuration space ---- */

uint32_t vpci_function_read(struct vpci_function *f, unsigned int off, unsigned int size)
{
	if (f->config_read) {
		f->config_read(f, off, size);
	}
	return (uint32_t)bytes_get_le(&f->config[off], size);
}

static bool touches(unsigned int off, unsigned int size, unsigned int first, unsigned int len)
{
	return off < first + len && first < off + size;
}

void vpci_function_write(struct vpci_function *f, unsigned int off, unsigned int size, uint32_t val)
{
	for (unsigned int i = off; i < off + size; i++, val >>= 8) {
		uint8_t w = f->writable[i];
		unsigned int merged = (f->config[i] & ~w) | (val & w);

		f->config[i] = (uint8_t)(merged & ~(val & f->clear[i]));
	}
	if (touches(off, size, VPCI_COMMAND, 2) || touches(off, size, VPCI_BAR0, 4 * VPCI_BARS)) {
		vpci_function_map(f);
	}
	if (f->config_written) {
		f->config_written(f, off, size);
	}
}

static uint64_t eight(const uint8_t *bytes, unsigned int at)
{
	uint64_t val;

	__builtin_memcpy(&val, bytes + at, sizeof(val));
	return val;
}

/* Eight bytes at a time: all of a VM's functions are loaded in one masked stretch. */
bool vpci_function_is_valid(const struct vpci_function *f)
{
	for (unsigned int i = 0; i < VPCI_CONFIG; i += 8) {
		uint64_t changes = eight(f->writable, i) | eight(f->clear, i) | eight(f->own, i);

		if ((eight(f->config, i) ^ eight(f->power_on, i)) & ~changes) {
			return false;
		}
	}
	return true;
}
