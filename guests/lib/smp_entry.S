/* SPDX-License-Identifier: BSD-2-Clause */
/* Where another CPU begins: from real mode at SMP_TRAMPOLINE to long mode on a stack of its own. */
/* Page tables are those of start.S. */
#include "guests/lib/long_mode.inc"
#include "guests/lib/smp.h"
#include "guests/lib/start.h"

#define CR0_CD	 0x40000000
#define CR0_NW	 0x20000000

	.text
	.code16
	/* Copied to SMP_TRAMPOLINE; CS is that place. */
	.global smp_trampoline, smp_trampoline_end
smp_trampoline:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	(1f - smp_trampoline)
	movl	%cr0, %eax
	andl	$~(CR0_CD | CR0_NW), %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $smp_entry32
1:	.word	SEL_LIMIT
	.long	start_gdt
smp_trampoline_end:

	.code32
smp_entry32:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	/* SDM Vol. 2A, "CPUID": the initial APIC ID. */
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx
	long_mode_on
	ljmp	$SEL_CODE64, $2f

	.code64
2:	movl	%ebx, %edi
	movl	%ebx, %eax
	incl	%eax
	imull	$SMP_STACK, %eax, %eax
	leaq	smp_stacks(%rax), %rsp
	call	smp_enter
3:	hlt
	jmp	3b

	.bss
	.balign 16
	.global smp_stacks
smp_stacks:
	.skip	SMP_STACK * SMP_CPUS

	.section .note.GNU-stack, "", @progbits
