/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF note by which `qemu -kernel` finds our 32-bit entry: Xen's "x86/HVM direct boot ABI". */
/* What the entry is given is read in pvh.c. */

#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .note.pvh, "a"
	.balign	4
	.long	4
	.long	4
	.long	XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	entry_pvh

	.section .note.GNU-stack, "", @progbits
