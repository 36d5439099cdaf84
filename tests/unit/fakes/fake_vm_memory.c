/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/vm_memory for tests of the balloon device: counts what was asked for, by page. */
/* Has no memory. */
#include "fakes/fake_vm_memory.h"

#include "hv/gpa_balloon.h"
#include "hv/vm_memory.h"

#include <string.h>

unsigned int fake_taken[FAKE_PAGES], fake_given[FAKE_PAGES];
unsigned int fake_moves;

void fake_vm_memory_reset(void)
{
	memset(fake_taken, 0, sizeof(fake_taken));
	memset(fake_given, 0, sizeof(fake_given));
	fake_moves = 0;
}

static void note(unsigned int counts[], gpa_t page)
{
	fake_moves++;
	if (page.v / PAGE_SIZE < FAKE_PAGES) {
		counts[page.v / PAGE_SIZE]++;
	}
}

int vm_memory_take(struct vm *vm, gpa_t page)
{
	(void)vm;
	note(fake_taken, page);
	return 0;
}

void vm_memory_give(struct vm *vm, gpa_t page)
{
	(void)vm;
	note(fake_given, page);
}

/* The first 2 MiB were never touched. */
const uint64_t *gpa_balloon_map(const struct gpa_space *s, gpa_t gpa)
{
	static const uint64_t map[8];

	(void)s;
	return gpa.v < 2 * MIB ? NULL : map;
}

bool gpa_space_is_ram(const struct gpa_space *s, gpa_t gpa, uint64_t len)
{
	(void)s;
	return gpa.v + len <= GPA_LOW_RAM_MAX;
}
