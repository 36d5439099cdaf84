/* SPDX-License-Identifier: BSD-2-Clause */
/* What old chips share: a register is a byte, and wider accesses are bytes one after the other; */
/* and their clocks are counted in units of their own crystal. Holds no state. */
#ifndef DRIVERS_EMUL_ISA_H
#define DRIVERS_EMUL_ISA_H

#include "hv/iobus.h"
#include "hv/lib/types.h"

struct isa_byte_ops {
	uint8_t (*read)(void *dev, uint16_t port);
	void (*write)(void *dev, uint16_t port, uint8_t val);
};

/* Performs an access as bytes at rising ports, as the ISA bus does with 8-bit devices. */
enum io_result isa_access(void *dev, struct io_access *a, const struct isa_byte_ops *ops);

/* A loaded state may hold anything: is the byte of this bool a bool? */
static inline bool isa_is_bool(const bool *b)
{
	return *(const uint8_t *)b <= 1;
}

/* ticks of the TSC in units of 1/hz seconds, rounded down. Exact; hz at most 2^24. */
uint64_t isa_ticks_to_units(uint64_t ticks, uint32_t hz);
/* The first tick by which `units` of them have passed. */
uint64_t isa_units_to_ticks(uint64_t units, uint32_t hz);

#endif
