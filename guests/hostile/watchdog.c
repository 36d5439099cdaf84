/* SPDX-License-Identifier: BSD-2-Clause */
/* A non-maskable alarm clock: the PIT by way of an IO-APIC pin that delivers NMIs. */
/* So that a step that hangs with interrupts off is not the last one. */
#include "guests/hostile/hostile.h"
#include "guests/lib/lapic.h"
#include "guests/lib/pit.h"

#define IOAPIC_SELECT 0xfec00000u
#define IOAPIC_WINDOW 0xfec00010u
#define REDIRECTION   0x10u
#define PIT_PIN	      2u /* where ISA interrupt 0 arrives */
#define DELIVER_NMI   0x400u
#define BROADCAST     0xff000000u

static bool everyone;

static void ioapic_write(uint32_t reg, uint32_t val)
{
	mmio_write32(IOAPIC_SELECT, reg);
	mmio_write32(IOAPIC_WINDOW, val);
}

void hostile_watchdog(unsigned int ms)
{
	lapic_init();
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	ioapic_write(REDIRECTION + 2 * PIT_PIN + 1,
		     everyone ? BROADCAST : lapic_read(LAPIC_ID) & 0xff000000u);
	ioapic_write(REDIRECTION + 2 * PIT_PIN, DELIVER_NMI);
	pit_periodic(PIT_HZ / 1000 * ms);
}

void hostile_watchdog_cancel(void)
{
	if (everyone) {
		return;
	}
	ioapic_write(REDIRECTION + 2 * PIT_PIN, LAPIC_LVT_MASKED);
	pit_stop();
}

void hostile_watchdog_everyone(void)
{
	everyone = true;
}
