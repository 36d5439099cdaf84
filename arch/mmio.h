/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of real devices in memory that paging_map_device() maps: for arch and drivers/host only. */
/* Guests' registers are hv/iobus. */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include "hv/lib/types.h"

/*
 * One load or store each, in program order with all other memory accesses of this CPU; any context. Not
 * inline, so that unit tests put a fake device behind them.
 */
uint8_t mmio_read8(const volatile void *reg);
uint16_t mmio_read16(const volatile void *reg);
uint32_t mmio_read32(const volatile void *reg);
void mmio_write8(volatile void *reg, uint8_t val);
void mmio_write16(volatile void *reg, uint16_t val);
void mmio_write32(volatile void *reg, uint32_t val);

#endif
