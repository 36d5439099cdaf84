/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU without enhanced IBRS does around each stay in a guest: SPEC_CTRL and the return stack buffer. */
/* Called by vmx_entry.S and svm_entry.S, if percpu.exit_guard says so; barrier.c fills the two fields. */

/* struct percpu; barrier.h asserts the offset. */
#define PERCPU_EXIT_SPEC 20

#define MSR_SPEC_CTRL	 0x48
#define SPEC_CTRL_IBRS	 1

	.text
/* void barrier_switch_in(void): before a guest, which is not restricted by IBRS. Changes RAX, RCX, RDX. */
	.globl	barrier_switch_in
	.type	barrier_switch_in, @function
barrier_switch_in:
	movl	%gs:PERCPU_EXIT_SPEC, %eax
	testl	%eax, %eax
	je	1f
	andl	$~SPEC_CTRL_IBRS, %eax
	movl	$MSR_SPEC_CTRL, %ecx
	xorl	%edx, %edx
	wrmsr
1:	ret
	.size	barrier_switch_in, . - barrier_switch_in

/*
 * void barrier_switch_out(void): after a guest, before the first RET and the first indirect branch
 * ("Indirect Branch Restricted Speculation": it must be written after the change of mode, even if it
 * is set). Changes RAX, RCX, RDX.
 */
	.globl	barrier_switch_out
	.type	barrier_switch_out, @function
barrier_switch_out:
	movl	%gs:PERCPU_EXIT_SPEC, %eax
	testl	%eax, %eax
	je	barrier_switch_rsb
	movl	$MSR_SPEC_CTRL, %ecx
	xorl	%edx, %edx
	wrmsr
	/* falls through */
	.size	barrier_switch_out, . - barrier_switch_out

/*
 * void barrier_switch_rsb(void): fills the return stack buffer, 32 entries at most, with addresses of
 * its own: a RET that is speculated to one of them stops there. Changes no register.
 */
	.globl	barrier_switch_rsb
	.type	barrier_switch_rsb, @function
barrier_switch_rsb:
	.rept	32
	call	2f
	int3
2:
	.endr
	addq	$32*8, %rsp
	lfence
	ret
	.size	barrier_switch_rsb, . - barrier_switch_rsb

	.section .note.GNU-stack, "", @progbits
