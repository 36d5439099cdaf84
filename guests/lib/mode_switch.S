/* SPDX-License-Identifier: BSD-2-Clause */
/* The way from long mode down to the older modes and back; runs at MODE_LOW, where mode.c copies it. */
/* SDM Vol. 3A, "Switching Out of IA-32e Mode Operation" and "Mode Switching". */
#include "guests/lib/mode.h"
#include "guests/lib/start.h"

#define AT(symbol) (symbol - mode_low + MODE_LOW)
#define JOB(field) (MODE_JOB + field)

#define CR0_PE	 0x00000001
#define CR0_PG	 0x80000000
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

	.text
	.code64
	.global mode_switch
mode_switch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	cli
	movq	%rsp, JOB(JOB_LONG_RSP)
	movq	%cr0, %rax
	movl	%eax, JOB(JOB_LONG_CR0)
	movq	%cr3, %rax
	movl	%eax, JOB(JOB_LONG_CR3)
	movq	%cr4, %rax
	movl	%eax, JOB(JOB_LONG_CR4)
	movl	$mode_back, JOB(JOB_LONG_BACK)
	pushq	$SEL_CODE32
	pushq	$AT(low_down)
	lretq

mode_back:
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	/* From here on: executed at MODE_LOW only. */
	.section .rodata
	.balign 16
	.global mode_low, mode_low_end, mode_stubs_real, mode_stubs_protected
mode_low:
	.code32
low_down:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$MODE_STACK, %esp
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	$MSR_EFER, %ecx
	rdmsr
	andl	$~EFER_LME, %eax
	wrmsr
	cmpl	$MODE_KIND_PROTECTED, JOB(JOB_KIND)
	je	low_protected
	ljmp	$SEL_CODE16_REAL, $AT(low_real)

low_protected:
	movl	JOB(JOB_CR4), %eax
	movl	%eax, %cr4
	movl	JOB(JOB_CR3), %eax
	movl	%eax, %cr3
	movl	JOB(JOB_CR0), %eax
	movl	%eax, %cr0
	lidt	AT(low_idtr)
	movl	$SEL_TSS, %eax
	ltr	%ax
	testl	$3, JOB(JOB_CS)
	jz	1f
	pushl	JOB(JOB_SS)
	pushl	JOB(JOB_ESP)
	jmp	2f
1:	movl	JOB(JOB_SS), %eax
	movl	%eax, %ss
	movl	JOB(JOB_ESP), %esp
2:	pushl	JOB(JOB_EFLAGS)
	pushl	JOB(JOB_CS)
	pushl	JOB(JOB_EIP)
	movl	JOB(JOB_ECX), %ecx
	movl	JOB(JOB_EDX), %edx
	movl	JOB(JOB_EBX), %ebx
	movl	JOB(JOB_EBP), %ebp
	movl	JOB(JOB_ESI), %esi
	movl	JOB(JOB_EDI), %edi
	movl	JOB(JOB_ES), %eax
	movl	%eax, %es
	movl	JOB(JOB_FS), %eax
	movl	%eax, %fs
	movl	JOB(JOB_GS), %eax
	movl	%eax, %gs
	pushl	JOB(JOB_EAX)
	movl	JOB(JOB_DS), %eax
	movl	%eax, %ds
	popl	%eax
	iretl

	.code16
low_real:
	movw	$SEL_DATA16, %ax
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ds
	movw	%ax, %es
	cmpb	$MODE_KIND_UNREAL, JOB(JOB_KIND)
	jne	1f
	movw	JOB(JOB_ES), %ax
	movw	%ax, %es
	movw	JOB(JOB_DS), %ax
	movw	%ax, %ds
1:	lidtl	%cs:AT(low_ivtr)
	movl	%cs:JOB(JOB_CR4), %eax
	movl	%eax, %cr4
	movl	%cs:JOB(JOB_CR0), %eax
	movl	%eax, %cr0
	ljmp	$0, $AT(2f)
2:	movw	%cs:JOB(JOB_SS), %ss
	movl	%cs:JOB(JOB_ESP), %esp
	movw	%cs:JOB(JOB_FS), %fs
	movw	%cs:JOB(JOB_GS), %gs
	cmpb	$MODE_KIND_UNREAL, %cs:JOB(JOB_KIND)
	je	3f
	movw	%cs:JOB(JOB_ES), %es
	movw	%cs:JOB(JOB_DS), %ds
