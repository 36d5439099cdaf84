/* SPDX-License-Identifier: BSD-2-Clause */
/* The ends of a machine. */
/* Assumes the PIIX4 power management at B000h, as QEMU, Bochs and Insula have it. */
#include "guests/lib/power.h"
#include "guests/lib/cpu.h"
#include "guests/lib/print.h"

#define PM1A_CONTROL 0xb004
#define SLP_EN	     0x2000 /* with SLP_TYP 0: "Soft Off" of the PIIX4 */
#define PCI_ADDRESS  0xcf8
#define PCI_DATA     0xcfc
#define PIIX4_PM     0x80000b00u /* 00:01.3 */
#define PMBASE	     0x40u
#define PMREGMISC    0x80u
#define RESET_PORT   0xcf9

_Noreturn void power_hang(void)
{
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

/* Where a loader left the power management without an address, as with QEMU's -kernel and no BIOS. */
static void place_pm(void)
{
	pio_out32(PCI_ADDRESS, PIIX4_PM);
	if ((pio_in32(PCI_DATA) & 0xffff) != 0x8086) {
		return;
	}
	pio_out32(PCI_ADDRESS, PIIX4_PM | PMREGMISC);
	if (pio_in8(PCI_DATA) & 1) {
		return;
	}
	pio_out32(PCI_ADDRESS, PIIX4_PM | PMBASE);
	pio_out32(PCI_DATA, 0xb001);
	pio_out32(PCI_ADDRESS, PIIX4_PM | PMREGMISC);
	pio_out8(PCI_DATA, 1);
}

_Noreturn void power_off(void)
{
	print_drain();
	pio_out16(PM1A_CONTROL, SLP_EN);
	place_pm();
	pio_out16(0x604, SLP_EN);
	pio_out16(PM1A_CONTROL, SLP_EN);
	power_hang();
}

_Noreturn void power_reset(void)
{
	print_drain();
	pio_out8(RESET_PORT, 0x02);
	pio_out8(RESET_PORT, 0x06);
	power_hang();
}
