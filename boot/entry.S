/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instructions, for both 32-bit protocols (multiboot2, PVH): long mode with a bootstrap */
/* map, then C. Page tables with real rights come later, in arch/x86/mm. */

#define IMAGE_VIRT 0xffffffff80000000
#define MB2_BOOT_MAGIC 0x36d76289

#define CR0_PE 0x00000001
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800

#define PTE_P_W  0x003
#define PTE_P_W_PS 0x083

	.section .boot.text, "ax"
	.code32
	.globl entry_multiboot2
entry_multiboot2:
	movl	$(boot_from_multiboot2 - IMAGE_VIRT), %ebp
	jmp	enter_long_mode

	.globl entry_pvh
entry_pvh:
	movl	$(boot_from_pvh - IMAGE_VIRT), %ebp

/* EBX: the loader's structure; EBP: physical address of the C function that reads it. */
enter_long_mode:
	cli
	cld
	rdtsc
	movl	%eax, boot_tsc
	movl	%edx, boot_tsc + 4
	movl	$boot32_stack_top, %esp
	movl	%ebx, %edi

	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	btl	$29, %edx
	jnc	no_long_mode
	btl	$20, %edx
	jnc	no_long_mode
	call	fill_page_tables

	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_PE), %eax
	movl	%eax, %cr0
	lgdt	boot_gdt_pointer
	ljmp	$8, $long_mode

/* 4 GiB mapped thrice: identity, at the direct map's place, and (its first GiB) at the image's. */
fill_page_tables:
	movl	$(boot_pdpt + PTE_P_W), %eax
	movl	%eax, boot_pml4
	movl	%eax, boot_pml4 + 256 * 8
	movl	$(boot_pdpt_image + PTE_P_W), boot_pml4 + 511 * 8
	movl	$(boot_pd + PTE_P_W), boot_pdpt_image + 510 * 8
	movl	$(boot_pd + PTE_P_W), %eax
	xorl	%ecx, %ecx
1:	movl	%eax, boot_pdpt(, %ecx, 8)
	addl	$4096, %eax
	incl	%ecx
	cmpl	$4, %ecx
	jb	1b
	movl	$PTE_P_W_PS, %eax
	xorl	%ecx, %ecx
2:	movl	%eax, boot_pd(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$2048, %ecx
	jb	2b
	ret

no_long_mode:
	movl	$no_long_mode_text, %esi
1:	movw	$0x3fd, %dx
2:	inb	%dx, %al
	testb	$0x20, %al
	jz	2b
	lodsb
	testb	%al, %al
	jz	3f
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	1b
3:	hlt
	jmp	3b

	.code64
long_mode:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movq	$boot_stack_top, %rsp
	movl	%ebp, %eax
	addq	$IMAGE_VIRT, %rax
	xorl	%ebp, %ebp
	movl	%edi, %edi
	movq	boot_tsc, %rsi
	call	*%rax
1:	hlt
	jmp	1b

	.section .boot.data, "aw"
no_long_mode_text:
	.asciz	"\r\nInsula: this CPU has no 64-bit long mode with NX; stopped.\r\n"
	.balign	8
boot_tsc:
	.quad	0
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdt_pointer:
	.word	boot_gdt_pointer - boot_gdt - 1
	.long	boot_gdt
	.balign	16
	.skip	128
boot32_stack_top:
	.balign	4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pdpt_image:
	.skip	4096
boot_pd:
	.skip	4 * 4096

/* The boot CPU's stack: it becomes its idle thread's; the page below it is unmapped by paging_init. */
	.bss
	.balign	4096
	.globl	boot_stack_guard
boot_stack_guard:
	.skip	4096
	.skip	16384
	.globl	boot_stack_top
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
