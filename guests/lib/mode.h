/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaves long mode for real or protected mode, runs code there until an exception or interrupt of */
/* any kind, and comes back. No task switches; not re-entrant. */
#ifndef GUESTS_LIB_MODE_H
#define GUESTS_LIB_MODE_H

#define MODE_VECTOR_DONE 0x30 /* INT 30h: how code says that it is done */

/* Fixed places below 64 KiB, where 16-bit code reaches them. Everything else there is free. */
#define MODE_IVT      0x0000
#define MODE_IDT      0x6000
#define MODE_JOB      0x7000
#define MODE_STACK    0x7e00
#define MODE_LOW      0x8000
#define MODE_LOW_SIZE 0x4000

/* Offsets in struct mode_job. */
#define JOB_EAX	      0x00
#define JOB_ECX	      0x04
#define JOB_EDX	      0x08
#define JOB_EBX	      0x0c
#define JOB_ESP	      0x10
#define JOB_EBP	      0x14
#define JOB_ESI	      0x18
#define JOB_EDI	      0x1c
#define JOB_EFLAGS    0x20
#define JOB_EIP	      0x24
#define JOB_CS	      0x28
#define JOB_DS	      0x2c
#define JOB_ES	      0x30
#define JOB_FS	      0x34
#define JOB_GS	      0x38
#define JOB_SS	      0x3c
#define JOB_VECTOR    0x40
#define JOB_ERROR     0x44
#define JOB_CR0	      0x48
#define JOB_CR3	      0x4c
#define JOB_CR4	      0x50
#define JOB_KIND      0x54
#define JOB_LONG_RSP  0x58
#define JOB_LONG_CR0  0x60
#define JOB_LONG_CR3  0x64
#define JOB_LONG_CR4  0x68
#define JOB_LONG_BACK 0x6c

#define MODE_KIND_REAL	    0
#define MODE_KIND_UNREAL    1
#define MODE_KIND_PROTECTED 2

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/*
 * In: where to start and with what; out: where it stopped and why. Segment registers are selectors
 * of start.S's table, in real mode paragraphs; MODE_KIND_UNREAL is real mode with DS and ES as these
 * selectors left them. Protected mode: cr0 decides about paging; cr3 and cr4 then count, and the low
 * 64 KiB and the guest's own memory must be mapped one to one, writable.
 */
struct mode_job {
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t eflags, eip;
	uint32_t cs, ds, es, fs, gs, ss;
	uint32_t vector, error; /* out */
	uint32_t cr0, cr3, cr4; /* not changed */
	uint32_t kind;
	uint32_t reserved[6]; /* mode.S */
};
_Static_assert(sizeof(struct mode_job) == 0x70, "offsets above");
_Static_assert(offsetof(struct mode_job, kind) == JOB_KIND, "offsets above");

void mode_run(struct mode_job *job);
#endif

#endif
