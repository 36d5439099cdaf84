/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at all of its fresh memory for a byte that is not zero, then leaves none zero for the next. */
/* What a loader writes (its tables below 256 KiB and above 640 KiB, this image) is left out. */
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"

#define LOW_START 0x40000u
#define LOW_END	  0x9f000u
#define MIB	  0x100000u
#define IMAGE	  0x200000u /* guest.ld */
#define DIRT	  0xd1d1d1d1d1d1d1d1ul

extern char guest_end[];

static uint64_t dirty, first_dirty, scanned;

static void scan(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += 8) {
		volatile uint64_t *word = (volatile uint64_t *)at;

		if (*word != 0) {
			first_dirty = dirty == 0 ? at : first_dirty;
			dirty++;
		}
		*word = DIRT;
	}
	scanned += to > from ? to - from : 0;
}

void guest_main(void)
{
	scan(LOW_START, LOW_END);
	scan(MIB, IMAGE);
	scan(((uintptr_t)guest_end + 4095) & ~4095ul, mboot_ram_end());
	if (dirty != 0) {
		print("fresh FAILED: %lu words are not zero, the first at %lx\n", dirty,
		      first_dirty);
	}
	print("fresh %lu KiB, %lu words not zero\n", scanned / 1024, dirty);
}
