/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables in device memory, beyond RAM and with reserved bits: at each level. */
/* A root that leads nowhere ends the guest, since no handler can run. */
#include "guests/hostile/hostile.h"
#include "guests/hostile/map.h"
#include "guests/lib/print.h"
#include "guests/lib/start.h"

static const uint64_t places[] = {
	0xfee00000, 0xfec00000,	 HOSTILE_HOLE, 0xff000000,	   0x000a0000,	       0x000f0000,
	0xfffff000, 0x100000000, 0xffffff0000, 0x000ffffffffff000, 0x7000000000000000,
};

enum { AT_PML4E, AT_PDPTE, AT_PDE, AT_PTE, AT_RESERVED_LARGE, AT_CR3, LEVELS };

static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t pt[512] __attribute__((aligned(4096)));

static uint64_t place_of(unsigned int n)
{
	unsigned int i = n % (ARRAY_SIZE(places) + 1);

	return i < ARRAY_SIZE(places) ? places[i] : hostile_ram_end();
}

/* A chain to MAP_VIRTUAL whose link at this level leads to the bad place; the rest is sound. */
static void build(unsigned int level, uint64_t bad)
{
	start_pml4[MAP_VIRTUAL >> 39] = (level == AT_PML4E ? bad : (uintptr_t)pdpt) | 3;
	pdpt[0] = (level == AT_PDPTE ? bad : (uintptr_t)pd) | 3;
	pd[0] = level == AT_RESERVED_LARGE ? bad | 0x83 | 0x2000
					   : ((level == AT_PDE ? bad : (uintptr_t)pt) | 3);
	pt[0] = (level == AT_PTE ? bad : (uintptr_t)pt) | 3;
	cpu_write_cr3(cpu_read_cr3());
}

static void touch(void)
{
	uint64_t val;

	__asm__ volatile("movq (%1), %0" : "=r"(val) : "r"(MAP_VIRTUAL));
	__asm__ volatile("movq %0, (%1)" ::"r"(val), "r"(MAP_VIRTUAL) : "memory");
	__asm__ volatile("lock incl (%0)" ::"r"(MAP_VIRTUAL) : "memory");
	__asm__ volatile("call *%0" ::"r"(MAP_VIRTUAL) : "memory");
}

static void step(unsigned int n)
{
	unsigned int level = n / (ARRAY_SIZE(places) + 1);

	if (level == AT_CR3) {
		cpu_write_cr3(place_of(n));
		touch();
	} else {
		build(level, place_of(n));
		touch();
	}
}

static void describe(unsigned int n)
{
	static const char *const names[] = { "PML4E", "PDPTE", "PDE", "PTE", "large PDE", "CR3" };

	print("%s to %lx", names[n / (ARRAY_SIZE(places) + 1)], place_of(n));
}

static bool last(unsigned int n)
{
	return n / (ARRAY_SIZE(places) + 1) == AT_CR3;
}

const struct hostile_group hostile_tables = {
	.name = "tables",
	.count = LEVELS * (ARRAY_SIZE(places) + 1),
	.every = 1,
	.step = step,
	.describe = describe,
	.last = last,
	.guarded = true,
};
