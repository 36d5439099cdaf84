/* SPDX-License-Identifier: BSD-2-Clause */
/* The states that random streams start from, and what happens when they fault. */
/* A fault inside the code moves one byte on and continues, so that one stream makes many exits. */
#include "guests/hostile/random_run.h"
#include "guests/hostile/hostile.h"
#include "guests/hostile/random_code.h"
#include "guests/hostile/random_long.h"
#include "guests/lib/idt.h"
#include "guests/lib/mem.h"
#include "guests/lib/mode.h"
#include "guests/lib/msr.h"
#include "guests/lib/smp.h"
#include "guests/lib/start.h"

#define CODE_SIZE    512u
#define FAULTS_MAX   12u
#define WATCHDOG_MS  10u
#define SANDBOX_REAL 0x20000u /* two segments of 64 KiB below 640 KiB */
#define CODE_OFFSET  0x100u
#define CR0_PE	     0x00000011u
#define CR0_REAL     0x00000010u
#define CR0_PAGED    0x80000011u
#define CR4_PSE	     0x10u
#define EFLAGS_KEEP  0x00044ed7u /* not TF, NT, VM */
#define GDT_WORDS    ((SEL_LIMIT + 1) / 8)

enum random_kind { REAL, PROTECTED16, PROTECTED32, PAGED0, PAGED3, LONG0, LONG3, KINDS };

static const struct {
	const char *name;
	struct mode_job start; /* of the older modes */
} kinds[KINDS] = {
	[REAL] = { "real", { .kind = MODE_KIND_REAL, .cr0 = CR0_REAL, .cs = SANDBOX_REAL >> 4 } },
	[PROTECTED16] = { "protected16",
			  { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PE, .cs = SEL_SPARE } },
	[PROTECTED32] = { "protected32",
			  { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PE, .cs = SEL_CODE32 } },
	[PAGED0] = { "paged32",
		     { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PAGED, .cs = SEL_CODE32 } },
	[PAGED3] = { "paged32-user",
		     { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PAGED, .cs = SEL_USER_CODE32 } },
	[LONG0] = { "long", { .cs = SEL_CODE64 } },
	[LONG3] = { "long-user", { .cs = SEL_USER_CODE64 } },
};

static uint64_t saved_gdt[GDT_WORDS];
static uint32_t directory[1024] __attribute__((aligned(4096)));

/* For the compiler an address, not an object. */
static uint8_t *at(uintptr_t addr)
{
	__asm__("" : "+r"(addr));
	return (uint8_t *)addr;
}

static enum random_kind kind_of(unsigned int n)
{
	return n % KINDS;
}

const char *random_run_name(unsigned int n)
{
	return kinds[kind_of(n)].name;
}

void random_run_init(void)
{
	memcpy(saved_gdt, start_gdt, sizeof(saved_gdt));
	random_long_init();
}

/* Small numbers, addresses of the sandbox, of devices and of nothing. */
static uint32_t interesting(uint32_t sandbox)
{
	static const uint32_t places[] = { 0xfee00000, 0xfec00000, 0xff000000, HOSTILE_HOLE };
	uint64_t r = random_code_next() >> 4;

	switch (r % 4) {
	case 0:
		return (uint32_t)(r >> 8) & 0xff;
	case 1:
		return sandbox + ((uint32_t)(r >> 8) & 0xffff);
	case 2:
		return places[r >> 8 & 3] + ((uint32_t)(r >> 16) & 0xff0);
	default:
		return (uint32_t)(r >> 8);
	}
}

static void fill_registers(struct mode_job *job, uint32_t sandbox)
{
	job->eax = interesting(sandbox);
	job->ecx = interesting(sandbox) & (random_code_next() & 1 ? 0xff : ~0u);
	job->edx = interesting(sandbox);
	job->ebx = interesting(sandbox);
	job->ebp = interesting(sandbox);
	job->esi = interesting(sandbox);
	job->edi = interesting(sandbox);
	job->eflags = ((uint32_t)random_code_next() & EFLAGS_KEEP) | 2;
}

/* Ring 3 gets one large page of RAM, devices and holes; ring 0 the first 16 MiB as well. */
static void build_directory(uint32_t sandbox)
{
	static const uint32_t places[] = { 0xfec00000, 0xfee00000, 0xff000000, HOSTILE_HOLE };
	unsigned int i;

	memset(directory, 0, sizeof(directory));
	for (i = 0; i < 4; i++) {
		directory[i] = i << 22 | 0x83; /* this guest */
	}
	directory[sandbox >> 22] |= 0x87;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		directory[places[i] >> 22] = (places[i] & 0xffc00000u) | 0x87;
	}
}

/* The sandbox of 32-bit code: RAM that nothing else lies in. */
static uint32_t high_sandbox(void)
{
	return (uint32_t)((hostile_ram_end() - 0x400000) & 0xffc00000u);
}

