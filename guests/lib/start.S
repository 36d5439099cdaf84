/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot1 header and the way from its 32-bit entry to long mode, with 4 GiB mapped one to one. */
/* Sets up no device and no interrupt table; guest.c goes on from here. */
#include "guests/lib/long_mode.inc"
#include "guests/lib/start.h"

#define MB_MAGIC 0x1badb002
#define MB_FLAGS 3 /* modules on page borders, memory information */

	.section .multiboot, "a"
	.balign 4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.section .text
	.code32
	.global start
start:
	cli
	cld
	movl	$stack_top, %esp
	movl	%eax, start_magic
	movl	%ebx, start_info

	/* 2,048 page directory entries of 2 MiB: present, writable, large. */
	movl	$start_pd, %edi
	movl	$0x83, %eax
1:	movl	%eax, (%edi)
	movl	$0, 4(%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	jnc	1b

	movl	$start_pd + 3, %eax
	movl	$start_pdpt, %edi
	movl	$4, %ecx
2:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	2b
	movl	$start_pdpt + 3, start_pml4

	long_mode_on
	lgdt	start_gdtr
	ljmp	$0x08, $3f

	.code64
3:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$stack_top, %esp
	call	guest_start
4:	hlt
	jmp	4b

	.data
	.balign 4
	.global start_magic, start_info
start_magic:
	.long	0
start_info:
	.long	0

	/* Selectors: lib/start.h. */
	.balign 16
	.global start_gdt
start_gdt:
	.quad	0
	.quad	0x00af9b000000ffff /* 08 code, 64-bit */
	.quad	0x00cf93000000ffff /* 10 data, 4 GiB */
	.quad	0x00cf9b000000ffff /* 18 code, 32-bit */
	.quad	0x008f9b000000ffff /* 20 code, 16-bit, 4 GiB */
	.quad	0x000093000000ffff /* 28 data, 64 KiB, as in real mode */
	.quad	0, 0		   /* 30 TSS: idt.c */
	.quad	0x00009b000000ffff /* 40 code, 16-bit, 64 KiB, as in real mode */
	.quad	0x00aafb000000ffff /* 48 code, 64-bit, ring 3 */
	.quad	0x00cff3000000ffff /* 50 data, ring 3 */
	.quad	0x00cffb000000ffff /* 58 code, 32-bit, ring 3 */
	.quad	0x008ffb000000ffff /* 60 code, 16-bit, ring 3 */
	.quad	0, 0
	.global start_gdtr
start_gdtr:
	.word	SEL_LIMIT
	.quad	start_gdt

	.bss
	.balign 4096
	.global start_pml4
start_pml4:
	.skip	4096
start_pdpt:
	.skip	4096
start_pd:
	.skip	4 * 4096
	.skip	65536
stack_top:

	.section .note.GNU-stack, "", @progbits
