/* SPDX-License-Identifier: BSD-2-Clause */
/* Splits accesses into the bytes that 8-bit devices see; converts between their clocks and the TSC. */
/* Knows no device. */
#include "drivers/emul/isa.h"
#include "arch/clock.h"

enum io_result isa_access(void *dev, struct io_access *a, const struct isa_byte_ops *ops)
{
	uint64_t val = 0;

	for (unsigned int i = 0; i < a->size; i++) {
		uint16_t port = (uint16_t)(a->addr + i);

		if (a->write) {
			ops->write(dev, port, (uint8_t)(a->val >> (8 * i)));
		} else {
			val |= (uint64_t)ops->read(dev, port) << (8 * i);
		}
	}
	if (!a->write) {
		a->val = val;
	}
	return IO_DONE;
}

uint64_t isa_ticks_to_units(uint64_t ticks, uint32_t hz)
{
	uint64_t second = clock_hz();

	return ticks / second * hz + ticks % second * hz / second;
}

uint64_t isa_units_to_ticks(uint64_t units, uint32_t hz)
{
	uint64_t second = clock_hz();

	return units / hz * second + (units % hz * second + hz - 1) / hz;
}
