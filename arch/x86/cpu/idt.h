/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts and exceptions of root mode: one table, the same on every CPU. */
/* Who handles a vector, and its EOI, is the handler's business. */
#ifndef ARCH_X86_CPU_IDT_H
#define ARCH_X86_CPU_IDT_H

#include "hv/lib/types.h"

#define IDT_VECTORS    256u
#define IDT_EXCEPTIONS 32u /* the first ones */

/* What the entry stub pushes, lowest address first. */
struct idt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Fills the table, once; loads it on the executing CPU. Before percpu_init of the others. */
void idt_init(void);
void idt_load(void);
/* NMI, double fault and machine check switch stacks from now on: the boot CPU's TSS has them. */
void idt_use_own_stacks(void);
/*
 * fn runs masked, on the interrupted stack (NMI, #DF, #MC: on their own). An exception without a
 * handler, and not named in the exception table, panics.
 */
void idt_set_handler(uint8_t vector, void (*fn)(uint8_t vector, void *arg), void *arg);
/* The frame of the innermost NMI or exception being handled here; NULL in none. For reports. */
const struct idt_frame *idt_frame(void);
/* Base of the table, for the VMCS. */
uint64_t idt_base(void);

/* Reads 8 bytes; false (and the page-fault's address noted) if that faults. For probing and tests. */
bool idt_probe_read(const void *va, uint64_t *val);

#endif
