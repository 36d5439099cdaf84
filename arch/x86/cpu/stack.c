/* SPDX-License-Identifier: BSD-2-Clause */
/* The first frame of a new thread's stack, as cpu_stack_switch will pop it. */
/* The switch itself is in stack.S. */
#include "arch/cpu.h"

#include "hv/lib/string.h"

struct first_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uint64_t rip;
	uint64_t end
		[2]; /* no return address: ends backtraces, and aligns the stack as after a call */
};
_Static_assert(sizeof(struct first_frame) % 16 == 8, "entry() sees RSP + 8 aligned to 16");

void *cpu_stack_prepare(void *top, void (*entry)(void))
{
	struct first_frame *f = (struct first_frame *)top - 1;

	memset(f, 0, sizeof(*f));
	f->rip = (uint64_t)entry;
	return f;
}
