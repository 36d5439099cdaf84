/* SPDX-License-Identifier: BSD-2-Clause */
/* The sorted table of claimed ranges and the binary search over it. */
/* Locking is the callers'. */
#include "hv/iobus.h"

#include "hv/lib/errno.h"
#include "hv/lib/string.h"

void iobus_init(struct iobus *bus)
{
	memset(bus, 0, sizeof(*bus));
}

/* Index of the first range that ends at or after addr. */
static unsigned int search(const struct iobus *bus, uint64_t addr)
{
	unsigned int lo = 0, hi = bus->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (bus->ranges[mid].last < addr) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

/* As search(), but looks where the last access went first. */
static unsigned int find(struct iobus *bus, uint64_t addr)
{
	unsigned int i = bus->hint;

	if (i < bus->count && bus->ranges[i].first <= addr && addr <= bus->ranges[i].last) {
		return i;
	}
	i = search(bus, addr);
	if (i < bus->count) {
		bus->hint = i;
	}
	return i;
}

int iobus_claim(struct iobus *bus, uint64_t first, uint64_t size, io_fn_t *fn, void *dev)
{
	unsigned int i = search(bus, first);
	uint64_t last = first + size - 1;

	if (size == 0 || last < first) {
		return -EINVAL;
	}
	if (i < bus->count && bus->ranges[i].first <= last) {
		return -EBUSY;
	}
	if (bus->count == IOBUS_RANGES) {
		return -ENOSPC;
	}
	memmove(&bus->ranges[i + 1], &bus->ranges[i], (bus->count - i) * sizeof(bus->ranges[0]));
	bus->ranges[i] = (struct io_range){ .first = first, .last = last, .fn = fn, .dev = dev };
	bus->count++;
	return 0;
}

void iobus_release(struct iobus *bus, uint64_t first, void *dev)
{
	unsigned int i = search(bus, first);

	if (i == bus->count || bus->ranges[i].first != first || bus->ranges[i].dev != dev) {
		return;
	}
	bus->count--;
	memmove(&bus->ranges[i], &bus->ranges[i + 1], (bus->count - i) * sizeof(bus->ranges[0]));
}

static uint64_t all_ones(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : BIT(8 * size) - 1;
}

static enum io_result unclaimed(struct iobus *bus, struct io_access *a)
{
	bus->unclaimed++;
	if (!a->write) {
		a->val = all_ones(a->size);
	}
	return IO_UNCLAIMED;
}

/* An access that crosses the end of a range, byte by byte: faults win, then done. */
static enum io_result split(struct iobus *bus, struct io_access *a)
{
	enum io_result result = IO_UNCLAIMED;
	uint64_t val = 0;

	for (unsigned int i = 0; i < a->size; i++) {
		struct io_access byte = { .addr = a->addr + i,
					  .val = a->val >> (8 * i) & 0xff,
					  .size = 1,
					  .write = a->write };
		enum io_result r = iobus_access(bus, &byte);

		if (r == IO_FAULT || (r == IO_DONE && result == IO_UNCLAIMED)) {
			result = r;
		}
		val |= (byte.val & 0xff) << (8 * i);
	}
	if (!a->write) {
		a->val = val;
	}
	return result;
}

enum io_result iobus_access(struct iobus *bus, struct io_access *a)
{
	uint64_t last = a->addr + a->size - 1;
	unsigned int i = find(bus, a->addr);
	enum io_result result;

	if (i == bus->count || bus->ranges[i].first > last || last < a->addr) {
		return unclaimed(bus, a);
	}
	if (bus->ranges[i].first > a->addr || bus->ranges[i].last < last) {
		return split(bus, a);
	}
	bus->ranges[i].accesses++;
	result = bus->ranges[i].fn(bus->ranges[i].dev, a);
	if (result == IO_UNCLAIMED) {
		return unclaimed(bus, a);
	}
	if (!a->write) {
		a->val &= all_ones(a->size);
	}
	return result;
}
