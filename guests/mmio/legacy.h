/* SPDX-License-Identifier: BSD-2-Clause */
/* MMIO forms in protected and in real mode, as against long mode in main.c. */
/* legacy.S holds the instructions. */
#ifndef GUESTS_MMIO_LEGACY_H
#define GUESTS_MMIO_LEGACY_H

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Runs every form at this offset on both areas (64 KiB each) and compares; counts what it ran. */
unsigned int legacy_test(uint64_t device, uint64_t ram, uint32_t offset, unsigned int *ran);
#endif

#endif
