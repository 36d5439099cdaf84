/* SPDX-License-Identifier: BSD-2-Clause */
/* What smp.c fills in for the first instructions of an application processor. */
/* Layout shared with trampoline.S by the offsets below. */
#ifndef ARCH_X86_CPU_TRAMPOLINE_H
#define ARCH_X86_CPU_TRAMPOLINE_H

/* Offsets in struct trampoline. */
#define TRAMPOLINE_GDT_POINTER 0x00
#define TRAMPOLINE_FAR32       0x08
#define TRAMPOLINE_FAR64       0x10
#define TRAMPOLINE_TICKET      0x18
#define TRAMPOLINE_CR3	       0x1c
#define TRAMPOLINE_STACK       0x20
#define TRAMPOLINE_ENTRY       0x28
#define TRAMPOLINE_ARG	       0x30
#define TRAMPOLINE_GDT	       0x38

#define TRAMPOLINE_SEL_CODE32 0x08
#define TRAMPOLINE_SEL_DATA   0x10
#define TRAMPOLINE_SEL_CODE64 0x18

#ifndef __ASSEMBLER__
#include "hv/lib/types.h"

/* A target for an indirect far jump. */
struct PACKED trampoline_far {
	uint32_t offset;
	uint16_t selector;
};

/* At trampoline_data, in the copy below 1 MiB. */
struct PACKED trampoline {
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t pad0;
	struct trampoline_far far32;
	uint16_t pad1;
	struct trampoline_far far64;
	uint16_t pad2;
	uint32_t ticket; /* 1 for the one CPU that may pass; that takes it */
	uint32_t cr3;
	uint64_t stack; /* top */
	uint64_t entry; /* void entry(uint64_t arg), never returns */
	uint64_t arg;
	uint64_t gdt[4];
};
_Static_assert(offsetof(struct trampoline, far32) == TRAMPOLINE_FAR32, "trampoline.S");
_Static_assert(offsetof(struct trampoline, far64) == TRAMPOLINE_FAR64, "trampoline.S");
_Static_assert(offsetof(struct trampoline, ticket) == TRAMPOLINE_TICKET, "trampoline.S");
_Static_assert(offsetof(struct trampoline, cr3) == TRAMPOLINE_CR3, "trampoline.S");
_Static_assert(offsetof(struct trampoline, stack) == TRAMPOLINE_STACK, "trampoline.S");
_Static_assert(offsetof(struct trampoline, entry) == TRAMPOLINE_ENTRY, "trampoline.S");
_Static_assert(offsetof(struct trampoline, arg) == TRAMPOLINE_ARG, "trampoline.S");
_Static_assert(offsetof(struct trampoline, gdt) == TRAMPOLINE_GDT, "trampoline.S");

extern const char trampoline_start[], trampoline_end[];
extern const char trampoline_32[], trampoline_64[], trampoline_data[];
#endif

#endif
