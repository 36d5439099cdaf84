/* SPDX-License-Identifier: BSD-2-Clause */
/* Device registers in memory, by plain loads and stores of uncached memory: SDM Vol. 3A, "Memory Ordering". */
/* Knows no device. */
#include "arch/mmio.h"

uint8_t mmio_read8(const volatile void *reg)
{
	return *(const volatile uint8_t *)reg;
}

uint16_t mmio_read16(const volatile void *reg)
{
	return *(const volatile uint16_t *)reg;
}

uint32_t mmio_read32(const volatile void *reg)
{
	return *(const volatile uint32_t *)reg;
}

void mmio_write8(volatile void *reg, uint8_t val)
{
	*(volatile uint8_t *)reg = val;
}

void mmio_write16(volatile void *reg, uint16_t val)
{
	*(volatile uint16_t *)reg = val;
}

void mmio_write32(volatile void *reg, uint32_t val)
{
	*(volatile uint32_t *)reg = val;
}