static void start_small(enum random_kind kind, struct mode_job *job)
{
	job->eip = CODE_OFFSET;
	job->esp = 0xfff0;
	job->ss = SANDBOX_REAL >> 4;
	job->ds = job->ss;
	job->es = (SANDBOX_REAL >> 4) + 0x1000;
	if (kind == PROTECTED16) {
		/* Code and data over the first segment. */
		start_gdt[SEL_SPARE / 8] = 0x00009b000000ffff | (uint64_t)SANDBOX_REAL << 16;
		start_gdt[SEL_SPARE2 / 8] = 0x000093000000ffff | (uint64_t)SANDBOX_REAL << 16;
		job->ss = SEL_SPARE2;
		job->ds = SEL_SPARE2;
		job->es = SEL_DATA;
	}
}

static void start_large(enum random_kind kind, struct mode_job *job, uint32_t sandbox)
{
	uint32_t data = kind == PAGED3 ? SEL_USER_DATA : SEL_DATA;

	build_directory(sandbox);
	job->cr3 = (uint32_t)(uintptr_t)directory;
	job->cr4 = CR4_PSE;
	job->eip = sandbox + CODE_OFFSET;
	job->esp = sandbox + 0x8000;
	job->ss = data;
	job->ds = data;
	job->es = data;
	job->eflags |= kind == PAGED3 && random_code_next() & 1 ? 0x3000 : 0;
}

/* Whether to go on behind a fault: it was in the code, and at the level it started from. */
static bool step_over(struct mode_job *job, const struct mode_job *start)
{
	bool inside = job->eip - start->eip < CODE_SIZE && job->cs == start->cs;

	job->eip += job->vector != VEC_DB && job->vector != VEC_BP;
	job->eflags = (job->eflags & EFLAGS_KEEP) | 2;
	return inside && job->vector < 32 && job->vector != VEC_NMI;
}

static const char *run_old_mode(enum random_kind kind)
{
	uint32_t sandbox = kind < PROTECTED32 ? SANDBOX_REAL : high_sandbox();
	struct mode_job job = kinds[kind].start, start;
	unsigned int faults = 0;

	memset(at(sandbox), 0, 0x20000);
	random_code_fill(at(sandbox + CODE_OFFSET), CODE_SIZE);
	fill_registers(&job, sandbox);
	if (kind < PROTECTED32) {
		start_small(kind, &job);
	} else {
		start_large(kind, &job, sandbox);
	}
	start = job;
	do {
		hostile_watchdog(WATCHDOG_MS);
		mode_run(&job);
		hostile_watchdog_cancel();
	} while (step_over(&job, &start) && faults++ < FAULTS_MAX);
	return job.vector == VEC_NMI		? "watchdog"
	       : job.vector == MODE_VECTOR_DONE ? "itself"
						: "fault";
}

static const char *run_long_mode(enum random_kind kind)
{
	struct random_long r = {
		.cs = kinds[kind].start.cs,
		.ss = kind == LONG3 ? SEL_USER_DATA : SEL_DATA,
		.faults_max = FAULTS_MAX,
	};
	const char *how;

	random_code_fill(random_long_code(), RANDOM_LONG_CODE);
	hostile_watchdog(WATCHDOG_MS);
	how = random_long_run(&r);
	hostile_watchdog_cancel();
	return how;
}

/* What a stream may have left changed and this guest needs. */
static void put_back(uint64_t apic_base)
{
	memcpy(start_gdt, saved_gdt, sizeof(saved_gdt));
	__asm__ volatile("movq %0, %%dr7" ::"r"(0x400ul));
	(void)msr_write(MSR_APIC_BASE, apic_base);
	idt_load();
}

const char *random_run(unsigned int n)
{
	enum random_kind kind = kind_of(n);
	uint64_t apic_base;
	const char *how;

	(void)msr_read(MSR_APIC_BASE, &apic_base);
	how = kind < LONG0 ? run_old_mode(kind) : run_long_mode(kind);
	put_back(apic_base);
	return how;
}

/* What runs there is a fragment of the last stream in real mode; INIT takes it away again. */
static void start_in_code(uint32_t r)
{
	uint32_t to = 1 + r % 3;

	random_code_fill(at(SANDBOX_REAL), CODE_SIZE);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_INIT, to);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | SANDBOX_REAL >> 12, to);
	hostile_watchdog(WATCHDOG_MS);
	(void)run_long_mode(LONG3);
	smp_restart(to);
}

void random_run_race(unsigned int cpu, unsigned int n)
{
	random_code_seed(n);
	if (cpu != 0) {
		(void)run_long_mode(n & 1 ? LONG0 : LONG3);
		idt_load();
	} else if (n % 32 == 0) {
		start_in_code(n >> 8);
	} else {
		(void)random_run(n);
	}
}
