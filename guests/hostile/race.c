/* SPDX-License-Identifier: BSD-2-Clause */
/* All CPUs at the same devices, page tables and registers, by seed: some steps at random, some the same at once. */
/* What comes of it is for the test outside to see; a fault or a hang ends a CPU's step only. */
#include "guests/hostile/race.h"
#include "guests/hostile/random_run.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/mem.h"
#include "guests/lib/msr.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"

#define WATCHDOG_MS 20u
#define REAL_IRET   0x500u /* behind the real-mode vectors */
#define PAGE_FIRST  0x1u   /* where a SIPI may lead, as vectors: all of it starts a CPU properly */
#define PAGE_LAST   0x9eu
#define PAGE_SIZE   0x1000u
#define RARE	    64u /* how seldom a step is made that should end the machine */
#define TOGETHER    4u	/* steps in a row that all CPUs make, then as many of each one's own */
#define HELP	    8u	/* rounds of CPU 0 from one to the next look after the others */
#define TOLD	    250u

static const struct hostile_group *group;
static unsigned int count, rounds;
static uint64_t seed;
static volatile bool go;
static volatile uint32_t turn; /* CPU 0's round */
static volatile uint32_t ticks[SMP_CPUS], faults[SMP_CPUS], steps[SMP_CPUS];

/* Steele, Lea and Flood 2014: the finalizer of SplitMix64. */
uint64_t race_mix(uint64_t n)
{
	n += 0x9e3779b97f4a7c15;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	return n ^ n >> 31;
}

/* The second one within a step: the first may have been on its way when that began. */
static void on_tick(struct idt_frame *frame)
{
	unsigned int cpu = idt_cpu();

	if (group->on_nmi != NULL) {
		group->on_nmi();
	}
	ticks[cpu]++;
	if (ticks[cpu] > 1 && idt_trying()) {
		idt_abandon(frame);
	}
}

static void call_step(void *arg)
{
	group->step(*(const unsigned int *)arg);
}

static void step(unsigned int cpu, unsigned int n)
{
	uint64_t cr0 = cpu_read_cr0(), cr3 = cpu_read_cr3(), cr4 = cpu_read_cr4();
	struct idt_fault fault;

	ticks[cpu] = 0;
	steps[cpu]++;
	if (idt_try(call_step, &n, &fault)) {
		faults[cpu]++;
	}
	cpu_write_cr4(cr4);
	cpu_write_cr3(cr3);
	cpu_write_cr0(cr0);
	idt_load();
}

static bool fits(unsigned int n, uint64_t r)
{
	return group->last == NULL || !group->last(n) || r % RARE == 0;
}

/* Turns of all at the same step, and of each at one of its own. */
static unsigned int choose(unsigned int cpu, unsigned int i)
{
	uint64_t who = turn / TOGETHER % 2 == 0 ? SMP_CPUS : cpu;
	uint64_t from = who == cpu ? i : turn;
	uint64_t r = race_mix(seed << 32 ^ who << 24 ^ from);

	while (!fits((unsigned int)(r % count), r >> 32)) {
		r = race_mix(r);
	}
	return (unsigned int)(r % count);
}

static void one_round(unsigned int cpu, unsigned int i)
{
	if (group == NULL) {
		random_run_race(cpu, (unsigned int)race_mix(seed << 32 ^ (uint64_t)cpu << 24 ^ i));
		steps[cpu]++;
	} else {
		step(cpu, choose(cpu, i));
	}
}

/* The others have no end of their own. One that was started over goes on with other steps. */
static void rival(unsigned int cpu)
{
	while (!go) {
		__asm__ volatile("pause");
	}
	if (group != NULL && group->prepare != NULL) {
		group->prepare();
	}
	for (;;) {
		one_round(cpu, steps[cpu]);
	}
}

/* In any mode of the local APIC. */
static void start_all(void)
{
	uint64_t base;

	if (msr_read(MSR_APIC_BASE, &base) && (base & 0xc00) == 0xc00) {
		(void)msr_write(0x830, SMP_ICR_OTHERS | SMP_ICR_ASSERT | SMP_ICR_STARTUP |
					       SMP_TRAMPOLINE / PAGE_SIZE);
		return;
	}
	lapic_write(LAPIC_ICR_LOW,
		    SMP_ICR_OTHERS | SMP_ICR_ASSERT | SMP_ICR_STARTUP | SMP_TRAMPOLINE / PAGE_SIZE);
}

static void help(void)
{
	hostile_watchdog(WATCHDOG_MS);
	start_all();
}

static void tell(unsigned int i)
{
	print_init();
	print("round %u of %u\n", i, rounds);
}

static void lead(unsigned int cpus)
{
	unsigned int i, n;

	for (i = 0; i < rounds; i++) {
		turn = i;
		if (i % HELP == 0) {
			help();
		}
		if (i % TOLD == 0) {
			tell(i);
		}
		one_round(0, i);
	}
	print_init();
	print("hostile race done, steps and faults by CPU:");
	for (n = 0; n < cpus; n++) {
		print(" %u/%u", steps[n], faults[n]);
	}
	print("\n");
}

/* The compiler must not know that these are addresses of nothing. */
static void *low(uintptr_t addr)
{
	__asm__("" : "+r"(addr));
	return (void *)addr;
}

/*
 * Any other vector starts what the step before, or the loader, left there. An NMI that came while a CPU waited for
 * its SIPI is its first interrupt, in real mode.
 */
static void pave(void)
{
	*(uint8_t *)low(REAL_IRET) = 0xcf;
	for (uintptr_t vector = 0; vector < 256; vector++) {
		*(uint32_t *)low(4 * vector) = REAL_IRET;
	}
	for (uintptr_t page = PAGE_FIRST; page <= PAGE_LAST; page++) {
		memcpy(low(page * PAGE_SIZE), smp_trampoline,
		       (size_t)(smp_trampoline_end - smp_trampoline));
	}
}

void race(const struct hostile_group *g, unsigned int cpus)
{
	group = g;
	seed = mboot_number("seed", 1);
	rounds = (unsigned int)mboot_number("rounds", 200);
	count = g == NULL ? 0 : g->count_fn ? g->count_fn() : g->count;
	print("hostile race of %u CPUs: %s, seed %lu, run=%lu\n", cpus, g ? g->name : "random",
	      seed, mboot_number("run", 0));
	lapic_init();
	pave();
	smp_on_enter = rival;
	if (!smp_start(cpus)) {
		print("hostile: not all of %u CPUs came up\n", cpus);
		return;
	}
	if (g == NULL) {
		random_run_init();
	} else {
		idt_handle(VEC_NMI, on_tick);
	}
	if (g != NULL && g->prepare != NULL) {
		g->prepare();
	}
	hostile_watchdog_everyone();
	go = true;
	lead(cpus);
}
