/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts what one round trip through the hypervisor costs, by kind of exit, in TSC ticks. */
/* Where a tick is an instruction (icount, Bochs) these are the figures of the benchmarks. */
#include "guests/lib/apic.h"
#include "guests/lib/console.h"
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/start.h"

#define ROUNDS	     1000u
#define MSR_PAT	     0x277u
#define RTC_INDEX    0x70u
#define RTC_DATA     0x71u
#define TIMER_VECTOR 0x40u

struct figure {
	const char *name;
	void (*once)(void);
};

static void on_timer(struct idt_frame *f)
{
	(void)f;
	apic_eoi();
}

static void nothing(void)
{
	__asm__ volatile("" : : : "memory");
}

static void do_cpuid(void)
{
	(void)cpu_cpuid(0, 0);
}

static void do_rdmsr(void)
{
	(void)cpu_rdmsr(MSR_PAT);
}

/* The RTC's data port: a device model with state behind it. */
static void do_io(void)
{
	(void)cpu_in8(RTC_DATA);
}

static void do_mmio(void)
{
	(void)apic_read(APIC_VERSION);
}

/* A timer that is due at once, then HLT: to the instruction behind it. */
static void do_hlt_wake(void)
{
	apic_write(APIC_TIMER_INITIAL, 1);
	cpu_wait();
}

static void do_arm_only(void)
{
	apic_write(APIC_TIMER_INITIAL, 0);
}

static const struct figure figures[] = {
	{ "exit.none", nothing },	  { "exit.cpuid", do_cpuid },
	{ "exit.rdmsr", do_rdmsr },	  { "exit.io", do_io },
	{ "exit.mmio", do_mmio },	  { "exit.mmio_write", do_arm_only },
	{ "exit.hlt_wake", do_hlt_wake },
};

static void measure(const struct figure *f)
{
	uint64_t least = UINT64_MAX;
	uint64_t total = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t begin = cpu_rdtsc();
		uint64_t took;

		f->once();
		took = cpu_rdtsc() - begin;
		total += took;
		least = took < least ? took : least;
	}
	console_printf("%s %lu mean %lu\n", f->name, least, total / ROUNDS);
}

void guest_main(const char *cmdline)
{
	(void)cmdline;
	apic_init();
	idt_set_handler(TIMER_VECTOR, on_timer);
	apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
	cpu_out8(RTC_INDEX, 0);
	for (unsigned int i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		measure(&figures[i]);
	}
	console_printf("exits done\n");
}
