/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes where no code is: VGA memory, holes, device registers, beyond RAM, above 4 GiB. */
/* A watchdog interrupt ends what does not fault. */
#include "guests/hostile/hostile.h"
#include "guests/hostile/map.h"
#include "guests/lib/print.h"

static const uint64_t places[] = {
	0x000a0000,	    0x000b8000,		0x000c0000,	    0x000d0000,
	0x000f0000,	    HOSTILE_HOLE,	0xe0000000,	    0xfec00000,
	0xfec00010,	    0xfed00000,		0xfee00000,	    0xfee00030,
	0xff000000,	    0xfffffff0,		0xfffffffe,	    0x100000000,
	0x8000000000,	    0xffffff0000,	0x00007ffffffffff0, 0x0000800000000000,
	0xffff800000000000, 0xffffffffffffffff,
};

static uint64_t address_of(unsigned int n)
{
	return n < ARRAY_SIZE(places) ? places[n] : hostile_ram_end() - 2;
}

static void step(unsigned int n)
{
	uint64_t addr = address_of(n);

	if (addr >> 32 && addr >> 40 == 0) {
		map_giga(MAP_VIRTUAL, addr);
		addr = MAP_VIRTUAL + (addr & (MAP_GIGA - 1));
	}
	__asm__ volatile("call *%0" ::"r"(addr)
			 : "memory", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
}

static void describe(unsigned int n)
{
	print("jump to %lx", address_of(n));
}

const struct hostile_group hostile_jump = {
	.name = "jump",
	.count = ARRAY_SIZE(places) + 1,
	.every = 1,
	.step = step,
	.describe = describe,
	.guarded = true,
};
