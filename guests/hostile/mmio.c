/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain loads and stores, of every size and alignment, where no RAM is. */
/* Unusual instructions there are insn.c's. */
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

static const uint32_t places[] = {
	0x000a0000, 0x000b8000, 0x000c0000, 0x000e0000, 0x000ffff8, 0xc0000000, HOSTILE_HOLE,
	0xe0000000, 0xfebffff8, 0xfec00000, 0xfec00008, 0xfec00010, 0xfec00020, 0xfec00ff8,
	0xfed00000, 0xfee00000, 0xfee00020, 0xfee00030, 0xfee00080, 0xfee000b0, 0xfee000d0,
	0xfee000f0, 0xfee00100, 0xfee00280, 0xfee002f0, 0xfee00310, 0xfee00320, 0xfee00350,
	0xfee00380, 0xfee00390, 0xfee003e0, 0xfee003f0, 0xfee00ff8, 0xfef00000, 0xff000000,
	0xff00fff8, 0xfffc0000, 0xfffffff0,
};

#define OFFSETS 8u
#define FORMS	8u /* sizes 1, 2, 4, 8, reading and writing */

static uint64_t address_of(unsigned int n)
{
	if (n / (OFFSETS * FORMS) == ARRAY_SIZE(places)) {
		return hostile_ram_end() - 4 + n / FORMS % OFFSETS;
	}
	return places[n / (OFFSETS * FORMS)] + n / FORMS % OFFSETS;
}

static void step(unsigned int n)
{
	uint64_t addr = address_of(n), val = ~0ul;

	switch (n % FORMS) {
	case 0:
		__asm__ volatile("movb (%1), %b0" : "+q"(val) : "r"(addr));
		break;
	case 1:
		__asm__ volatile("movw (%1), %w0" : "+r"(val) : "r"(addr));
		break;
	case 2:
		__asm__ volatile("movl (%1), %k0" : "+r"(val) : "r"(addr));
		break;
	case 3:
		__asm__ volatile("movq (%1), %0" : "+r"(val) : "r"(addr));
		break;
	case 4:
		__asm__ volatile("movb %b0, (%1)" ::"q"(val), "r"(addr) : "memory");
		break;
	case 5:
		__asm__ volatile("movw %w0, (%1)" ::"r"(val), "r"(addr) : "memory");
		break;
	case 6:
		__asm__ volatile("movl %k0, (%1)" ::"r"(val), "r"(addr) : "memory");
		break;
	default:
		__asm__ volatile("movq %0, (%1)" ::"r"(val), "r"(addr) : "memory");
		break;
	}
}

static void describe(unsigned int n)
{
	print("%s%u at %lx", n % FORMS < 4 ? "read" : "write", 1u << n % 4, address_of(n));
}

const struct hostile_group hostile_mmio = {
	.name = "mmio",
	.count = (ARRAY_SIZE(places) + 1) * OFFSETS * FORMS,
	.every = 64,
	.step = step,
	.describe = describe,
	.guarded = true,
};
