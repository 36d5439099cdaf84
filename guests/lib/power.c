/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports that end a guest. */
/* hv/pc_map.h has the same numbers. */
#include "guests/lib/power.h"

#include "guests/lib/console.h"
#include "guests/lib/cpu.h"

#define PM_CONTROL 0xb004u
#define SLP_EN	   0x2000u /* with SLP_TYP 0: soft off */
#define RESET_PORT 0xcf9u
#define RESET_FULL 6u

static void halt(void) __attribute__((noreturn));
static void halt(void)
{
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

void power_off(void)
{
	cpu_out16(PM_CONTROL, SLP_EN);
	console_printf("power-off did nothing\n");
	halt();
}

void power_reset(void)
{
	cpu_out8(RESET_PORT, RESET_FULL);
	console_printf("reset did nothing\n");
	halt();
}
