/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables, task state and stacks in device memory and where nothing is. */
/* Many end in a triple fault, as they would on a bare machine. */
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"
#include "guests/lib/start.h"

static const uint64_t places[] = {
	0xfee00000, 0xfec00000, HOSTILE_HOLE,	    0xff000000,
	0x000a0000, 0xfffffff8, 0x0000800000000000,
};

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void gdt(uint64_t place)
{
	struct pointer p = { 0xffff, place };

	__asm__ volatile("lgdt %0; movl %1, %%ds" ::"m"(p), "r"(SEL_DATA) : "memory");
}

static void gdt_code(uint64_t place)
{
	struct pointer p = { 0xffff, place };

	__asm__ volatile("lgdt %0; pushq %1; pushq $1f; lretq; 1:" ::"m"(p), "i"(SEL_CODE64)
			 : "memory");
}

static void idt(uint64_t place)
{
	struct pointer p = { 0xfff, place };

	__asm__ volatile("lidt %0; int $0x40" ::"m"(p) : "memory");
}

static void idt_fault(uint64_t place)
{
	struct pointer p = { 0xfff, place };

	__asm__ volatile("lidt %0; ud2" ::"m"(p) : "memory");
}

static void ldt(uint64_t place)
{
	start_gdt[SEL_SPARE / 8] =
		0x0000820000000fff | (place & 0xffffff) << 16 | (place >> 24 & 0xff) << 56;
	start_gdt[SEL_SPARE2 / 8] = place >> 32;
	__asm__ volatile("lldt %w0; movl %1, %%fs" ::"r"(SEL_SPARE), "r"(7) : "memory");
}

static void tss(uint64_t place)
{
	start_gdt[SEL_SPARE / 8] =
		0x0000890000000067 | (place & 0xffffff) << 16 | (place >> 24 & 0xff) << 56;
	start_gdt[SEL_SPARE2 / 8] = place >> 32;
	__asm__ volatile("ltr %w0; int $0x40" ::"r"(SEL_SPARE) : "memory");
}

static void stack_push(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; pushq %0; popq %0" ::"r"(place + 64) : "memory");
}

static void stack_call(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; call 1f; 1: ret" ::"r"(place + 64) : "memory");
}

static void stack_int(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; int $0x41" ::"r"(place + 64) : "memory");
}

static void stack_iret(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; iretq" ::"r"(place) : "memory");
}

static void stack_popf(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; popfq; pushfq" ::"r"(place) : "memory");
}

static void stack_enter(uint64_t place)
{
	__asm__ volatile("movq %0, %%rsp; movq %0, %%rbp; enter $32, $8; leave" ::"r"(place + 64)
			 : "memory");
}

static const struct {
	const char *name;
	void (*act)(uint64_t place);
} acts[] = {
	{ "GDT, data", gdt },
	{ "GDT, code", gdt_code },
	{ "IDT", idt },
	{ "IDT, fault", idt_fault },
	{ "LDT", ldt },
	{ "TSS", tss },
	{ "push", stack_push },
	{ "call", stack_call },
	{ "interrupt", stack_int },
	{ "iret", stack_iret },
	{ "popf", stack_popf },
	{ "enter", stack_enter },
};

static void step(unsigned int n)
{
	acts[n / ARRAY_SIZE(places)].act(places[n % ARRAY_SIZE(places)]);
}

static void describe(unsigned int n)
{
	print("%s at %lx", acts[n / ARRAY_SIZE(places)].name, places[n % ARRAY_SIZE(places)]);
}

const struct hostile_group hostile_descr = {
	.name = "descr",
	.count = ARRAY_SIZE(acts) * ARRAY_SIZE(places),
	.every = 1,
	.step = step,
	.describe = describe,
	.guarded = true,
};
