/* SPDX-License-Identifier: BSD-2-Clause */
/* The other CPUs: starts them by INIT and SIPI, sends IPIs, and hands all of them work. */
/* Each waits in HLT for the next piece of work, which an IPI announces. */
#include "guests/lib/smp.h"
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mem.h"
#include "guests/lib/msr.h"

#define APIC_EXTD      0x400u
#define MSR_X2APIC     0x800u
#define MSR_X2APIC_ICR 0x830u
#define MSR_GS_BASE    0xc0000101u

bool smp_x2apic;
smp_job_fn *volatile smp_on_enter;

static unsigned int count = 1;
static uint64_t self[SMP_CPUS]; /* GS points to the CPU's own number */
static uint32_t ups[SMP_CPUS];

/* The work at hand: who takes part, and who has done it. */
static smp_job_fn *volatile job;
static volatile uint32_t job_number;
static volatile uint32_t job_cpus; /* mask */
static volatile uint32_t done[SMP_CPUS];

/* ---- the local APIC in either mode ---- */

static void write_msr(uint32_t index, uint64_t val)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)val), "d"((uint32_t)(val >> 32))
			 : "memory");
}

static uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return (uint64_t)high << 32 | low;
}

uint32_t smp_lapic_read(uint32_t reg)
{
	return smp_x2apic ? (uint32_t)read_msr(MSR_X2APIC + reg / 16) : lapic_read(reg);
}

void smp_lapic_write(uint32_t reg, uint32_t val)
{
	if (smp_x2apic) {
		write_msr(MSR_X2APIC + reg / 16, val);
	} else {
		lapic_write(reg, val);
	}
}

void smp_icr(uint32_t low, uint32_t dest)
{
	if (smp_x2apic) {
		write_msr(MSR_X2APIC_ICR, (uint64_t)dest << 32 | low);
		return;
	}
	lapic_write(LAPIC_ICR_HIGH, dest << 24);
	lapic_write(LAPIC_ICR_LOW, low);
}

static void enter_x2apic(unsigned int cpu)
{
	(void)cpu;
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_EXTD);
}

void smp_enter_x2apic(void)
{
	(void)smp_all(enter_x2apic);
	smp_x2apic = true;
}

/* ---- work ---- */

static void on_wake(struct idt_frame *frame)
{
	(void)frame;
	smp_lapic_write(LAPIC_EOI, 0);
}

static void set_self(unsigned int cpu)
{
	self[cpu] = cpu;
	write_msr(MSR_GS_BASE, (uintptr_t)&self[cpu]);
}

unsigned int smp_self(void)
{
	unsigned int cpu;

	__asm__ volatile("movl %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static void work(unsigned int cpu, uint32_t number)
{
	if (job_cpus >> cpu & 1) {
		job(cpu);
	}
	__atomic_store_n(&done[cpu], number, __ATOMIC_RELEASE);
}

void smp_enter(unsigned int cpu)
{
	uint32_t seen = __atomic_load_n(&job_number, __ATOMIC_ACQUIRE);

	idt_init_cpu(cpu);
	set_self(cpu);
	smp_lapic_write(LAPIC_SVR, 0x100u | LAPIC_SPURIOUS_VECTOR);
	smp_lapic_write(LAPIC_TPR, 0);
	__atomic_add_fetch(&ups[cpu], 1, __ATOMIC_SEQ_CST);
	if (smp_on_enter) {
		smp_on_enter(cpu);
	}
	done[cpu] = seen;
	for (;;) {
		while (seen == __atomic_load_n(&job_number, __ATOMIC_ACQUIRE)) {
			cpu_wait();
		}
		work(cpu, ++seen);
	}
}

static bool all_done(uint32_t number)
{
	for (unsigned int i = 1; i < count; i++) {
		if (__atomic_load_n(&done[i], __ATOMIC_ACQUIRE) != number) {
			return false;
		}
	}
	return true;
}

static bool run(uint32_t cpus, smp_job_fn *fn)
{
	uint64_t start = cpu_tsc();
	uint32_t number = job_number + 1;

	job = fn;
	job_cpus = cpus;
	__atomic_store_n(&job_number, number, __ATOMIC_SEQ_CST);
	smp_icr(SMP_ICR_OTHERS | SMP_ICR_ASSERT | SMP_VECTOR_WAKE, 0);
	work(0, number);
	while (!all_done(number)) {
		if (cpu_tsc() - start > SMP_PATIENCE) {
			return false;
		}
		__asm__ volatile("pause");
	}
	return true;
}

bool smp_all(smp_job_fn *fn)
{
	return run(UINT32_MAX, fn);
}

bool smp_on(unsigned int cpu, smp_job_fn *fn)
{
	return run(1u << cpu, fn);
}

/* ---- start ---- */

uint32_t smp_ups(unsigned int cpu)
{
	return __atomic_load_n(&ups[cpu], __ATOMIC_SEQ_CST);
}

void smp_restart(unsigned int cpu)
{
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_INIT, cpu);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | SMP_TRAMPOLINE / 0x1000, cpu);
}

bool smp_start(unsigned int cpus)
{
	uint64_t start = cpu_tsc();

	count = cpus;
	set_self(0);
	idt_handle(SMP_VECTOR_WAKE, on_wake);
	memcpy((void *)SMP_TRAMPOLINE, smp_trampoline,
	       (size_t)(smp_trampoline_end - smp_trampoline));
	for (unsigned int i = 1; i < cpus; i++) {
		smp_restart(i);
		while (smp_ups(i) == 0) {
			if (cpu_tsc() - start > SMP_PATIENCE) {
				return false;
			}
			__asm__ volatile("pause");
		}
	}
	return true;
}
