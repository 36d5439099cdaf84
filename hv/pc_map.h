/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixed places of the virtual PC: ports, MMIO, interrupts that the ACPI tables and the device */
/* models must agree on. Constants only. */
#ifndef HV_PC_MAP_H
#define HV_PC_MAP_H

/* Interrupt controllers. The MADT gives ISA irq 0 as GSI 2 and the SCI as level, active high. */
#define PC_IOAPIC_BASE 0xfec00000u
#define PC_IOAPIC_SIZE 0x1000u
#define PC_IOAPIC_ID   0u /* as it reads after reset */
#define PC_IOAPIC_PINS 24u
#define PC_LAPIC_BASE  0xfee00000u
#define PC_SCI_IRQ     9u

/* PIIX4 power management, as firmware would have programmed it; FADT fields. */
#define PC_PM_BASE	    0xb000u /* PM1a event block (4 bytes); the whole block is 64 */
#define PC_PM_EVENT	    (PC_PM_BASE + 0x0u) /* PM1a_EVT_BLK, 4 bytes */
#define PC_PM_CONTROL	    (PC_PM_BASE + 0x4u) /* PM1a_CNT_BLK, 2 bytes */
#define PC_PM_TIMER	    (PC_PM_BASE + 0x8u) /* PM_TMR_BLK, 4 bytes */
#define PC_PM_TIMER_BITS    24u			/* so TMR_VAL_EXT is clear */
#define PC_PM_TIMER_HZ	    3579545u
#define PC_PM_S5_TYPE	    0u /* SLP_TYP of \_S5: "Soft Off" of the PIIX4 */
#define PC_SMI_CMD	    0xb2u
#define PC_SMI_ACPI_ENABLE  0xf1u
#define PC_SMI_ACPI_DISABLE 0xf0u
#define PC_RESET_PORT	    0xcf9u /* FADT RESET_REG */
#define PC_RESET_VALUE	    0x06u

/*
 * PCI bus 0. Each function's pins INTA-INTD (pin 0-3) reach one of the PIIX3's PIRQA-PIRQD, and that
 * one both the PIC input that PIRQRCx names and a fixed IO-APIC pin: what _PRT says in APIC mode.
 */
#define PC_PIRQ_GSI 16u
static inline unsigned int pc_pirq(unsigned int slot, unsigned int pin)
{
	return (slot + pin + 3) & 3;
}
static inline unsigned int pc_pci_gsi(unsigned int slot, unsigned int pin)
{
	return PC_PIRQ_GSI + pc_pirq(slot, pin);
}

/*
 * Windows of the host bridge (_CRS): below the IO-APIC, above the low RAM; ports from the PM block on,
 * since that is a resource of a PCI function and has to lie in a window.
 */
#define PC_PCI_MMIO	0xe0000000u
#define PC_PCI_MMIO_END 0xfebfffffu
#define PC_PCI_IO	0xb000u
#define PC_PCI_IO_END	0xffffu

#define PC_UART_PORT   0x3f8u
#define PC_UART_IRQ    4u
#define PC_RTC_IRQ     8u
#define PC_RTC_CENTURY 0x32u /* FADT CENTURY: index in CMOS */

/* The test device (testdev = true). */
#define PC_TEST_PORT 0xe0u
#define PC_TEST_MMIO 0xff000000u
#define PC_TEST_SIZE 0x10000u

#endif
