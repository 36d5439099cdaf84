/* SPDX-License-Identifier: BSD-2-Clause */
/* Flips every bit of the control and debug registers, EFER and XCR0, one at a time, and sets */
/* EFER.LME where it may not count. Puts the register back at once if the change was accepted. */
#include "guests/hostile/cr_lme.h"
#include "guests/hostile/hostile.h"
#include "guests/lib/mode.h"
#include "guests/lib/msr.h"
#include "guests/lib/print.h"
#include "guests/lib/start.h"

#define CR4_OSXSAVE 0x40000u

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static void write_xcr0(uint64_t val)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

static void flip_cr0(uint64_t bit)
{
	uint64_t old = cpu_read_cr0();

	cpu_write_cr0(old ^ bit);
	cpu_write_cr0(old);
}

/* CPUID 80000008h: below that many bits another root is another address space, and our end. */
static uint64_t first_reserved(void)
{
	return cpu_has_leaf(0x80000008) ? 1ul << (cpu_cpuid(0x80000008, 0).eax & 0xff) : 1ul << 36;
}

static void flip_cr3(uint64_t bit)
{
	uint64_t old = cpu_read_cr3();

	if (bit >= 0x1000 && bit < first_reserved()) {
		return;
	}

	cpu_write_cr3(old ^ bit);
	cpu_write_cr3(old);
}

static void flip_cr4(uint64_t bit)
{
	uint64_t old = cpu_read_cr4();

	cpu_write_cr4(old ^ bit);
	cpu_write_cr4(old);
}

static void flip_cr8(uint64_t bit)
{
	uint64_t old = cpu_read_cr8();

	cpu_write_cr8(old ^ bit);
	cpu_write_cr8(old);
}

static void flip_efer(uint64_t bit)
{
	uint64_t old;

	(void)msr_read(MSR_EFER, &old);
	if (msr_write(MSR_EFER, old ^ bit)) {
		(void)msr_write(MSR_EFER, old);
	}
}

static void flip_xcr0(uint64_t bit)
{
	uint64_t old;

	cpu_write_cr4(cpu_read_cr4() | CR4_OSXSAVE);
	old = read_xcr0();
	write_xcr0(old ^ bit);
	write_xcr0(old);
}

static void flip_dr6(uint64_t bit)
{
	uint64_t old;

	__asm__ volatile("movq %%dr6, %0" : "=r"(old));
	__asm__ volatile("movq %0, %%dr6" ::"r"(old ^ bit));
	__asm__ volatile("movq %0, %%dr6" ::"r"(old));
}

static void flip_dr7(uint64_t bit)
{
	__asm__ volatile("movq %0, %%dr7" ::"r"(0x400 ^ bit));
	__asm__ volatile("movq %0, %%dr7" ::"r"(0x400ul));
}

static const struct {
	const char *name;
	void (*flip)(uint64_t bit);
} registers[] = {
	{ "cr0", flip_cr0 },   { "cr3", flip_cr3 },   { "cr4", flip_cr4 }, { "cr8", flip_cr8 },
	{ "efer", flip_efer }, { "xcr0", flip_xcr0 }, { "dr6", flip_dr6 }, { "dr7", flip_dr7 },
};

#define FLIPS  (ARRAY_SIZE(registers) * 64)
#define CR0_PE 0x00000011u

/* SDM Vol. 3A, "Initializing IA-32e Mode": to begin paging with LME and without PAE is #GP. */
static void long_mode_without_pae(void)
{
	struct mode_job job = { .kind = MODE_KIND_PROTECTED,
				.cr0 = CR0_PE,
				.cs = SEL_CODE32,
				.ds = SEL_DATA,
				.es = SEL_DATA,
				.ss = SEL_DATA,
				.eip = (uint32_t)(uintptr_t)cr_lme,
				.esp = MODE_STACK,
				.eflags = 2 };

	mode_run(&job);
}

static void step(unsigned int n)
{
	if (n == FLIPS) {
		long_mode_without_pae();
		return;
	}
	registers[n / 64].flip(1ul << n % 64);
}

static void describe(unsigned int n)
{
	if (n == FLIPS) {
		print("efer LME without PAE");
		return;
	}
	print("%s bit %u", registers[n / 64].name, n % 64);
}

/* With other CPUs about: they all have the one place below 1 MiB for it. */
static bool last(unsigned int n)
{
	return n == FLIPS;
}

const struct hostile_group hostile_cr = {
	.name = "cr",
	.count = FLIPS + 1,
	.every = 1,
	.step = step,
	.describe = describe,
	.last = last,
	.guarded = true,
};
