/* SPDX-License-Identifier: BSD-2-Clause */
/* What each CPU says of itself: APIC IDs, the boot processor's flag, topology, TSC_ADJUST. */
/* Each CPU looks at its own values; CPU 0 compares. */
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

#define CPUID_HTT	  (1u << 28)
#define CPUID7_TSC_ADJUST (1u << 1)
#define MSR_APIC_BASE	  0x1bu
#define MSR_TSC_ADJUST	  0x3bu
#define APIC_BASE_BSP	  0x100u

static struct seen {
	uint32_t apic_id, initial_id, x2apic_id, logical, base, version;
} seen[SMP_CPUS];

static uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static void look(unsigned int cpu)
{
	struct cpuid_regs one = cpu_cpuid(1, 0);

	seen[cpu] = (struct seen){
		.apic_id = smp_lapic_read(LAPIC_ID) >> 24,
		.initial_id = one.ebx >> 24,
		.x2apic_id = cpu_has_leaf(0xb) ? cpu_cpuid(0xb, 0).edx : cpu,
		.logical = one.edx & CPUID_HTT ? one.ebx >> 16 & 0xff : 1,
		.base = (uint32_t)read_msr(MSR_APIC_BASE),
		.version = smp_lapic_read(LAPIC_VERSION),
	};
}

static bool ids(void)
{
	bool good = smp_all(look);

	for (unsigned int i = 0; i < check_cpus; i++) {
		const struct seen *s = &seen[i];

		good &= s->apic_id == i && s->initial_id == i && s->x2apic_id == i;
		good &= (s->base & APIC_BASE_BSP) == (i == 0 ? APIC_BASE_BSP : 0);
		good &= s->version == seen[0].version;
	}
	return good;
}

static bool counts(void)
{
	bool amd = cpu_has_leaf(0x8000001a);
	bool good = seen[0].logical == check_cpus;

	if (cpu_has_leaf(0xb)) {
		good &= cpu_cpuid(0xb, 1).ebx == check_cpus;
	}
	if (amd) {
		good &= (cpu_cpuid(0x80000008, 0).ecx & 0xff) == check_cpus - 1;
	}
	return good;
}

static void move_tsc(unsigned int cpu)
{
	(void)cpu;
	__asm__ volatile("wrmsr" ::"c"(MSR_TSC_ADJUST), "a"(1u << 30), "d"(0));
}

static void move_back(unsigned int cpu)
{
	(void)cpu;
	__asm__ volatile("wrmsr" ::"c"(MSR_TSC_ADJUST), "a"(0), "d"(0));
}

/* A write on one CPU moves that one's TSC only. */
static bool tsc_adjust(void)
{
	bool good;

	if (!cpu_has_leaf(7) || !(cpu_cpuid(7, 0).ebx & CPUID7_TSC_ADJUST)) {
		return true;
	}
	good = smp_on(check_cpus - 1, move_tsc);
	good &= check_cpus == 1 || read_msr(MSR_TSC_ADJUST) == 0;
	return good && smp_on(check_cpus - 1, move_back) && read_msr(MSR_TSC_ADJUST) == 0;
}

static const struct check rows[] = {
	{ "ids", ids },
	{ "counts", counts },
	{ "tsc_adjust", tsc_adjust },
};

const struct check_table check_cpuid = { ARRAY_SIZE(rows), rows };
