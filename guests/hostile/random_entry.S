/* SPDX-License-Identifier: BSD-2-Clause */
/* Enters a random stream with all registers set. */
/* Does not return: an interrupt or exception leaves the stream. */

	.text
	.global random_long_enter
random_long_enter:
	movq	%rdi, %rsp
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rbx
	popq	%rbp
	popq	%rsi
	popq	%rdi
	popq	%r8
	popq	%r9
	popq	%r10
	popq	%r11
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	iretq

	.section .note.GNU-stack, "", @progbits
