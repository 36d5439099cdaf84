/* SPDX-License-Identifier: BSD-2-Clause */
/* The stretch of memory that a form works on, in RAM or in the device. */
/* By plain loads and stores of 8 bytes. */
#ifndef GUESTS_MMIO_AREA_H
#define GUESTS_MMIO_AREA_H

#include <stdbool.h>
#include <stdint.h>

#define AREA_SIZE 64u

void area_fill(uint64_t addr);

/* False, and says where, if the two differ; the first is the device. */
bool area_same(uint64_t device, uint64_t ram);

#endif
