/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space with a sandbox and devices, entered in 64-bit mode, left by fault or watchdog. */
/* This guest's own 2 MiB page is in it, for ring 0 only: the handlers live there. */
#include "guests/hostile/random_long.h"
#include "guests/hostile/hostile.h"
#include "guests/hostile/random_code.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mem.h"
#include "guests/lib/msr.h"
#include "guests/lib/smp.h"
#include "guests/lib/start.h"

#define SANDBOX	     0x40000000ul /* virtual; devices follow, 2 MiB each */
#define PAGE_2M	     0x200000ul
#define CODE	     (SANDBOX + 0x1000)
#define STACK	     (SANDBOX + 0x10000)
#define SUPERVISOR   0x83u
#define USER	     0x87u
#define USER_TABLE   0x07u
#define RFLAGS_KEEP  0x00044ed7u
#define REGISTERS    15u
#define FRAME_RFLAGS 2u

struct random_frame {
	uint64_t regs[REGISTERS];
	uint64_t rip, cs, rflags, rsp, ss;
};

void random_long_enter(const struct random_frame *frame);

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd_low[512] __attribute__((aligned(4096)));
static uint64_t pd_sandbox[512] __attribute__((aligned(4096)));
static uint8_t sandbox[PAGE_2M] __attribute__((aligned(PAGE_2M)));
static struct {
	unsigned int faults, faults_max;
	uint64_t code_cs;
	bool watchdog;
} streams[SMP_CPUS];

static void on_event(struct idt_frame *frame)
{
	unsigned int cpu = idt_cpu();
	bool inside = frame->rip - CODE < RANDOM_LONG_CODE && frame->cs == streams[cpu].code_cs;

	if (frame->vector == VEC_NMI && frame->rip - SANDBOX >= PAGE_2M &&
	    frame->cs == SEL_CODE64 && frame->rip < SANDBOX) {
		return; /* the watchdog, too late */
	}
	streams[cpu].watchdog = frame->vector == VEC_NMI;
	if (frame->vector >= 32 && frame->vector != 0x30 && inside) {
		lapic_eoi();
	} else if (frame->vector == VEC_NMI || frame->vector >= 32 || !inside ||
		   streams[cpu].faults++ == streams[cpu].faults_max) {
		idt_abandon(frame);
	} else {
		frame->rip += frame->vector != VEC_DB && frame->vector != VEC_BP;
		frame->rflags = (frame->rflags & RFLAGS_KEEP) | FRAME_RFLAGS;
	}
}

/* Another CPU may be in them: what is right already stays so at every moment. */
static void build_tables(void)
{
	static const uint64_t places[] = {
		0xfec00000, 0xfee00000, 0xff000000, HOSTILE_HOLE, 0x100000000, 0x00000000,
	};
	unsigned int i;

	pml4[0] = (uintptr_t)pdpt | USER_TABLE;
	pdpt[0] = (uintptr_t)pd_low | USER_TABLE;
	pdpt[1] = (uintptr_t)pd_sandbox | USER_TABLE;
	for (i = 0; i < ARRAY_SIZE(pd_low); i++) {
		pd_low[i] = i >= 1 && i < 8 ? i * PAGE_2M | SUPERVISOR : 0;
	}
	pd_sandbox[0] = (uintptr_t)sandbox | USER;
	for (i = 1; i < ARRAY_SIZE(pd_sandbox); i++) {
		pd_sandbox[i] = i < ARRAY_SIZE(places) ? places[i - 1] | USER : 0;
	}
}

static void handle_all(idt_handler_fn *fn)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		idt_handle(i, fn);
	}
}

void random_long_init(void)
{
	handle_all(on_event);
}

uint8_t *random_long_code(void)
{
	memset(sandbox, 0, 0x20000);
	return sandbox + (CODE - SANDBOX);
}

static uint64_t interesting(void)
{
	uint64_t r = random_code_next() >> 4;

	switch (r % 4) {
	case 0:
		return r >> 8 & 0xff;
	case 1:
		return SANDBOX + (r >> 8 & 0x1ffff);
	case 2:
		return SANDBOX + (1 + (r >> 8) % 5) * PAGE_2M + (r >> 16 & 0xff0);
	default:
		return r << 8;
	}
}

static void enter(void *arg)
{
	random_long_enter(arg);
}

static void fill_frame(struct random_frame *f, const struct random_long *r)
{
	unsigned int i;

	for (i = 0; i < REGISTERS; i++) {
		f->regs[i] = interesting();
	}
	f->regs[1] &= random_code_next() & 1 ? 0xff : ~0ul;
	f->rip = CODE;
	f->cs = r->cs;
	f->ss = r->ss;
	f->rsp = STACK;
	f->rflags = (random_code_next() & RFLAGS_KEEP) | FRAME_RFLAGS;
}

const char *random_long_run(const struct random_long *r)
{
	uint64_t cr0 = cpu_read_cr0(), cr3 = cpu_read_cr3(), cr4 = cpu_read_cr4(), efer;
	struct idt_fault why = { 0, 0, 0, 0 };
	unsigned int cpu = idt_cpu();
	struct random_frame f;

	fill_frame(&f, r);
	(void)msr_read(MSR_EFER, &efer);
	streams[cpu].faults = 0;
	streams[cpu].faults_max = r->faults_max;
	streams[cpu].code_cs = r->cs;
	streams[cpu].watchdog = false;
	build_tables();
	cpu_write_cr3((uintptr_t)pml4);
	(void)idt_try(enter, &f, &why);
	cpu_write_cr4(cr4);
	cpu_write_cr3(cr3);
	cpu_write_cr0(cr0);
	(void)msr_write(MSR_EFER, efer);
	return streams[cpu].watchdog ? "watchdog" : why.vector == 0x30 ? "itself" : "fault";
}
