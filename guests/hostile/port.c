/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes every port in every size. */
/* Leaves out what would switch off or reset this machine (end.c does that), and COM1's data. */
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

struct range {
	uint16_t first, last;
};

/* An access that overlaps one of these is not made. */
static const struct range deadly[] = {
	{ 0x92, 0x92 },	    /* fast reset */
	{ 0x3f8, 0x3f8 },   /* COM1's data */
	{ 0xcf9, 0xcf9 },   /* reset control */
	{ 0xb004, 0xb005 }, /* PM1a control: sleep */
};

static bool allowed(uint32_t port, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(deadly); i++) {
		if (port <= deadly[i].last && port + size > deadly[i].first) {
			return false;
		}
	}
	return true;
}

static void write_all(uint16_t port, uint32_t val)
{
	if (allowed(port, 1)) {
		pio_out8(port, (uint8_t)val);
	}
	if (allowed(port, 2)) {
		pio_out16(port, (uint16_t)val);
	}
	if (allowed(port, 4)) {
		pio_out32(port, val);
	}
}

static void step(unsigned int n)
{
	uint16_t port = (uint16_t)n;

	(void)pio_in8(port);
	(void)pio_in16(port);
	(void)pio_in32(port);
	write_all(port, n & 1 ? 0 : 0xffffffff);
}

static void describe(unsigned int n)
{
	print("port %x", n);
}

const struct hostile_group hostile_port = {
	.name = "port",
	.count = 0x10000,
	.every = 0x1000,
	.step = step,
	.describe = describe,
};
