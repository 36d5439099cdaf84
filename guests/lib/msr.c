/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers, with faults caught. */
/* Knows the meaning of none. */
#include "guests/lib/msr.h"
#include "guests/lib/idt.h"

#include <stddef.h>

struct access {
	uint32_t index;
	uint64_t val;
};

static void try_read(void *arg)
{
	struct access *a = arg;
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(a->index));
	a->val = (uint64_t)high << 32 | low;
}

static void try_write(void *arg)
{
	const struct access *a = arg;

	__asm__ volatile("wrmsr" ::"c"(a->index), "a"((uint32_t)a->val),
			 "d"((uint32_t)(a->val >> 32))
			 : "memory");
}

bool msr_read(uint32_t index, uint64_t *val)
{
	struct access a = { .index = index };
	bool failed = idt_try(try_read, &a, NULL);

	*val = a.val;
	return !failed;
}

bool msr_write(uint32_t index, uint64_t val)
{
	struct access a = { .index = index, .val = val };

	return !idt_try(try_write, &a, NULL);
}
