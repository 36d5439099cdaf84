/* SPDX-License-Identifier: BSD-2-Clause */
/* Benchmark: TSC ticks of one round trip through each common VM exit, RDTSC's own cost taken off. */
/* Says nothing about whether an exit does the right thing, but for the length of CPUID. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/msr.h"
#include "guests/lib/print.h"

/* EAX and ECX are set inside of the measured stretch, since RDTSC spoils EAX. */
#define TIMED(insn, eax, ecx, addr)                                                                \
	__asm__ volatile(                                                                          \
		"rdtsc; shlq $32, %%rdx; orq %%rax, %%rdx; movq %%rdx, %%r8\n\t"                   \
		"movl %[a], %%eax; movl %[c], %%ecx\n\t" insn "\n\t"                               \
		"rdtsc; shlq $32, %%rdx; orq %%rdx, %%rax; subq %%r8, %%rax"                       \
		: "=&a"(ticks)                                                                     \
		: [a] "r"((uint32_t)(eax)), [c] "r"((uint32_t)(ecx)), [p] "r"((uintptr_t)(addr))   \
		: "rbx", "rcx", "rdx", "r8", "cc", "memory")

static uint64_t round_nothing(void)
{
	uint64_t ticks;

	TIMED("", 0, 0, 0);
	return ticks;
}

static uint64_t round_cpuid(void)
{
	uint64_t ticks;

	TIMED("cpuid", 0, 0, 0);
	return ticks;
}

static uint64_t round_rdmsr(void)
{
	uint64_t ticks;

	TIMED("rdmsr", 0, MSR_APIC_BASE, 0);
	return ticks;
}

static uint64_t round_io(void)
{
	uint64_t ticks;

	TIMED("inb $0x61, %%al", 0, 0, 0);
	return ticks;
}

static uint64_t round_mmio(void)
{
	uint64_t ticks;

	TIMED("movl (%[p]), %%eax", 0, 0, LAPIC_BASE + LAPIC_ID);
	return ticks;
}

static uint64_t round_mmio_write(void)
{
	uint64_t ticks;

	TIMED("movl %%eax, (%[p])", 0, 0, LAPIC_BASE + LAPIC_TPR);
	return ticks;
}

static uint64_t round_eoi(void)
{
	uint64_t ticks;

	TIMED("movl %%eax, (%[p])", 0, 0, LAPIC_BASE + LAPIC_EOI);
	return ticks;
}

/* The timer is pending before HLT; its handler is one IRETQ. */
static uint64_t round_hlt_wake(void)
{
	uint64_t ticks;

	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR);
	lapic_write(LAPIC_TIMER_ICR, 1);
	while (!lapic_requested(LAPIC_TIMER_VECTOR)) {
	}
	TIMED("sti; hlt", 0, 0, 0);
	cpu_cli();
	lapic_eoi();
	return ticks;
}

static const struct {
	const char *name;
	uint64_t (*round)(void);
} benches[] = {
	{ "cpuid", round_cpuid },
	{ "rdmsr", round_rdmsr },
	{ "io", round_io },
	{ "mmio", round_mmio },
	{ "mmio_write", round_mmio_write },
	{ "mmio_eoi", round_eoi },
	{ "hlt_wake", round_hlt_wake },
};

static uint64_t cost_of_nothing(unsigned int rounds)
{
	uint64_t min = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		uint64_t ticks = round_nothing();

		min = ticks < min ? ticks : min;
	}
	return min;
}

static void measure(const char *name, uint64_t (*round)(void), unsigned int rounds, uint64_t base)
{
	uint64_t min = UINT64_MAX, sum = 0;
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		uint64_t ticks = round() - base;

		min = ticks < min ? ticks : min;
		sum += ticks;
	}
	print("exit.%s min=%lu mean=%lu\n", name, min, sum / rounds);
}

/* Each runs CPUID leaf 0; if its length is taken for two bytes, the tail runs it a second time. */
#define PREFIXED(bytes)                                                                            \
	do {                                                                                       \
		struct cpuid_regs r = { 0, 0, 0, 0 };                                              \
		uint32_t after = 1;                                                                \
                                                                                                   \
		__asm__ volatile(".byte " bytes ", 0x0f, 0xa2; addl $1, %4"                        \
				 : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx), "+r"(after) \
				 :                                                                 \
				 : "cc");                                                          \
		good = good && after == 2 && r.eax == want.eax && r.ebx == want.ebx &&             \
		       r.ecx == want.ecx && r.edx == want.edx;                                     \
	} while (0)

static bool prefixes_stepped_over(void)
{
	struct cpuid_regs want = cpu_cpuid(0, 0);
	bool good = true;

	PREFIXED("0x2e");
	PREFIXED("0x66");
	PREFIXED("0x67");
	PREFIXED("0x48");
	PREFIXED("0xf3");
	PREFIXED("0x2e, 0x3e, 0x66, 0x67, 0x4f");
	PREFIXED("0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x48");
	return good;
}

void exits_wake(void);
__asm__(".text\nexits_wake:\n\tiretq");

void guest_main(void)
{
	unsigned int rounds = (unsigned int)mboot_number("rounds", 1000), i;
	uint64_t base = cost_of_nothing(rounds);

	lapic_init();
	idt_raw(LAPIC_TIMER_VECTOR, exits_wake);
	print("exit.prefix %s\n", prefixes_stepped_over() ? "ok" : "FAILED");
	for (i = 0; i < ARRAY_SIZE(benches); i++) {
		measure(benches[i].name, benches[i].round, rounds, base);
	}
	print("exits done\n");
}
