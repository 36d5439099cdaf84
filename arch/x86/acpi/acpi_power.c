/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends the machine through ACPI's fixed hardware: the reset register, and S5 by the PM1 control. */
/* Other ways to reset are arch/x86/cpu/machine.c. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/pio.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/acpi/acpi_tables.h"

/* "PM1 Control Registers" */
#define PM1_SCI_EN	BIT(0)
#define PM1_SLP_TYP_POS 10u
#define PM1_SLP_TYP	(7ul << PM1_SLP_TYP_POS)
#define PM1_SLP_EN	BIT(13)

#define WAIT_NS 500000000ul /* for ACPI mode, and for the machine to end */

static bool is_port(const struct acpi_register *r)
{
	return r->space == ACPI_SPACE_IO && r->address != 0 && r->address <= UINT16_MAX;
}

/* Waits until mask is set at port; false after WAIT_NS. */
static bool wait_bits(uint16_t port, uint16_t mask)
{
	uint64_t end = clock_now() + clock_ns_to_ticks(WAIT_NS);

	while (clock_now() < end) {
		if ((pio_in16(port) & mask) == mask) {
			return true;
		}
		cpu_relax();
	}
	return false;
}

bool acpi_reset(void)
{
	const struct acpi_info *a = acpi();
	volatile uint8_t *mem;

	if (is_port(&a->reset)) {
		pio_out8((uint16_t)a->reset.address, a->reset_value);
	} else if (a->reset.space == ACPI_SPACE_MEMORY && a->reset.address != 0) {
		mem = paging_map_device((hpa_t){ a->reset.address }, 1);
		if (mem == NULL) {
			return false;
		}
		*mem = a->reset_value;
	} else {
		return false;
	}
	wait_bits(0x80, 0xffff); /* give it time to act; the bits do not matter */
	return true;
}

/* "Legacy/ACPI Select and the SCI Interrupt": PM1 is the firmware's until it hands it over. */
static void enter_acpi_mode(const struct acpi_info *a)
{
	uint16_t port = (uint16_t)a->pm1a_cnt.address;

	if ((pio_in16(port) & PM1_SCI_EN) == 0 && a->smi_cmd != 0 && a->acpi_enable != 0) {
		pio_out8(a->smi_cmd, a->acpi_enable);
		wait_bits(port, PM1_SCI_EN);
	}
}

static void sleep_write(const struct acpi_register *r, uint8_t typ)
{
	if (is_port(r)) {
		uint16_t port = (uint16_t)r->address;
		unsigned int val = pio_in16(port) & ~(unsigned int)(PM1_SLP_TYP | PM1_SLP_EN);

		val |= (unsigned int)typ << PM1_SLP_TYP_POS;
		pio_out16(port, (uint16_t)(val | PM1_SLP_EN));
	}
}

bool acpi_poweroff(void)
{
	const struct acpi_info *a = acpi();

	if (!a->has_s5 || a->hw_reduced || !is_port(&a->pm1a_cnt)) {
		return false;
	}
	enter_acpi_mode(a);
	sleep_write(&a->pm1a_cnt, a->s5_typ_a);
	sleep_write(&a->pm1b_cnt, a->s5_typ_b);
	wait_bits((uint16_t)a->pm1a_cnt.address, 0xffff);
	return true;
}
