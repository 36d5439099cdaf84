/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by MMIO. */
/* xAPIC mode only; interrupt handlers are the guests'. */
#include "guests/lib/lapic.h"
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/pit.h"

#define SVR_ENABLED 0x100u

uint32_t lapic_read(uint32_t reg)
{
	return mmio_read32(LAPIC_BASE + reg);
}

void lapic_write(uint32_t reg, uint32_t val)
{
	mmio_write32(LAPIC_BASE + reg, val);
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

static void ignore(struct idt_frame *frame)
{
	(void)frame;
}

void lapic_init(void)
{
	idt_handle(LAPIC_SPURIOUS_VECTOR, ignore);
	lapic_write(LAPIC_SVR, SVR_ENABLED | LAPIC_SPURIOUS_VECTOR);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_DCR, LAPIC_DIVIDE_1);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_EXTINT);
	lapic_write(LAPIC_LVT_LINT1, LAPIC_LVT_NMI);
}

bool lapic_requested(unsigned int vector)
{
	return lapic_read(LAPIC_IRR + vector / 32 * 0x10) >> (vector % 32) & 1;
}

uint32_t lapic_calibrate(unsigned int pit_ticks, uint64_t *tsc)
{
	uint32_t left;

	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_ICR, 0xffffffffu);
	*tsc = pit_spin(pit_ticks);
	left = lapic_read(LAPIC_TIMER_CCR);
	lapic_write(LAPIC_TIMER_ICR, 0);
	return 0xffffffffu - left;
}
