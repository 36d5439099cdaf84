/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt descriptor table, dispatch to handlers, and the report of an exception of our own. */
/* Knows no interrupt controller. */
#include "arch/x86/cpu/idt.h"

#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/x86.h"
#include "hv/base/log.h"
#include "hv/base/panic.h"
#include "hv/base/stretch.h"

/* SDM Vol. 3A, "64-Bit Mode IDT Gate Descriptors". */
struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM Vol. 3A, 64-Bit IDT Gate Descriptors");

#define GATE_INTERRUPT 0x8eu
#define VEC_NMI_       2u
#define VEC_DF_	       8u
#define VEC_PF_	       14u
#define VEC_MC_	       18u
#define STUB_SIZE      16u

struct extable_entry {
	uint64_t fault;
	uint64_t fixup;
};

extern const char idt_stubs[];
extern const struct extable_entry extable_start[], extable_end[];

static struct idt_gate idt[IDT_VECTORS];
static struct {
	void (*fn)(uint8_t vector, void *arg);
	void *arg;
} handlers[IDT_VECTORS];
static const struct idt_frame *frames[CPU_MAX];

/* Called by idt_entry.S. */
void idt_dispatch(struct idt_frame *f);

static void set_gate(unsigned int vector, uint8_t ist)
{
	uint64_t offset = (uint64_t)idt_stubs + vector * STUB_SIZE;

	idt[vector] = (struct idt_gate){
		.offset_low = (uint16_t)offset,
		.selector = SEL_CODE,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_mid = (uint16_t)(offset >> 16),
		.offset_high = (uint32_t)(offset >> 32),
	};
}

void idt_init(void)
{
	for (unsigned int v = 0; v < ARRAY_SIZE(idt); v++) {
		set_gate(v, 0);
	}
}

void idt_use_own_stacks(void)
{
	idt[VEC_NMI_].ist = 1;
	idt[VEC_DF_].ist = 2;
	idt[VEC_MC_].ist = 3;
}

void idt_load(void)
{
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

uint64_t idt_base(void)
{
	return (uint64_t)idt;
}

void idt_set_handler(uint8_t vector, void (*fn)(uint8_t vector, void *arg), void *arg)
{
	handlers[vector].arg = arg;
	handlers[vector].fn = fn;
}

const struct idt_frame *idt_frame(void)
{
	return frames[cpu_id()];
}

static const char *exception_name(uint64_t vector)
{
	static const char *const names[] = {
		"#DE divide error",
		"#DB debug",
		"NMI",
		"#BP breakpoint",
		"#OF overflow",
		"#BR bound range",
		"#UD invalid opcode",
		"#NM no FPU",
		"#DF double fault",
		"coprocessor overrun",
		"#TS invalid TSS",
		"#NP segment not present",
		"#SS stack fault",
		"#GP general protection",
		"#PF page fault",
		"reserved",
		"#MF FPU error",
		"#AC alignment check",
		"#MC machine check",
		"#XM SIMD error",
		"#VE virtualization",
		"#CP control protection",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "unexpected interrupt";
}

static void print_frame(const struct idt_frame *f)
{
	log_printf(LOG_BUG, "rip %016lx  rflags %08lx  cs %04lx  error %lx  cr2 %016lx", f->rip,
		   f->rflags, f->cs, f->error, x86_read_cr2());
	log_printf(LOG_BUG, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", f->rax, f->rbx,
		   f->rcx, f->rdx);
	log_printf(LOG_BUG, "rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx", f->rsi, f->rdi,
		   f->rbp, f->rsp);
	log_printf(LOG_BUG, "r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx", f->r8, f->r9, f->r10,
		   f->r11);
	log_printf(LOG_BUG, "r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx", f->r12, f->r13,
		   f->r14, f->r15);
	log_printf(LOG_BUG, "cr0 %08lx  cr3 %016lx  cr4 %08lx", x86_read_cr0(), x86_read_cr3(),
		   x86_read_cr4());
}

static bool fixed_up(struct idt_frame *f)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
		if (e->fault == f->rip) {
			f->rip = e->fixup;
			return true;
		}
	}
	return false;
}

static void call_handler(struct idt_frame *f)
{
	const struct idt_frame *outer = frames[cpu_id()];

	frames[cpu_id()] = f;
	handlers[f->vector].fn((uint8_t)f->vector, handlers[f->vector].arg);
	frames[cpu_id()] = outer;
}

void idt_dispatch(struct idt_frame *f)
{
	struct stretch *stretch = &stretches[percpu_id()];

	if (f->vector >= IDT_EXCEPTIONS) {
		stretch_begin(stretch, x86_rdtsc());
	}
	if (handlers[f->vector].fn != NULL) {
		call_handler(f);
		if (f->vector >= IDT_EXCEPTIONS) {
			stretch_end(stretch, x86_rdtsc());
		}
		return;
	}
	if (f->vector < IDT_EXCEPTIONS && fixed_up(f)) {
		return;
	}
	if (f->vector == VEC_PF_ && paging_fault(x86_read_cr2())) {
		return;
	}
	frames[cpu_id()] = f;
	print_frame(f);
	panic_backtrace(f->rip, f->rbp);
	panic_stop("%s in root mode%s", exception_name(f->vector),
		   paging_is_stack_guard(x86_read_cr2()) ? "; stack overflow: a guard page was hit"
							 : "");
}

bool idt_probe_read(const void *va, uint64_t *val)
{
	uint64_t v = 0;
	uint8_t ok = 0;

	__asm__ volatile("1: movq (%[va]), %[v]\n\t"
			 "movb $1, %[ok]\n"
			 "2:\n\t"
			 ".pushsection .extable, \"a\"\n\t"
			 ".quad 1b, 2b\n\t"
			 ".popsection"
			 : [v] "+r"(v), [ok] "+q"(ok)
			 : [va] "r"(va)
			 : "memory");
	*val = v;
	return ok != 0;
}
