/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of forms.inc's instructions, assembled for 32-bit and for 16-bit code. */
/* main.c copies each into low memory and runs it in its mode. */
#include "guests/mmio/legacy.h"

/* Flags that are defined behind an instruction. */
#define ALL   0x8d5 /* CF PF AF ZF SF OF */
#define LOGIC 0x8c5 /* no AF */
#define CARRY 0x001

/* One row of struct legacy_form, and its name and code. */
#define FORM(name, flags, ...)                                                                     \
	.section .rodata.names, "a"; 7: .asciz #name;                                              \
	.section .rodata.code, "a"; 8: __VA_ARGS__; int $0x30; 9:;                                 \
	.section .rodata.table, "a"; .quad 7b, 8b, 9b; .long mode_bits, flags

	.section .rodata.table, "a"
	.balign 8
	.global legacy_forms
legacy_forms:

	.section .rodata.code, "a"
	.code32
	.set	mode_bits, 32
#define M    (%edi)
#define SI   %esi
#define DI   %edi
#include "guests/mmio/forms.inc"
#undef M
#undef SI
#undef DI

	.section .rodata.code, "a"
	.code16
	.set	mode_bits, 16
#define M    (%di)
#define SI   %si
#define DI   %di
#include "guests/mmio/forms.inc"

	.section .rodata.table, "a"
	.global legacy_forms_end
legacy_forms_end:

	.section .note.GNU-stack, "", @progbits
