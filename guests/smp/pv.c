/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's interfaces between vCPUs: IPIs to a bitmap, a yield, and the steal-time area of each CPU. */
/* Where CPUID does not tell of KVM there is nothing to check. */
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/kvm_call.h"
#include "guests/lib/lapic.h"
#include "guests/lib/msr.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

#define VECTOR	       0x61u
#define NMI	       0x400u
#define LEAF_KVM       0x40000000u
#define NAME_KVM       0x4b4d564bu /* EBX */
#define FEATURE_STEAL  (1u << 5)
#define FEATURE_IPI    (1u << 11)
#define FEATURE_YIELD  (1u << 13)
#define MSR_STEAL      0x4b564d03u
#define CALL_IPI       10
#define CALL_YIELD     11
#define HAS_NO_CPU     1
#define FLUSH_TLB      2
#define BEYOND_ALL_RAM 0xfee00000u
#define ERROR(e)       ((uint64_t) - (e))
#define EINVAL_NUMBER  22
#define UNKNOWN_NUMBER 1000

static bool offers(uint32_t feature)
{
	return cpu_cpuid(LEAF_KVM, 0).ebx == NAME_KVM &&
	       (cpu_cpuid(LEAF_KVM + 1, 0).eax & feature) != 0;
}

static void nothing(unsigned int cpu)
{
	(void)cpu;
}

/* ---- IPIs ---- */

static volatile uint32_t got[SMP_CPUS];
static uint32_t want; /* mask */

static void on_ipi(struct idt_frame *frame)
{
	got[smp_self()]++;
	if (frame->vector == VECTOR) {
		smp_lapic_write(LAPIC_EOI, 0);
	}
}

static bool right(void)
{
	for (unsigned int i = 0; i < check_cpus; i++) {
		if (got[i] != (want >> i & 1)) {
			return false;
		}
	}
	return true;
}

/* Those in mask << first get it once, and are counted; nobody else. */
static bool reaches(uint64_t mask, uint64_t first, uint64_t icr)
{
	uint32_t count = 0;
	uint64_t answer;
	bool good;

	want = first < 64 ? (uint32_t)(mask << first) & ((1u << check_cpus) - 1) : 0;
	for (unsigned int i = 0; i < SMP_CPUS; i++) {
		got[i] = 0;
		count += want >> i & 1;
	}
	answer = kvm_call(CALL_IPI, mask, 0, first, icr);
	cpu_sti();
	good = answer == count && check_until(right) && smp_all(nothing) && right();
	cpu_cli();
	if (!good) {
		print("smp: %lx from %lx, ICR %lx: answer %lx\n", mask, first, icr, answer);
	}
	return good;
}

static bool ipis(void)
{
	static const uint64_t wild[] = { 0,
					 15,
					 0x100 | VECTOR,
					 0x500,
					 0x600,
					 0x800 | VECTOR,
					 0x40000 | VECTOR,
					 0xc0000 | VECTOR,
					 ~0ul };
	uint64_t all = (1ul << check_cpus) - 1;
	bool good = true;

	if (!offers(FEATURE_IPI)) {
		return true;
	}
	idt_handle(VECTOR, on_ipi);
	idt_handle(VEC_NMI, on_ipi);
	good &= reaches(2, 0, VECTOR) && reaches(1, 1, VECTOR) && reaches(1, 0, VECTOR);
	good &= reaches(all, 0, VECTOR) && reaches(all & ~1ul, 0, NMI) && reaches(~0ul, 1, VECTOR);
	good &= reaches(all, check_cpus, VECTOR) && reaches(~0ul, 1ul << 40, VECTOR);
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		good &= kvm_call(CALL_IPI, all, 0, 0, wild[i]) == ERROR(EINVAL_NUMBER);
	}
	return good && reaches(0, 0, VECTOR);
}

static bool yields(void)
{
	static const uint64_t wild[] = { 0, 16, 1ul << 32 | 1, ~0ul };
	bool good = true;

	if (!offers(FEATURE_YIELD)) {
		return true;
	}
	for (unsigned int i = 0; i < check_cpus; i++) {
		good &= kvm_call(CALL_YIELD, i, 0, 0, 0) == 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		good &= kvm_call(CALL_YIELD, wild[i], 0, 0, 0) == 0;
	}
	return good && kvm_call(UNKNOWN_NUMBER, 0, 0, 0, 0) == ERROR(UNKNOWN_NUMBER);
}

/* ---- steal time ---- */

static struct area {
	volatile uint64_t steal;
	volatile uint32_t version, flags;
	volatile uint8_t preempted;
	uint8_t reserved[47];
} areas[SMP_CPUS] __attribute__((aligned(64)));

static volatile uint32_t bad; /* CPUs that found theirs wrong */

static void write_steal(uint64_t val)
{
	__asm__ volatile("wrmsr" ::"c"(MSR_STEAL), "a"((uint32_t)val), "d"((uint32_t)(val >> 32))
			 : "memory");
}

static void begin(unsigned int cpu)
{
	write_steal((uintptr_t)&areas[cpu] | 1);
}

static void end(unsigned int cpu)
{
	(void)cpu;
	write_steal(0);
}

/* While it runs it has a CPU, and nobody's flush is left to do. */
static void look(unsigned int cpu)
{
	const struct area *a = &areas[cpu];

	if (a->preempted != 0 || (a->version & 1) != 0 || a->version == 0 || a->flags != 0) {
		__atomic_fetch_or(&bad, 1u << cpu, __ATOMIC_RELAXED);
	}
}

/* The last CPU is in HLT: it has none. */
static bool sleeps(void)
{
	return areas[check_cpus - 1].preempted == HAS_NO_CPU;
}

/* As Linux leaves a flush to it: only if it still has no CPU. */
static bool leave_flush(void)
{
	volatile uint8_t *p = &areas[check_cpus - 1].preempted;
	uint8_t was = HAS_NO_CPU;

	return __atomic_compare_exchange_n(p, &was, HAS_NO_CPU | FLUSH_TLB, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static bool refuses(void)
{
	uint64_t val;
	bool good = msr_read(MSR_STEAL, &val) && val == ((uintptr_t)&areas[0] | 1);

	good &= !msr_write(MSR_STEAL, BEYOND_ALL_RAM | 1) && !msr_write(MSR_STEAL, ~0x3ful | 1);
	good &= !msr_write(MSR_STEAL, val | 2) && !msr_write(MSR_STEAL, val | 0x20);
	return good && msr_read(MSR_STEAL, &val) && val == ((uintptr_t)&areas[0] | 1);
}

static bool steal_time(void)
{
	bool good;

	if (!offers(FEATURE_STEAL)) {
		return true;
	}
	bad = 0;
	good = smp_all(begin) && refuses();
	for (unsigned int i = 0; i < check_rounds / 20; i++) {
		good = good && check_until(sleeps) && check_until(leave_flush) && smp_all(look);
	}
	return smp_all(end) && good && bad == 0;
}

static const struct check rows[] = {
	{ "pv_ipi", ipis },
	{ "pv_yield", yields },
	{ "pv_steal_time", steal_time },
};

const struct check_table check_pv = { ARRAY_SIZE(rows), rows };
