/* SPDX-License-Identifier: BSD-2-Clause */
/* Every form of IPI from CPU 0 and from the last one: who gets it, and how often. */
/* xAPIC flat and cluster model first, then x2APIC mode, which is for good. */
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

#define VECTOR	      0x60u
#define LDR	      0x0d0u
#define DFR	      0x0e0u
#define CPUID1_X2APIC (1u << 21)
#define ANY	      0x80000000u /* exactly one of those in the mask */
#define SENDER	      0x40000000u /* the mask is relative: bit 0 is the sender */
#define NOT	      0x20000000u /* all but those in the mask */

static volatile uint32_t got[SMP_CPUS], got_nmi[SMP_CPUS];

static void on_ipi(struct idt_frame *frame)
{
	(void)frame;
	got[smp_self()]++;
	smp_lapic_write(LAPIC_EOI, 0);
}

static void on_nmi(struct idt_frame *frame)
{
	(void)frame;
	got_nmi[smp_self()]++;
}

struct form {
	uint32_t low; /* of the ICR */
	uint32_t dest;
	uint32_t mask; /* who gets it */
};

#define FIXED	(SMP_ICR_ASSERT | VECTOR)
#define LOWEST	(FIXED | SMP_ICR_LOWEST)
#define NMI	(SMP_ICR_ASSERT | SMP_ICR_NMI)
#define LOGICAL SMP_ICR_LOGICAL

static const struct form physical[] = {
	{ FIXED, 0, 1 },
	{ FIXED, 1, 2 },
	{ FIXED, 0xfe, 0 },
	{ NMI, 1, 2 },
	{ LOWEST, 1, 2 },
	{ FIXED | SMP_ICR_SELF, 0, SENDER | 1 },
	{ FIXED | SMP_ICR_ALL, 0, NOT },
	{ FIXED | SMP_ICR_OTHERS, 0, NOT | SENDER | 1 },
	{ NMI | SMP_ICR_OTHERS, 0, NOT | SENDER | 1 },
};

static const struct form broadcast[] = {
	{ FIXED, 0xff, NOT },
	{ NMI, 0xff, NOT },
};

static const struct form flat[] = {
	{ FIXED | LOGICAL, 0x01, 1 }, { FIXED | LOGICAL, 0x03, 3 },
	{ FIXED | LOGICAL, 0x00, 0 }, { LOWEST | LOGICAL, 0x03, ANY | 3 },
	{ NMI | LOGICAL, 0x02, 2 },
};

/* Two CPUs a cluster. */
static const struct form cluster[] = {
	{ FIXED | LOGICAL, 0x01, 1 },
	{ FIXED | LOGICAL, 0x03, 3 },
	{ FIXED | LOGICAL, 0xe3, 0 },
	{ LOWEST | LOGICAL, 0x03, ANY | 3 },
};

static const struct form x2apic[] = {
	{ FIXED, 0xff, 0 },
	{ FIXED, 0xffffffff, NOT },
	{ NMI, 0xffffffff, NOT },
	{ FIXED | LOGICAL, 0x00001, 1 },
	{ FIXED | LOGICAL, 0x00003, 3 },
	{ FIXED | LOGICAL, 0x10001, 0 },
	{ LOWEST | LOGICAL, 0x00003, ANY | 3 },
	{ FIXED | LOGICAL, 0xffffffff, NOT },
};

static const struct form *form; /* at hand */
static unsigned int sender;

static void send(unsigned int cpu)
{
	if (cpu == sender) {
		smp_icr(form->low, form->dest);
	}
}

static void nothing(unsigned int cpu)
{
	(void)cpu;
}

static uint32_t wanted(void)
{
	uint32_t all = (1u << check_cpus) - 1;
	uint32_t mask = form->mask & 0xffff;

	mask = form->mask & SENDER ? 1u << sender : mask;
	return (form->mask & NOT ? ~mask : mask) & all;
}

