/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions in assembly, as rows of name and function, for groups to run. */
/* forms.S holds them. */
#ifndef GUESTS_HOSTILE_FORMS_H
#define GUESTS_HOSTILE_FORMS_H

struct form {
	const char *name;
	const void *code; /* ends in RET */
};

/* With a memory operand at RDI. */
extern const struct form forms_memory[], forms_memory_end[];
/* Without; RDI points to a page of RAM all the same. */
extern const struct form forms_virt[], forms_virt_end[];

/* Calls a form with RDI so; every register but RSP may be changed by it. */
void forms_call(const void *code, const void *rdi);

#endif
