/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM entry and the exit that ends it: swaps the general registers. */
/* All other state is in the VMCS or was loaded when the thread got the CPU. */

#define HOST_RSP 0x6c14

/* struct vmx_entry; vmx_vcpu.h asserts the offsets. */
#define ENTRY_HOST_RSP 0
#define ENTRY_LAUNCHED 8

/* At an exit, HOST_RSP in RSP: the guest's registers to where they are kept. */
	.macro	save_guest
	pushq	%rdi
	movq	8(%rsp), %rdi
	popq	7*8(%rdi)
	movq	%rax, 0*8(%rdi)
	movq	%rcx, 1*8(%rdi)
	movq	%rdx, 2*8(%rdi)
	movq	%rbx, 3*8(%rdi)
	movq	%rbp, 5*8(%rdi)
	movq	%rsi, 6*8(%rdi)
	movq	%r8, 8*8(%rdi)
	movq	%r9, 9*8(%rdi)
	movq	%r10, 10*8(%rdi)
	movq	%r11, 11*8(%rdi)
	movq	%r12, 12*8(%rdi)
	movq	%r13, 13*8(%rdi)
	movq	%r14, 14*8(%rdi)
	movq	%r15, 15*8(%rdi)
	.endm

/* All but RAX: no guest value stays in a register that C code might use before writing it. */
	.macro	load_host
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	popq	%rdi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	.endm

	.text
	.balign	16
/* bool vmx_enter(uint64_t gprs[16], struct vmx_entry *e): true for VMfail. gprs[4], RSP, is not used. */
	.globl	vmx_enter
vmx_enter:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	/* The stack is as deep as last time, nearly always. */
	cmpq	%rsp, ENTRY_HOST_RSP(%rsi)
	je	1f
	movq	%rsp, ENTRY_HOST_RSP(%rsi)
	movl	$HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	3f
1:	cmpb	$0, ENTRY_LAUNCHED(%rsi)	/* MOV leaves the flags alone */
	movq	0*8(%rdi), %rax
	movq	1*8(%rdi), %rcx
	movq	2*8(%rdi), %rdx
	movq	3*8(%rdi), %rbx
	movq	5*8(%rdi), %rbp
	movq	6*8(%rdi), %rsi
	movq	8*8(%rdi), %r8
	movq	9*8(%rdi), %r9
	movq	10*8(%rdi), %r10
	movq	11*8(%rdi), %r11
	movq	12*8(%rdi), %r12
	movq	13*8(%rdi), %r13
	movq	14*8(%rdi), %r14
	movq	15*8(%rdi), %r15
	movq	7*8(%rdi), %rdi
	je	2f
	vmresume
	jmp	3f
2:	vmlaunch
3:	movl	$1, %eax
	jmp	4f

/* The CPU comes here at every exit, if nothing is to be done about speculation. */
	.balign	16
	.globl	vmx_exit_point
vmx_exit_point:
	save_guest
	xorl	%eax, %eax
4:	load_host
	ret

/* Or here. No branch decides which: it could be mispredicted, and the RET speculated all the same. */
	.balign	16
	.globl	vmx_exit_guarded
vmx_exit_guarded:
	save_guest
	xorl	%eax, %eax
	load_host
	call	barrier_switch_out
	movl	$0, %eax
	ret

	.section .note.GNU-stack, "", @progbits
