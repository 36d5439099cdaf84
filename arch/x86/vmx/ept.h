/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended page tables: the encoding of their entries, the EPT pointer, and INVEPT. */
/* Building the tables is arch/x86/hvm/slat. */
#ifndef ARCH_X86_VMX_EPT_H
#define ARCH_X86_VMX_EPT_H

#include "arch/cpu.h"
#include "arch/x86/hvm/slat.h"

/* vm->slat. */
struct ept {
	struct slat slat; /* first */
	void *apic_page; /* (c) 4 KiB at the local APIC's address for the processor to recognize; or NULL */
	uint64_t seen[CPU_MAX]; /* [O] slat.generation + 1 at this CPU's last INVEPT; 0: never */
};

/* Before the first ept_create: does the CPU map 1 GiB at once? Is a page for the local APIC needed? */
void ept_init(bool large_1g, bool apic_page);
/* -ENOMEM */
int ept_create(struct vm *vm);
void ept_destroy(struct vm *vm);
/* The value of the VMCS field "EPT pointer". */
uint64_t ept_pointer(const struct ept *e);
/* Drops this CPU's translations of e if a mapping was taken away since it last did. In VMX operation. */
static inline bool ept_is_stale(const struct ept *e, unsigned int cpu)
{
	return e->seen[cpu] != slat_generation(&e->slat) + 1;
}
void ept_flush(struct ept *e, unsigned int cpu);

#endif