static bool right(void)
{
	volatile uint32_t *counts = form->low & SMP_ICR_NMI ? got_nmi : got;
	uint32_t want = wanted(), seen = 0;

	for (unsigned int i = 0; i < check_cpus; i++) {
		seen |= (uint32_t)(counts[i] != 0) << i;
	}
	if (form->mask & ANY) {
		return seen != 0 && (seen & (seen - 1)) == 0 && (seen & ~want) == 0;
	}
	return seen == want;
}

static uint32_t bits(uint32_t mask)
{
	uint32_t n = 0;

	for (; mask; mask &= mask - 1) {
		n++;
	}
	return n;
}

/* Nobody got it twice, nobody the other kind. */
static bool once(void)
{
	uint32_t sum = 0, nmis = 0;
	uint32_t count = form->mask & ANY ? 1 : bits(wanted());

	for (unsigned int i = 0; i < check_cpus; i++) {
		sum += got[i];
		nmis += got_nmi[i];
	}
	return form->low & SMP_ICR_NMI ? sum == 0 && nmis == count : sum == count && nmis == 0;
}

/* Interrupts on: CPU 0 takes its own share, too. The round of `nothing` brings late ones to light. */
static bool works(const struct form *f, unsigned int from)
{
	bool good;

	form = f;
	sender = from;
	for (unsigned int i = 0; i < SMP_CPUS; i++) {
		got[i] = 0;
		got_nmi[i] = 0;
	}
	good = smp_on(from, send);
	cpu_sti();
	good &= check_until(right) && smp_all(nothing) && right() && once();
	cpu_cli();
	if (!good) {
		print("smp: ICR %08x to %x from CPU %u: wanted %x, got", f->low, f->dest, from,
		      wanted());
		for (unsigned int i = 0; i < check_cpus; i++) {
			print(" %u/%u", got[i], got_nmi[i]);
		}
		print("\n");
	}
	return good;
}

static bool all_work(const struct form *forms, unsigned int count)
{
	bool good = true;

	idt_handle(VECTOR, on_ipi);
	idt_handle(VEC_NMI, on_nmi);
	for (unsigned int i = 0; i < count; i++) {
		good &= works(&forms[i], 0) && works(&forms[i], check_cpus - 1);
	}
	return good;
}

#define ALL_WORK(forms) all_work(forms, ARRAY_SIZE(forms))

static void set_flat(unsigned int cpu)
{
	lapic_write(DFR, 0xffffffff);
	lapic_write(LDR, cpu < 8 ? 1u << (24 + cpu) : 0);
}

static void set_cluster(unsigned int cpu)
{
	lapic_write(DFR, 0x0fffffff);
	lapic_write(LDR, (cpu / 2 << 4 | 1u << cpu % 2) << 24);
}

static bool xapic_flat(void)
{
	return smp_all(set_flat) && ALL_WORK(physical) && ALL_WORK(broadcast) && ALL_WORK(flat);
}

static bool xapic_cluster(void)
{
	return smp_all(set_cluster) && ALL_WORK(cluster);
}

static bool x2apic_forms(void)
{
	if (!(cpu_cpuid(1, 0).ecx & CPUID1_X2APIC)) {
		return true;
	}
	smp_enter_x2apic();
	return ALL_WORK(physical) && ALL_WORK(x2apic);
}

/* A CPU started anew is in x2APIC mode still: INIT keeps it. */
static bool x2apic_restart(void)
{
	unsigned int last = check_cpus - 1;
	uint32_t before = smp_ups(last);

	if (check_cpus == 1) {
		return true;
	}
	smp_restart(last);
	for (uint64_t start = cpu_tsc(); smp_ups(last) == before;) {
		if (cpu_tsc() - start > SMP_PATIENCE) {
			return false;
		}
	}
	return smp_on(last, nothing);
}

static const struct check rows[] = {
	{ "xapic_flat", xapic_flat },
	{ "xapic_cluster", xapic_cluster },
	{ "x2apic", x2apic_forms },
	{ "x2apic_restart", x2apic_restart },
};

const struct check_table check_ipi = { ARRAY_SIZE(rows), rows };
