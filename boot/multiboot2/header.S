/* SPDX-License-Identifier: BSD-2-Clause */
/* The multiboot2 header: Multiboot2 Specification 2.0, "OS image format". */
/* The entry address is the ELF header's. */

#define MAGIC 0xe85250d6
#define ARCH_I386 0

	.section .boot.header, "a"
	.balign	8
header:
	.long	MAGIC
	.long	ARCH_I386
	.long	header_end - header
	.long	-(MAGIC + ARCH_I386 + (header_end - header))
	/* Modules on page boundaries. */
	.short	6
	.short	0
	.long	8
	/* The end. */
	.short	0
	.short	0
	.long	8
header_end:

	.section .note.GNU-stack, "", @progbits
