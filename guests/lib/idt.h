/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt descriptor table of long mode: handlers by vector, and functions that may fault. */
/* Programs no interrupt controller. Not for the other modes (mode.h). */
#ifndef GUESTS_LIB_IDT_H
#define GUESTS_LIB_IDT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
};

/* As the stubs push it. */
struct idt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct idt_fault {
	unsigned int vector;
	uint64_t error, rip, cr2;
};

/* The CPU that asks, by the stack that it is on. */
unsigned int idt_cpu(void);

typedef void idt_handler_fn(struct idt_frame *frame);
typedef void idt_try_fn(void *arg);

void idt_init(void);

/* On another CPU than the first: the same table, with a descriptor table, TSS and stacks of its own. */
void idt_init_cpu(unsigned int cpu);

/* Loads this CPU's tables again, after something has spoilt IDTR, GDTR or TR. */
void idt_load(void);

/* fn runs with IF clear on every interrupt or exception of this vector; NULL takes it away. */
void idt_handle(unsigned int vector, idt_handler_fn *fn);

/* Points a gate at assembly that ends in IRETQ itself, on the current stack. */
void idt_raw(unsigned int vector, void (*entry)(void));

/* Puts the gate back to the common stub. */
void idt_cooked(unsigned int vector);

/*
 * Runs fn(arg). True if an exception without a handler ended it: then *fault (may be NULL) says
 * which, and the stack, RFLAGS and callee-saved registers are those of the caller. May nest. On any CPU.
 */
bool idt_try(idt_try_fn *fn, void *arg, struct idt_fault *fault);

/* Whether the CPU that asks is in an idt_try(). */
bool idt_trying(void);

/* For a handler: after it returns, the innermost idt_try() returns true with this vector. Outside of */
/* any it does not return, but tells and switches off. */
void idt_abandon(struct idt_frame *frame);

#endif
