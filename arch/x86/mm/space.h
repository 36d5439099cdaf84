/* SPDX-License-Identifier: BSD-2-Clause */
/* Which root each CPU has loaded, and of which generation: who may still remember what was unmapped. */
/* Neither loads nor flushes: it says when the caller must. */
#ifndef ARCH_X86_MM_SPACE_H
#define ARCH_X86_MM_SPACE_H

#include "hv/lib/types.h"

/*
 * cpu, which is the caller's, is to have root, of that generation. True: the caller now writes CR3, and
 * touches nothing of the root's before; false: it has it already. Generations of a root only rise.
 */
bool space_note(unsigned int cpu, uint64_t root, uint64_t generation);
/* No CPU below `cpus` has root loaded since before that generation. What was unmapped is written. */
bool space_is_clean(unsigned int cpus, uint64_t root, uint64_t generation);

#endif
