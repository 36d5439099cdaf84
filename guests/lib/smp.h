/* SPDX-License-Identifier: BSD-2-Clause */
/* The other CPUs: starts them by INIT and SIPI, sends IPIs, and hands all of them work. */
/* Knows no ACPI: the caller says how many there are, with APIC IDs from 0 on. */
#ifndef GUESTS_LIB_SMP_H
#define GUESTS_LIB_SMP_H

#define SMP_CPUS	16
#define SMP_STACK	4096
#define SMP_TRAMPOLINE	0xd000 /* real-mode code of theirs: vector 0Dh */
#define SMP_VECTOR_WAKE 0x50u
#define SMP_ICR_ASSERT	0x04000u
#define SMP_ICR_NMI	0x00400u
#define SMP_ICR_INIT	0x00500u
#define SMP_ICR_STARTUP 0x00600u
#define SMP_ICR_LOWEST	0x00100u
#define SMP_ICR_LOGICAL 0x00800u
#define SMP_ICR_SELF	0x40000u
#define SMP_ICR_ALL	0x80000u
#define SMP_ICR_OTHERS	0xc0000u

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

typedef void smp_job_fn(unsigned int cpu);

extern uint8_t smp_stacks[SMP_CPUS * SMP_STACK]; /* but of CPU 0 */
/* Where a CPU begins when a SIPI leads there: position-independent within a 4 KiB page. */
extern const uint8_t smp_trampoline[], smp_trampoline_end[];
extern bool smp_x2apic; /* how the local APICs are spoken to; smp_enter_x2apic() */

/* On CPU 0: its local APIC and IDT are set up. True if all others came up within a second or so. */
bool smp_start(unsigned int cpus);
/* What a CPU does when it has come up, before it waits for work; NULL: nothing. */
extern smp_job_fn *volatile smp_on_enter;
/* How often a CPU has come up. */
uint32_t smp_ups(unsigned int cpu);
/* INIT, then SIPI, to one CPU. From any. */
void smp_restart(unsigned int cpu);
/* The CPU that asks. */
unsigned int smp_self(void);

/* Writes the ICR; dest is 8 bits in xAPIC mode, 32 in x2APIC mode. */
void smp_icr(uint32_t low, uint32_t dest);
uint32_t smp_lapic_read(uint32_t reg); /* by its MMIO offset */
void smp_lapic_write(uint32_t reg, uint32_t val);
/* Every CPU's local APIC to x2APIC mode, for good. */
void smp_enter_x2apic(void);

/* Runs fn on every CPU at once, on this one too; from CPU 0. False if one does not end it in time. */
bool smp_all(smp_job_fn *fn);
/* Runs fn on one. */
bool smp_on(unsigned int cpu, smp_job_fn *fn);
/* TSC ticks after which smp_all and smp_on give up. */
#define SMP_PATIENCE 20000000000ul

/* By smp_entry.S. */
void smp_enter(unsigned int cpu);
#endif

#endif
