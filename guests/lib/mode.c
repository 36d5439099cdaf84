/* SPDX-License-Identifier: BSD-2-Clause */
/* Lays out the low 64 KiB for the older modes and runs a job in one of them. */
/* Writes it all anew for each job, since the last one may have spoilt it. */
#include "guests/lib/mode.h"
#include "guests/lib/idt.h"
#include "guests/lib/mem.h"
#include "guests/lib/start.h"

#define STUB_REAL      8u
#define STUB_PROTECTED 16u
#define GATE32_INT     0xee00u /* present, any ring may INT, 32-bit interrupt gate */
#define TSS32_TYPE     0x89u
#define TSS32_SIZE     104u
#define TSS32_ESP0     1 /* in words of 32 bits */
#define TSS32_SS0      2
#define TSS32_IOMAP    25

extern const uint8_t mode_low[], mode_low_end[], mode_stubs_real[], mode_stubs_protected[];
void mode_switch(void);

static uint32_t tss32[TSS32_SIZE / 4];
static uint8_t ring0_stack[4096] __attribute__((aligned(16)));

/* The compiler must not know that these are addresses of nothing. */
static void *low(uint32_t addr)
{
	uintptr_t at = addr;

	__asm__("" : "+r"(at));
	return (void *)at;
}

static void write_vectors(void)
{
	uint32_t real = MODE_LOW + (uint32_t)(mode_stubs_real - mode_low);
	uint32_t protected = MODE_LOW + (uint32_t)(mode_stubs_protected - mode_low);
	uint32_t *ivt = low(MODE_IVT), *idt = low(MODE_IDT), i;

	for (i = 0; i < 256; i++) {
		uint32_t entry = protected + i * STUB_PROTECTED;

		ivt[i] = real + i * STUB_REAL;
		idt[2 * i] = SEL_CODE32 << 16 | (entry & 0xffff);
		idt[2 * i + 1] = (entry & 0xffff0000u) | GATE32_INT;
	}
}

static void write_tss(void)
{
	uint64_t base = (uintptr_t)tss32;

	memset(tss32, 0, sizeof(tss32));
	tss32[TSS32_ESP0] = (uint32_t)(uintptr_t)(ring0_stack + sizeof(ring0_stack));
	tss32[TSS32_SS0] = SEL_DATA;
	tss32[TSS32_IOMAP] = TSS32_SIZE << 16;
	start_gdt[SEL_TSS / 8] = (TSS32_SIZE - 1) | (base & 0xffffff) << 16 |
				 (uint64_t)TSS32_TYPE << 40 | (base >> 24 & 0xff) << 56;
}

void mode_run(struct mode_job *job)
{
	memcpy(low(MODE_LOW), mode_low, (size_t)(mode_low_end - mode_low));
	write_vectors();
	write_tss();
	job->vector = 0;
	job->error = 0;
	memcpy(low(MODE_JOB), job, sizeof(*job));
	mode_switch();
	memcpy(job, low(MODE_JOB), sizeof(*job));
	idt_load();
}
