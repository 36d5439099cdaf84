/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for a kernel's protected-mode entry: prints the time-stamp counter on COM1 and stops. */
/* Runs where a bzImage would, so the number is the TSC at which that kernel would have begun. */
#define COM1	0x3f8
#define LSR	0x3fd
#define LSR_THRE 0x20

	.code32
	.globl	_start
_start:
	rdtsc
	movl	%eax, %esi
	movl	%edx, %edi
	movl	$16, %ecx
	movb	$'@', %bl		/* the marker in front of the digits */
	jmp	send
digit:
	movl	%edi, %eax
	shrl	$28, %eax
	shldl	$4, %esi, %edi
	shll	$4, %esi
	addb	$'0', %al
	cmpb	$'9', %al
	jbe	1f
	addb	$('a' - '0' - 10), %al
1:	movb	%al, %bl
	decl	%ecx
send:
	movl	$LSR, %edx
2:	inb	%dx, %al
	testb	$LSR_THRE, %al
	jz	2b
	movl	$COM1, %edx
	movb	%bl, %al
	outb	%al, %dx
	testl	%ecx, %ecx
	jnz	digit
	cmpb	$'\n', %bl
	je	3f
	movb	$'\n', %bl
	jmp	send
3:	cli
	hlt
	jmp	3b
