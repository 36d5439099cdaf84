/* SPDX-License-Identifier: BSD-2-Clause */
/* What each CPU says of itself: APIC IDs, the boot processor's flag, topology, TSC_ADJUST. */
/* Each CPU looks at its own values; CPU 0 compares. */
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/msr.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

#define CPUID_HTT	  (1u << 28)
#define CPUID7_TSC_ADJUST (1u << 1)
#define MSR_TSC_ADJUST	  0x3bu
#define APIC_BASE_BSP	  0x100u
#define MSR_SPEC_CTRL	  0x48u
#define MSR_PRED_CMD	  0x49u
#define CPUID7_SPEC_CTRL  (1u << 26) /* EDX, as the next two */
#define CPUID7_STIBP	  (1u << 27)
#define CPUID7_SSBD	  (1u << 31)

static struct seen {
	uint32_t apic_id, initial_id, x2apic_id, logical, base, version;
} seen[SMP_CPUS];

static uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t index, uint64_t val)
{
	__asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
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

static uint32_t spec_ctrl_bits(void)
{
	uint32_t edx = cpu_has_leaf(7) ? cpu_cpuid(7, 0).edx : 0;

	return (edx & CPUID7_SPEC_CTRL ? 1u : 0) | (edx & CPUID7_STIBP ? 2u : 0) |
	       (edx & CPUID7_SSBD ? 4u : 0);
}

static bool kept[SMP_CPUS];

/* Each CPU its own value, whatever happens between write and read. */
static void keep_spec_ctrl(unsigned int cpu)
{
	uint32_t bits = spec_ctrl_bits();

	kept[cpu] = true;
	for (unsigned int i = 0; i < check_rounds; i++) {
		uint64_t val = (i + cpu) & bits;

		write_msr(MSR_SPEC_CTRL, val);
		(void)cpu_cpuid(0, 0);
		kept[cpu] &= read_msr(MSR_SPEC_CTRL) == val;
	}
	write_msr(MSR_SPEC_CTRL, 0);
}

static bool spec_ctrl_faults(void)
{
	uint64_t val;

	return msr_write(MSR_SPEC_CTRL, 1) && !msr_write(MSR_SPEC_CTRL, 0x200) &&
	       read_msr(MSR_SPEC_CTRL) == 1 && msr_write(MSR_SPEC_CTRL, 0) &&
	       msr_write(MSR_PRED_CMD, 1) && !msr_write(MSR_PRED_CMD, 0x200) &&
	       !msr_read(MSR_PRED_CMD, &val);
}

static bool spec_ctrl(void)
{
	bool good = true;

	if ((spec_ctrl_bits() & 1) == 0) {
		return true;
	}
	good = spec_ctrl_faults() && smp_all(keep_spec_ctrl);
	for (unsigned int i = 0; i < check_cpus; i++) {
		good &= kept[i];
	}
	return good;
}

static const struct check rows[] = {
	{ "ids", ids },
	{ "counts", counts },
	{ "tsc_adjust", tsc_adjust },
	{ "spec_ctrl", spec_ctrl },
};

const struct check_table check_cpuid = { ARRAY_SIZE(rows), rows };
