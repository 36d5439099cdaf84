/* SPDX-License-Identifier: BSD-2-Clause */
/* From the multiboot entry (32-bit, paging off) to start_main(info) in 64-bit mode. */
/* Maps the first 4 GiB one to one and nothing more. */

#define MAGIC 0x1badb002
#define FLAGS 0x00000002 /* memory information */

	.section .multiboot, "a"
	.balign	4
	.long	MAGIC
	.long	FLAGS
	.long	-(MAGIC + FLAGS)

	.section .text.start, "ax"
	.code32
	.globl	start
start:
	cli
	cld
	movl	$stack_top, %esp
	movl	%ebx, %ebp

	/* Four page directories of 2 MiB pages. */
	movl	$pd, %edi
	movl	$0x83, %eax
	movl	$2048, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$pd + 0x0003, pdpt
	movl	$pd + 0x1003, pdpt + 8
	movl	$pd + 0x2003, pdpt + 16
	movl	$pd + 0x3003, pdpt + 24
	movl	$pdpt + 3, pml4

	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x100, %eax /* LME */
	wrmsr
	movl	$0x80000033, %eax /* PG, NE, ET, MP, PE */
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $start64

	.code64
start64:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebp, %edi
	xorl	%ebp, %ebp
	call	start_main
1:	cli
	hlt
	jmp	1b

	.section .rodata
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.bss
	.balign	4096
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4 * 4096
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
