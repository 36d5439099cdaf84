/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of the local APIC in x2APIC mode, where CPUID offers it. */
/* Runs last: there is no direct way back. */
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/msr.h"
#include "guests/pcdev/check.h"

#define CPUID1_X2APIC (1u << 21)
#define APIC_EXTD     0x400u
#define X2APIC_ID     0x802u
#define X2APIC_TPR    0x808u
#define X2APIC_EOI    0x80bu
#define X2APIC_SVR    0x80fu
#define X2APIC_SELF   0x83fu
#define VECTOR	      0x62u

static volatile unsigned int taken;

static void on_ipi(struct idt_frame *frame)
{
	(void)frame;
	taken++;
	(void)msr_write(X2APIC_EOI, 0);
}

static bool absent(void)
{
	return !(cpu_cpuid(1, 0).ecx & CPUID1_X2APIC);
}

static bool x2apic_enable(void)
{
	uint64_t base, id;

	if (absent()) {
		return true;
	}
	(void)msr_read(MSR_APIC_BASE, &base);
	return msr_write(MSR_APIC_BASE, base | APIC_EXTD) && msr_read(X2APIC_ID, &id) && id < 256;
}

static bool x2apic_self_ipi(void)
{
	if (absent()) {
		return true;
	}
	idt_handle(VECTOR, on_ipi);
	(void)msr_write(X2APIC_SELF, VECTOR);
	__asm__ volatile("sti; nop; nop; cli");
	return taken == 1;
}

/* SDM Vol. 3A, "Reserved Bits" and "x2APIC Register Availability". */
static bool x2apic_faults(void)
{
	uint64_t val;

	return absent() || (!msr_write(X2APIC_TPR, 0x100) && !msr_write(X2APIC_EOI, 1) &&
			    !msr_read(X2APIC_EOI, &val) && !msr_write(X2APIC_ID, 0) &&
			    !msr_write(X2APIC_SVR, 1ul << 32));
}

/* From x2APIC mode straight to xAPIC mode is #GP. */
static bool x2apic_no_way_back(void)
{
	uint64_t base;

	return absent() || (msr_read(MSR_APIC_BASE, &base) &&
			    !msr_write(MSR_APIC_BASE, base & ~(uint64_t)APIC_EXTD));
}

static const struct check rows[] = {
	{ "x2apic_enable", x2apic_enable },
	{ "x2apic_self_ipi", x2apic_self_ipi },
	{ "x2apic_faults", x2apic_faults },
	{ "x2apic_no_way_back", x2apic_no_way_back },
};

const struct check_table check_x2apic = { ARRAY_SIZE(rows), rows };
