/* SPDX-License-Identifier: BSD-2-Clause */
/* More mappings than the first 4 GiB. */
/* One GiB at a time. */
#include "guests/hostile/map.h"
#include "guests/lib/cpu.h"
#include "guests/lib/start.h"

#define PRESENT_WRITABLE 0x3u
#define LARGE		 0x80u

static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));

void map_giga(uint64_t virt, uint64_t phys)
{
	uint64_t at = phys & ~(MAP_GIGA - 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pd); i++) {
		pd[i] = (at + i * 0x200000ul) | LARGE | PRESENT_WRITABLE;
	}
	pdpt[0] = (uintptr_t)pd | PRESENT_WRITABLE;
	start_pml4[virt >> 39 & 511] = (uintptr_t)pdpt | PRESENT_WRITABLE;
	cpu_write_cr3(cpu_read_cr3());
}
