/* SPDX-License-Identifier: BSD-2-Clause */
/* 256 interrupt stubs of 16 bytes, and the call that an exception can end. */
/* idt.c owns the table. */

	.text
	.global idt_stubs
	.balign 16
idt_stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	/* SDM Vol. 3A, "Error Code": vectors 8, 10-14, 17, 21, 29 and 30 push one. */
	.if	!((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
		(vector == 21) || (vector == 29) || (vector == 30))
	pushq	$0
	.endif
	pushq	$vector
	jmp	common
	.set	vector, vector + 1
	.endr

common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	cld
	call	idt_dispatch
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	/* bool idt_call(idt_try_fn *fn, void *arg, uint64_t *recover): 0 if fn returned. */
	.global idt_call, idt_call_failed
idt_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	pushq	(%rdx)
	pushq	%rdx
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	xorl	%eax, %eax
1:	popq	%rdx
	popq	(%rdx)
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	/* An exception returns to here, on the stack that idt_call left. */
idt_call_failed:
	movl	$1, %eax
	jmp	1b

	.section .note.GNU-stack, "", @progbits
