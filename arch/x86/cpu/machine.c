/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends the machine: reset by every way a PC knows, power-off by ACPI. */
/* Whoever calls has flushed the console and stopped the guests. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/pio.h"
#include "arch/x86/acpi/acpi.h"
#include "hv/base/log.h"

/* "ICH9 Family Datasheet", "RST_CNT: Reset Control Register" */
#define RST_CNT	    0xcf9u
#define RST_SYSTEM  0x02u
#define RST_CPU	    0x04u
#define KBC_COMMAND 0x64u
#define KBC_FULL    0x02u /* input buffer */
#define KBC_PULSE   0xfeu /* pulses the CPU's reset line */
#define KBC_SPINS   100000u
#define RESET_NS    50000000ul

static void wait_for_reset(void)
{
	uint64_t end = clock_now() + clock_ns_to_ticks(RESET_NS);

	while (clock_now() < end) {
		cpu_relax();
	}
}

static void reset_by_chipset(void)
{
	pio_out8(RST_CNT, RST_SYSTEM);
	pio_out8(RST_CNT, RST_SYSTEM | RST_CPU);
	wait_for_reset();
}

static void reset_by_keyboard_controller(void)
{
	for (unsigned int i = 0; i < KBC_SPINS && (pio_in8(KBC_COMMAND) & KBC_FULL) != 0; i++) {
		cpu_relax();
	}
	pio_out8(KBC_COMMAND, KBC_PULSE);
	wait_for_reset();
}

/* An exception with no IDT to serve it, nor the double fault that follows. */
static void triple_fault(void)
{
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} none = { 0, 0 };

	__asm__ volatile("lidt %[none]; int3" : : [none] "m"(none));
}

void cpu_reboot(void)
{
	acpi_reset();
	reset_by_chipset();
	if (acpi()->has_8042) {
		reset_by_keyboard_controller();
	}
	triple_fault();
}

void cpu_poweroff(void)
{
	if (acpi_poweroff()) {
		log_printf(LOG_HOST, "power-off: the machine ignored the ACPI request");
	} else {
		log_printf(LOG_HOST, "power-off: not possible: ACPI names no way to S5");
	}
}
