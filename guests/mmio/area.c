/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills and compares the stretch of memory that a form works on. */
/* By plain loads and stores of 8 bytes. */
#include "guests/mmio/area.h"
#include "guests/lib/print.h"

#define WORDS (AREA_SIZE / 8)

void area_fill(uint64_t addr)
{
	uint64_t word = 0x8877665544332211;
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		((volatile uint64_t *)addr)[i] = word;
		word = (word << 9 | word >> 55) ^ 0x0123456789abcdef;
	}
}

bool area_same(uint64_t device, uint64_t ram)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		uint64_t got = ((const volatile uint64_t *)device)[i];
		uint64_t want = ((const volatile uint64_t *)ram)[i];

		if (got != want) {
			print("  bytes from %u: %016lx, RAM has %016lx\n", i * 8, got, want);
			return false;
		}
	}
	return true;
}
