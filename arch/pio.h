/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O of the real machine: for arch and drivers/host only. */
/* Guests' ports are hv/iobus. */
#ifndef ARCH_PIO_H
#define ARCH_PIO_H

#include "hv/lib/types.h"

/* One IN or OUT each; any context. Not inline, so that unit tests put a fake device behind them. */
uint8_t pio_in8(uint16_t port);
uint16_t pio_in16(uint16_t port);
uint32_t pio_in32(uint16_t port);
void pio_out8(uint16_t port, uint8_t val);
void pio_out16(uint16_t port, uint16_t val);
void pio_out32(uint16_t port, uint32_t val);

#endif
