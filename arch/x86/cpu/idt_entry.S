/* SPDX-License-Identifier: BSD-2-Clause */
/* The 256 entry points of the IDT: save everything, call C, restore. */
/* Decides nothing. */

/* Vectors that push an error code: SDM Vol. 3A, "Error Code". */
#define HAS_ERROR(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21 || (n) == 29 || (n) == 30)

	.text
	.balign	16
	.globl	idt_stubs
idt_stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	.if	!(HAS_ERROR(vec))
	pushq	$0
	.endif
	pushq	$vec
	jmp	idt_common
	.set	vec, vec + 1
	.endr

idt_common:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbx
	andq	$-16, %rsp
	call	idt_dispatch
	movq	%rbx, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
