/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes all ones and all zeros to every configuration register of bus 0, in each size. */
/* Puts back what it read. */
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define REGISTERS   64u

static void select(unsigned int n)
{
	pio_out32(PCI_ADDRESS, 0x80000000u | n / REGISTERS << 8 | n % REGISTERS * 4);
}

static void step(unsigned int n)
{
	uint32_t old;

	select(n & ~(REGISTERS - 1));
	if (pio_in16(PCI_DATA) == 0xffff && n % (REGISTERS * 8) >= REGISTERS) {
		return; /* no such function; function 0 is tried all the same */
	}
	select(n);
	old = pio_in32(PCI_DATA);
	pio_out32(PCI_DATA, 0xffffffff);
	pio_out32(PCI_DATA, 0);
	pio_out16(PCI_DATA + 2, 0xffff);
	pio_out8(PCI_DATA + 1, 0xff);
	pio_out16(PCI_DATA + 1, 0);
	pio_out32(PCI_DATA, old);
}

static void describe(unsigned int n)
{
	print("pci 00:%02x.%u register %x", n / REGISTERS / 8, n / REGISTERS % 8,
	      n % REGISTERS * 4);
}

const struct hostile_group hostile_pci = {
	.name = "pci",
	.count = 256 * REGISTERS,
	.every = 8 * REGISTERS,
	.step = step,
	.describe = describe,
};
