/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the interrupt descriptor table and the TSS, and sends each vector to its handler. */
/* Each kind has a stack of its own, so a guest may spoil RSP. */
#include "guests/lib/idt.h"
#include "guests/lib/cpu.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/start.h"

#define VECTORS	   256u
#define EXCEPTIONS 32u
#define STUB_SIZE  16u
#define STACK_SIZE 8192u
#define GATE_INT   0x8e00u /* present, interrupt gate */
#define GATE_USER  0x6000u /* any ring may INT */
#define VEC_USER   0x30u
#define TSS_TYPE   0x89u

enum { IST_NONE, IST_FAULT, IST_IRQ, IST_NMI, IST_COUNT };

struct gate {
	uint16_t low, selector, flags, mid;
	uint32_t high, zero;
};
_Static_assert(sizeof(struct gate) == 16, "SDM Vol. 3A, \"64-Bit Mode IDT\"");

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM Vol. 3A, \"Task Management in 64-bit Mode\"");

extern const char idt_stubs[];
extern void idt_call_failed(void);
bool idt_call(idt_try_fn *fn, void *arg, uint64_t *recover);
void idt_dispatch(struct idt_frame *frame);

static struct gate idt[VECTORS];
static struct tss tss;
static uint8_t stacks[IST_COUNT][STACK_SIZE] __attribute__((aligned(16)));
static struct {
	uint64_t gdt[(SEL_LIMIT + 1) / 8];
	struct tss tss;
	uint8_t stacks[IST_COUNT][STACK_SIZE / 4] __attribute__((aligned(16)));
} cpus[SMP_CPUS]; /* but the first */
static idt_handler_fn *handlers[VECTORS];
static uint64_t recover[SMP_CPUS]; /* stack pointer of the innermost idt_call, 0 outside of any */
static struct idt_fault last[SMP_CPUS];

static void set_gate(unsigned int vector, uint64_t entry, unsigned int ist)
{
	idt[vector] = (struct gate){
		.low = (uint16_t)entry,
		.selector = SEL_CODE64,
		.flags = (uint16_t)(GATE_INT | ist | (vector == VEC_USER ? GATE_USER : 0)),
		.mid = (uint16_t)(entry >> 16),
		.high = (uint32_t)(entry >> 32),
	};
}

void idt_cooked(unsigned int vector)
{
	unsigned int ist = vector == VEC_NMI ? IST_NMI : vector < EXCEPTIONS ? IST_FAULT : IST_IRQ;

	set_gate(vector, (uintptr_t)idt_stubs + vector * STUB_SIZE, ist);
}

void idt_raw(unsigned int vector, void (*entry)(void))
{
	set_gate(vector, (uintptr_t)entry, IST_NONE);
}

static void load(uint64_t *gdt, const struct tss *t)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uint64_t base = (uintptr_t)t;

	gdt[SEL_TSS / 8] = (sizeof(*t) - 1) | (base & 0xffffff) << 16 | (uint64_t)TSS_TYPE << 40 |
			   (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	__asm__ volatile("lidt %0" ::"m"(idtr));
	__asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
}

/* By the stack: a guest may have spoilt everything else. */
unsigned int idt_cpu(void)
{
	uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	if (at - (uintptr_t)smp_stacks < SMP_CPUS * SMP_STACK) {
		return (unsigned int)((at - (uintptr_t)smp_stacks) / SMP_STACK);
	}
	if (at - (uintptr_t)cpus < sizeof(cpus)) {
		return (unsigned int)((at - (uintptr_t)cpus) / sizeof(cpus[0]));
	}
	return 0;
}

static void load_cpu(unsigned int cpu)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { SEL_LIMIT, (uintptr_t)cpus[cpu].gdt };

	for (unsigned int i = 0; i < ARRAY_SIZE(cpus[cpu].gdt); i++) {
		cpus[cpu].gdt[i] = start_gdt[i];
	}
	__asm__ volatile("lgdt %0" ::"m"(gdtr));
	load(cpus[cpu].gdt, &cpus[cpu].tss);
}

void idt_load(void)
{
	unsigned int cpu = idt_cpu();

	if (cpu != 0) {
		load_cpu(cpu);
		return;
	}
	__asm__ volatile("lgdt %0" ::"m"(start_gdtr));
	load(start_gdt, &tss);
}

void idt_init_cpu(unsigned int cpu)
{
	for (unsigned int i = IST_FAULT; i < IST_COUNT; i++) {
		cpus[cpu].tss.ist[i - 1] = (uintptr_t)(cpus[cpu].stacks[i] + STACK_SIZE / 4);
	}
	cpus[cpu].tss.iomap = sizeof(struct tss);
	recover[cpu] = 0;
	load_cpu(cpu);
}

void idt_init(void)
{
	unsigned int i;

	for (i = 0; i < VECTORS; i++) {
		idt_cooked(i);
	}
	for (i = IST_FAULT; i < IST_COUNT; i++) {
		tss.ist[i - 1] = (uintptr_t)stacks[i] + STACK_SIZE;
	}
	tss.iomap = sizeof(tss);
	idt_load();
}

void idt_handle(unsigned int vector, idt_handler_fn *fn)
{
	handlers[vector] = fn;
}

static _Noreturn void die(const struct idt_frame *frame)
{
	print("guest: unexpected vector %lu error %lx at %lx cr2 %lx\n", frame->vector,
	      frame->error, frame->rip, cpu_read_cr2());
	power_off();
}

void idt_abandon(struct idt_frame *frame)
{
	unsigned int cpu = idt_cpu();

	if (!recover[cpu]) {
		die(frame);
	}
	last[cpu] = (struct idt_fault){
		.vector = (unsigned int)frame->vector,
		.error = frame->error,
		.rip = frame->rip,
		.cr2 = cpu_read_cr2(),
	};
	frame->rip = (uintptr_t)idt_call_failed;
	frame->rsp = recover[cpu];
	frame->cs = SEL_CODE64;
	frame->ss = SEL_DATA;
	frame->rflags = 2;
}

void idt_dispatch(struct idt_frame *frame)
{
	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
	} else {
		idt_abandon(frame);
	}
}

bool idt_try(idt_try_fn *fn, void *arg, struct idt_fault *fault)
{
	unsigned int cpu = idt_cpu();
	bool failed = idt_call(fn, arg, &recover[cpu]);

	if (failed && fault) {
		*fault = last[cpu];
	}
	return failed;
}

bool idt_trying(void)
{
	return recover[idt_cpu()] != 0;
}
