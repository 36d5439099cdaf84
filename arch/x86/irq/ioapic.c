/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers of the I/O APICs. */
/* Hands out no vectors and reads no tables but acpi()'s. */
#include "arch/x86/irq/ioapic.h"

#include "arch/paging.h"
#include "arch/x86/acpi/acpi.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

/* "82093AA I/O Advanced Programmable Interrupt Controller", "Register Description" */
#define IOREGSEL   (0x00u / 4)
#define IOWIN	   (0x10u / 4)
#define WINDOW	   0x20u /* bytes to map */
#define REG_VER	   0x01u
#define REG_REDTBL 0x10u /* two registers per pin */

#define RED_LOW	   (1u << 13)
#define RED_LEVEL  (1u << 15)
#define RED_MASKED (1u << 16)

static struct {
	volatile uint32_t *regs;
	uint32_t gsi_base;
	unsigned int pins;
} ioapics[ACPI_IOAPICS_MAX]; /* constant after ioapic_init; only the boot CPU routes */
static unsigned int ioapic_count;

static uint32_t reg_read(volatile uint32_t *regs, uint32_t reg)
{
	regs[IOREGSEL] = reg;
	return regs[IOWIN];
}

static void reg_write(volatile uint32_t *regs, uint32_t reg, uint32_t val)
{
	regs[IOREGSEL] = reg;
	regs[IOWIN] = val;
}

static void add(const struct acpi_ioapic *a)
{
	volatile uint32_t *regs = paging_map_device(a->base, WINDOW);
	uint32_t version = regs != NULL ? reg_read(regs, REG_VER) : UINT32_MAX;

	if (version == UINT32_MAX) {
		log_printf(LOG_HOST, "ioapic: none answers at 0x%lx", a->base.v);
		return;
	}
	unsigned int pins = (version >> 16 & 0xff) + 1;

	for (unsigned int pin = 0; pin < pins; pin++) {
		reg_write(regs, REG_REDTBL + 2 * pin, RED_MASKED);
	}
	ioapics[ioapic_count].regs = regs;
	ioapics[ioapic_count].gsi_base = a->gsi_base;
	ioapics[ioapic_count].pins = pins;
	ioapic_count++;
}

void ioapic_init(void)
{
	const struct acpi_info *a = acpi();

	for (unsigned int i = 0; i < a->ioapic_count; i++) {
		add(&a->ioapics[i]);
	}
}

int ioapic_route(uint32_t gsi, const struct ioapic_route *r)
{
	for (unsigned int i = 0; i < ioapic_count; i++) {
		uint32_t pin = gsi - ioapics[i].gsi_base;

		if (gsi >= ioapics[i].gsi_base && pin < ioapics[i].pins) {
			uint32_t low = r->vector | (r->active_low ? RED_LOW : 0) |
				       (r->level ? RED_LEVEL : 0);

			reg_write(ioapics[i].regs, REG_REDTBL + 2 * pin + 1,
				  (uint32_t)r->apic_id << 24);
			reg_write(ioapics[i].regs, REG_REDTBL + 2 * pin, low);
			return 0;
		}
	}
	return -ENODEV;
}
