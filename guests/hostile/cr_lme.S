/* SPDX-License-Identifier: BSD-2-Clause */
/* 32-bit code that sets EFER.LME while CR4.PAE is clear, makes an exit, and begins paging. */
/* Runs by mode_run() only, which ends it at the #GP and sets LME again. */
#include "guests/lib/mode.h"

#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CR0_PG	 0x80000000

	.section .rodata
	.code32
	.global cr_lme
cr_lme:
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	xorl	%eax, %eax
	cpuid
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	int	$MODE_VECTOR_DONE

	.section .note.GNU-stack, "", @progbits
