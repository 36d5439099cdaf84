/* SPDX-License-Identifier: BSD-2-Clause */
/* One world switch: guest registers in, VMRUN, guest registers out. */
/* Looks at no exit code. */

/* struct percpu; barrier.h asserts the offset. */
#define PERCPU_EXIT_GUARD 16

/* From RDI and RSI as svm_entry got them to the host's registers; GS is the host's behind it. */
	.macro	run_guest
	sti
	movq	%rsi, %rax
	vmload	%rax
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
	vmrun	%rax
	vmsave	%rax
	xchgq	%rdi, (%rsp)
	movq	%rcx, 1*8(%rdi)
	movq	%rdx, 2*8(%rdi)
	movq	%rbx, 3*8(%rdi)
	movq	%rbp, 5*8(%rdi)
	movq	%rsi, 6*8(%rdi)
	popq	7*8(%rdi)
	movq	%r8, 8*8(%rdi)
	movq	%r9, 9*8(%rdi)
	movq	%r10, 10*8(%rdi)
	movq	%r11, 11*8(%rdi)
	movq	%r12, 12*8(%rdi)
	movq	%r13, 13*8(%rdi)
	movq	%r14, 14*8(%rdi)
	movq	%r15, 15*8(%rdi)
	/* No guest value stays in a register that C code might use before writing it. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	popq	%rax
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	vmload	%rax
	.endm

/*
 * void svm_entry(uint64_t gprs[16], uint64_t guest_vmcb, uint64_t host_vmcb)
 *
 * GIF is 0 from before the guest's FS, GS and TR are loaded until the host's are back, so no NMI
 * meets them, nor a CPU without its IBRS. RFLAGS.IF is 1 at VMRUN because with V_INTR_MASKING the host's
 * IF says whether physical interrupts end guest mode (APM Vol. 2, "Virtualizing APIC.TPR").
 */
	.text
	.globl	svm_entry
	.type	svm_entry, @function
svm_entry:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx
	pushq	%rdi
	clgi
	cmpb	$0, %gs:PERCPU_EXIT_GUARD
	jne	1f
	run_guest
	cli
	stgi
	ret

	/* No branch behind VMRUN decides: it could be mispredicted, and the RET speculated all the same. */
1:	call	barrier_switch_in
	run_guest
	call	barrier_switch_out
	cli
	stgi
	ret
	.size	svm_entry, . - svm_entry

	.section .note.GNU-stack, "", @progbits
