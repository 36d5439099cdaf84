/* SPDX-License-Identifier: BSD-2-Clause */
/* A bus of address ranges (ports, or MMIO) and the device functions that claimed them. */
/* Does not know what sits behind a range, nor takes the devices' lock: its callers do. */
#ifndef HV_IOBUS_H
#define HV_IOBUS_H

#include "hv/lib/types.h"

enum io_result {
	IO_DONE,
	IO_UNCLAIMED, /* nobody there: reads give all ones, writes vanish */
	IO_FAULT,     /* the guest's error: the caller decides (crash the VM) */
};

struct io_access {
	uint64_t addr; /* absolute port or guest-physical address */
	uint64_t val;  /* written, or to be filled in; bits above size are zero */
	uint8_t size;  /* 1, 2, 4 (ports) or 8 (MMIO) bytes */
	bool write;
};

typedef enum io_result io_fn_t(void *dev, struct io_access *a);

struct io_range {
	uint64_t first;
	uint64_t last; /* inclusive */
	io_fn_t *fn;
	void *dev;
	uint64_t accesses;
};

#define IOBUS_RANGES 96u

struct iobus {
	unsigned int count;
	struct io_range ranges[IOBUS_RANGES]; /* sorted by first */
	uint64_t unclaimed;		      /* accesses that met nobody */
	unsigned int hint; /* the range found last: drivers use one device at a time */
};

void iobus_init(struct iobus *bus);
/* Claims [first, first + size). -EBUSY on overlap, -ENOSPC when the table is full. */
int iobus_claim(struct iobus *bus, uint64_t first, uint64_t size, io_fn_t *fn, void *dev);
/* Gives up every range claimed for dev that begins at first; nothing happens if there is none. */
void iobus_release(struct iobus *bus, uint64_t first, void *dev);
/*
 * Performs one access. One that reaches past the end of its range is split into bytes, as the ISA
 * bus does. Returns what the device said; IO_UNCLAIMED reads have set val to all ones already.
 */
enum io_result iobus_access(struct iobus *bus, struct io_access *a);

#endif
