/* SPDX-License-Identifier: BSD-2-Clause */
/* Switching between the stacks of two threads: the callee-saved registers of the System V ABI. */
/* Who runs next is hv/thread's decision. */

	.text
	.balign	16
	.globl	cpu_stack_switch
/* RDI: where to save this stack pointer; RSI: the other one. */
cpu_stack_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
