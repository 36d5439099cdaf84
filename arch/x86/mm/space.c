/* SPDX-License-Identifier: BSD-2-Clause */
/* Which root each CPU has loaded, and of which generation: who may still remember what was unmapped. */
/* Neither loads nor flushes: it says when the caller must. */
#include "arch/x86/mm/space.h"

#include "arch/cpu.h"

static uint64_t roots[CPU_MAX];	      /* atomic; written by its CPU */
static uint64_t generations[CPU_MAX]; /* likewise */

bool space_note(unsigned int cpu, uint64_t root, uint64_t generation)
{
	if (roots[cpu] == root && generations[cpu] == generation) {
		return false;
	}
	__atomic_store_n(&generations[cpu], generation, __ATOMIC_RELEASE);
	__atomic_store_n(&roots[cpu], root, __ATOMIC_RELEASE);
	return true;
}

bool space_is_clean(unsigned int cpus, uint64_t root, uint64_t generation)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int c = 0; c < cpus; c++) {
		if (__atomic_load_n(&roots[c], __ATOMIC_SEQ_CST) == root &&
		    __atomic_load_n(&generations[c], __ATOMIC_SEQ_CST) < generation) {
			return false;
		}
	}
	return true;
}
