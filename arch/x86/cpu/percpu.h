/* SPDX-License-Identifier: BSD-2-Clause */
/* One CPU's own tables (GDT, TSS) and identity, reached by its GS base. */
/* Data of other rooms lives in their arrays, indexed by cpu_id(). */
#ifndef ARCH_X86_CPU_PERCPU_H
#define ARCH_X86_CPU_PERCPU_H

#include "arch/cpu.h"
#include "hv/lib/types.h"

/* Selectors of the hypervisor's GDT, the same on every CPU. */
#define SEL_CODE 0x08u
#define SEL_DATA 0x10u
#define SEL_TSS	 0x18u

/* SDM Vol. 3A, "64-Bit Mode TSS Format". */
struct PACKED tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* [0]: NMI, [1]: double fault, [2]: machine check */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
};
_Static_assert(sizeof(struct tss) == 104, "SDM Vol. 3A, 64-Bit Mode TSS Format");

struct percpu {
	uint32_t cpu; /* first: cpu_id() reads it */
	uint32_t apic_id;
	struct percpu *self;
	bool exit_guard;    /* call barrier_switch_in and _out around each stay in a guest */
	uint32_t exit_spec; /* SPEC_CTRL in root mode, if those two write it; else 0 */
	uint64_t gdt[5];
	struct tss tss ALIGNED(16);
	bool online;
};

extern struct percpu percpus[CPU_MAX];

/* cpu_id() for the paths where the call would show. */
static inline unsigned int percpu_id(void)
{
	unsigned int id;

	__asm__("movl %%gs:%c1, %0" : "=r"(id) : "i"(offsetof(struct percpu, cpu)));
	return id;
}

/* The executing CPU's. */
static inline struct percpu *percpu_this(void)
{
	struct percpu *p;

	__asm__("movq %%gs:%c1, %0" : "=r"(p) : "i"(offsetof(struct percpu, self)));
	return p;
}

/*
 * Loads GDT, TSS, IDT, GS base and the control-register bits of the hypervisor (WP, NXE, SMEP, SMAP,
 * UMIP, OSXSAVE where present) on the executing CPU. Before it no lock may be taken.
 */
void percpu_init(unsigned int cpu, uint32_t apic_id);
/* Gives it stacks for NMI, double fault and machine check; needs paging_stack_alloc. -ENOMEM */
int percpu_init_stacks(unsigned int cpu);

#endif
