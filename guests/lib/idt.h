/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts and exceptions of a guest: one handler per vector. */
/* An exception that nobody expects is printed and ends the guest. */
#ifndef GUESTS_LIB_IDT_H
#define GUESTS_LIB_IDT_H

#include <stdint.h>

/* As idt_entry.S pushes it. A handler may change it. */
struct idt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void idt_handler_t(struct idt_frame *f);

void idt_init(void);
/* fn runs with interrupts off; NULL: none. */
void idt_set_handler(uint8_t vector, idt_handler_t *fn);

/*
 * The vector of the exception that fn() raises, and its error code in *error (may be NULL); -1 if it
 * returns. fn is left in the middle. One at a time.
 */
int idt_catch(void (*fn)(void *arg), void *arg, uint64_t *error);

#endif
