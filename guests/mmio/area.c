/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills and compares the stretch of memory that a form works on. */
/* Byte by byte, so that it needs only the plainest of MMIO. */
#include "guests/mmio/area.h"
#include "guests/lib/print.h"

void area_fill(uint64_t addr)
{
	volatile uint8_t *p = (volatile uint8_t *)addr;
	unsigned int i;

	for (i = 0; i < AREA_SIZE; i++) {
		p[i] = (uint8_t)(0x11 * (i + 1) + (i >> 4));
	}
}

bool area_same(uint64_t device, uint64_t ram)
{
	const volatile uint8_t *p = (const volatile uint8_t *)device;
	const volatile uint8_t *q = (const volatile uint8_t *)ram;
	unsigned int i;

	for (i = 0; i < AREA_SIZE; i++) {
		uint8_t got = p[i], want = q[i];

		if (got != want) {
			print("  byte %u: %02x, RAM has %02x\n", i, got, want);
			return false;
		}
	}
	return true;
}
