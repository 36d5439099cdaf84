/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of the interrupt controllers and the PIT. */
/* Timers' lateness is the guest timer's subject. */
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/pic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/pcdev/check.h"

#define IOAPIC_SELECT  0xfec00000u
#define IOAPIC_WINDOW  0xfec00010u
#define IOAPIC_VERSION 1u
#define REDIRECTION(n) (0x10u + 2u * (n))
#define MASKED	       0x10000u
#define PIT_PIN	       2u
#define PIN_VECTOR     0x50u
#define IPI_VECTOR     0x61u
#define ICR_SELF       0x40000u
#define MS	       (PIT_HZ / 1000)

static void ioapic_write(uint32_t reg, uint32_t val)
{
	mmio_write32(IOAPIC_SELECT, reg);
	mmio_write32(IOAPIC_WINDOW, val);
}

static uint32_t ioapic_read(uint32_t reg)
{
	mmio_write32(IOAPIC_SELECT, reg);
	return mmio_read32(IOAPIC_WINDOW);
}

static bool pic_masks(void)
{
	uint8_t master, slave;

	pio_out8(0x21, 0xa5);
	pio_out8(0xa1, 0x5a);
	master = pio_in8(0x21);
	slave = pio_in8(0xa1);
	pic_init();
	return master == 0xa5 && slave == 0x5a;
}

/* A masked request is remembered and not in service. */
static bool pic_request(void)
{
	pit_once(MS);
	(void)pit_spin(2 * MS);
	return (pic_irr() & 1) && !(pic_isr() & 1);
}

static bool pic_delivers(void)
{
	bool good;

	check_count(PIC_VECTOR);
	pic_unmask(0);
	pit_once(MS);
	good = check_wait(1) && pic_isr() == 0;
	pic_mask(0);
	return good;
}

static bool pit_counts(void)
{
	uint16_t first, second;

	pit_periodic(0);
	first = pit_count();
	(void)pit_spin(MS);
	second = pit_count();
	pit_stop();
	return (uint16_t)(first - second) >= MS && (uint16_t)(first - second) < 20 * MS;
}

/* 8254 data sheet, "Read-Back Command": status of channel 0. */
static bool pit_status(void)
{
	uint8_t status;

	pit_periodic(5000);
	pio_out8(0x43, 0xe2);
	status = pio_in8(0x40);
	pit_stop();
	return (status & 0x3f) == 0x34 ? true : CHECK_FAIL("status %x", status);
}

static bool ioapic_registers(void)
{
	uint32_t version = ioapic_read(IOAPIC_VERSION);

	ioapic_write(REDIRECTION(5), MASKED | 0xa955);
	if ((ioapic_read(REDIRECTION(5)) & ~0x5000u) != (MASKED | 0xa955)) {
		return CHECK_FAIL("entry %x", ioapic_read(REDIRECTION(5)));
	}
	ioapic_write(REDIRECTION(5), MASKED);
	return (version >> 16 & 0xff) == 23 ? true : CHECK_FAIL("version %x", version);
}

static bool ioapic_delivers(void)
{
	bool good;

	check_count(PIN_VECTOR);
	ioapic_write(REDIRECTION(PIT_PIN) + 1, lapic_read(LAPIC_ID) & 0xff000000u);
	ioapic_write(REDIRECTION(PIT_PIN), PIN_VECTOR);
	pit_once(MS);
	good = check_wait(1);
	(void)pit_spin(3 * MS);
	good = good && check_counted() == 1;
	ioapic_write(REDIRECTION(PIT_PIN), MASKED);
	return good;
}

static bool lapic_self_ipi(void)
{
	check_count(IPI_VECTOR);
	lapic_write(LAPIC_ICR_LOW, ICR_SELF | IPI_VECTOR);
	return lapic_requested(IPI_VECTOR) && check_wait(1) && check_counted() == 1;
}

/* SDM Vol. 3A, "Task Priority and Processor Priority". */
static bool lapic_priority(void)
{
	bool held;

	check_count(IPI_VECTOR);
	lapic_write(LAPIC_TPR, 0x60);
	lapic_write(LAPIC_ICR_LOW, ICR_SELF | IPI_VECTOR);
	cpu_sti();
	(void)pit_spin(MS);
	cpu_cli();
	held = check_counted() == 0;
	cpu_write_cr8(5);
	return held && lapic_read(LAPIC_TPR) == 0x50 && check_wait(1) && (cpu_write_cr8(0), true);
}

static bool lapic_version(void)
{
	uint32_t version = lapic_read(LAPIC_VERSION);

	return (version & 0xf0) == 0x10 && (version >> 16 & 0xff) >= 3;
}

static bool lapic_timer_counts(void)
{
	uint64_t tsc;

	return lapic_calibrate(MS, &tsc) > 100;
}

static const struct check rows[] = {
	{ "pic_masks", pic_masks },
	{ "pic_request", pic_request },
	{ "pic_delivers", pic_delivers },
	{ "pit_counts", pit_counts },
	{ "pit_status", pit_status },
	{ "ioapic_registers", ioapic_registers },
	{ "ioapic_delivers", ioapic_delivers },
	{ "lapic_version", lapic_version },
	{ "lapic_self_ipi", lapic_self_ipi },
	{ "lapic_priority", lapic_priority },
	{ "lapic_timer_counts", lapic_timer_counts },
};

const struct check_table check_irq = { ARRAY_SIZE(rows), rows };