3:	pushw	%cs:JOB(JOB_EFLAGS)
	pushw	%cs:JOB(JOB_CS)
	pushw	%cs:JOB(JOB_EIP)
	movl	%cs:JOB(JOB_EAX), %eax
	movl	%cs:JOB(JOB_ECX), %ecx
	movl	%cs:JOB(JOB_EDX), %edx
	movl	%cs:JOB(JOB_EBX), %ebx
	movl	%cs:JOB(JOB_EBP), %ebp
	movl	%cs:JOB(JOB_ESI), %esi
	movl	%cs:JOB(JOB_EDI), %edi
	iretw

	/* Out of real mode: on the code's own stack lie the vector, IP, CS and FLAGS. */
exit_real:
	movl	%eax, %cs:JOB(JOB_EAX)
	movl	%ecx, %cs:JOB(JOB_ECX)
	movl	%edx, %cs:JOB(JOB_EDX)
	movl	%ebx, %cs:JOB(JOB_EBX)
	movl	%ebp, %cs:JOB(JOB_EBP)
	movl	%esi, %cs:JOB(JOB_ESI)
	movl	%edi, %cs:JOB(JOB_EDI)
	popw	%cs:JOB(JOB_VECTOR)
	popw	%cs:JOB(JOB_EIP)
	popw	%cs:JOB(JOB_CS)
	popw	%cs:JOB(JOB_EFLAGS)
	movl	%esp, %cs:JOB(JOB_ESP)
	movw	%ds, %cs:JOB(JOB_DS)
	movw	%es, %cs:JOB(JOB_ES)
	movw	%fs, %cs:JOB(JOB_FS)
	movw	%gs, %cs:JOB(JOB_GS)
	movw	%ss, %cs:JOB(JOB_SS)
	lgdtl	%cs:AT(low_gdtr)
	movl	%cr0, %eax
	orl	$CR0_PE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $AT(low_up)

	/* Out of protected mode: the vector, an error code, EIP, CS, EFLAGS, and from ring 3 ESP, SS. */
	.code32
exit_protected:
	pushl	%ds
	pushl	%eax
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	popl	JOB(JOB_EAX)
	popl	JOB(JOB_DS)
	movl	%ecx, JOB(JOB_ECX)
	movl	%edx, JOB(JOB_EDX)
	movl	%ebx, JOB(JOB_EBX)
	movl	%ebp, JOB(JOB_EBP)
	movl	%esi, JOB(JOB_ESI)
	movl	%edi, JOB(JOB_EDI)
	popl	JOB(JOB_VECTOR)
	popl	JOB(JOB_ERROR)
	popl	JOB(JOB_EIP)
	popl	JOB(JOB_CS)
	popl	JOB(JOB_EFLAGS)
	testl	$3, JOB(JOB_CS)
	jz	1f
	popl	JOB(JOB_ESP)
	popl	JOB(JOB_SS)
	jmp	2f
1:	movl	%esp, JOB(JOB_ESP)
	movl	%ss, %eax
	movl	%eax, JOB(JOB_SS)
2:	movl	%es, %eax
	movl	%eax, JOB(JOB_ES)
	movl	%fs, %eax
	movl	%eax, JOB(JOB_FS)
	movl	%gs, %eax
	movl	%eax, JOB(JOB_GS)
	lgdt	AT(low_gdtr)
	ljmp	$SEL_CODE32, $AT(low_up)

low_up:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$MODE_STACK, %esp
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	JOB(JOB_LONG_CR4), %eax
	movl	%eax, %cr4
	movl	JOB(JOB_LONG_CR3), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	JOB(JOB_LONG_CR0), %eax
	movl	%eax, %cr0
	ljmp	$SEL_CODE64, $AT(low_long)

	.code64
low_long:
	movq	JOB(JOB_LONG_RSP), %rsp
	movl	JOB(JOB_LONG_BACK), %eax
	jmp	*%rax

	.balign 4
low_gdtr:
	.word	SEL_LIMIT
	.long	start_gdt
low_idtr:
	.word	256 * 8 - 1
	.long	MODE_IDT
low_ivtr:
	.word	256 * 4 - 1
	.long	MODE_IVT

	.code16
	.balign 8
mode_stubs_real:
	.set	vector, 0
	.rept	256
	.balign 8
	pushw	$vector
	.byte	0xe9 /* JMP rel16: all stubs of one size */
	.word	exit_real - (. + 2)
	.set	vector, vector + 1
	.endr

	.code32
	.balign 16
mode_stubs_protected:
	.set	vector, 0
	.rept	256
	.balign 16
	.if	!((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || \
		(vector == 21) || (vector == 29) || (vector == 30))
	pushl	$0
	.endif
	pushl	$vector
	.byte	0xe9
	.long	exit_protected - (. + 4)
	.set	vector, vector + 1
	.endr
mode_low_end:

	.section .note.GNU-stack, "", @progbits
