/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instructions of an application processor: real mode to long mode, then C. */
/* Runs as a copy on a page below 1 MiB; its own address it learns from CS. */
#include "arch/x86/cpu/trampoline.h"

#define CR0_PE       0x00000001
#define CR0_ALL      0x80010033 /* PG, WP, NE, ET, MP, PE; caches on */
#define CR0_CACHES   0x9fffffff /* all but CD and NW, which INIT sets */
#define CR4_PAE      0x20
#define MSR_EFER     0xc0000080
#define EFER_LME_NXE 0x900

#define DATA(offset) (trampoline_data - trampoline_start + offset)

	.section .rodata
	.balign	16
	.globl	trampoline_start
trampoline_start:
	.code16
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	movzwl	%ax, %ebx
	shll	$4, %ebx
	lgdtl	DATA(TRAMPOLINE_GDT_POINTER)
	movl	%cr0, %eax
	andl	$CR0_CACHES, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	*DATA(TRAMPOLINE_FAR32)

	.code32
	.globl	trampoline_32
trampoline_32:
	movl	$TRAMPOLINE_SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	/* One that comes late, when its time-out has passed, must not take another's stack. */
	xorl	%eax, %eax
	xchgl	%eax, DATA(TRAMPOLINE_TICKET)(%ebx)
	testl	%eax, %eax
	jz	too_late
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	DATA(TRAMPOLINE_CR3)(%ebx), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME_NXE, %eax
	wrmsr
	movl	$CR0_ALL, %eax
	movl	%eax, %cr0
	ljmpl	*DATA(TRAMPOLINE_FAR64)(%ebx)
too_late:
	cli
	hlt
	jmp	too_late

	.code64
	.globl	trampoline_64
trampoline_64:
	movl	%ebx, %ebx
	movq	DATA(TRAMPOLINE_STACK)(%rbx), %rsp
	movq	DATA(TRAMPOLINE_ARG)(%rbx), %rdi
	xorl	%ebp, %ebp
	pushq	$0 /* the end of every backtrace */
	jmpq	*DATA(TRAMPOLINE_ENTRY)(%rbx)

	.balign	8
	.globl	trampoline_data
trampoline_data:
	.fill	TRAMPOLINE_GDT + 4 * 8, 1, 0
	.globl	trampoline_end
trampoline_end:

	.section .note.GNU-stack, "", @progbits
