/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware's static ACPI tables say about this machine: processors, interrupt controllers, */
/* timers, reset and power-off. Interprets no AML but the \_S5 package. */
#ifndef ARCH_X86_ACPI_ACPI_H
#define ARCH_X86_ACPI_ACPI_H

#include "arch/cpu.h"
#include "hv/lib/types.h"

struct boot_info;

#define ACPI_IOAPICS_MAX 16u
#define ACPI_ISA_IRQS	 16u
#define ACPI_NMIS_MAX	 16u
#define ACPI_ALL_CPUS	 UINT32_MAX

struct acpi_ioapic {
	uint8_t id;
	uint32_t gsi_base; /* global system interrupt of its pin 0 */
	hpa_t base;
};

/* Where an ISA interrupt really arrives. */
struct acpi_isa_irq {
	uint32_t gsi;
	bool active_low;
	bool level;
};

/* A local APIC's LINT pin that carries NMI. */
struct acpi_lapic_nmi {
	uint32_t uid; /* processor UID, or ACPI_ALL_CPUS */
	uint8_t lint; /* 0 or 1 */
	bool active_low;
	bool level;
};

/* A register: address 0 means absent. */
struct acpi_register {
	uint64_t address;
	uint8_t space; /* enum acpi_space */
	uint8_t width; /* bits */
};

struct acpi_cpu {
	uint32_t apic_id;
	uint32_t uid;
};

struct acpi_info {
	bool found;		   /* an RSDP and a root table */
	unsigned int cpu_count;	   /* enabled processors, in the MADT's order; 0 without a MADT */
	unsigned int cpus_ignored; /* above CPU_MAX, or listed twice */
	struct acpi_cpu cpus[CPU_MAX];
	uint64_t lapic_base; /* 0 without a MADT */
	bool has_8259;
	unsigned int ioapic_count;
	struct acpi_ioapic ioapics[ACPI_IOAPICS_MAX];
	struct acpi_isa_irq isa[ACPI_ISA_IRQS];
	unsigned int nmi_count;
	struct acpi_lapic_nmi nmis[ACPI_NMIS_MAX];

	bool has_fadt;
	bool hw_reduced;
	bool no_rtc;
	bool has_8042;
	bool pm_timer_32bit;
	uint8_t century;  /* RTC index, 0: none */
	uint16_t smi_cmd; /* port; 0: ACPI mode is always on */
	uint8_t acpi_enable;
	uint8_t reset_value;
	struct acpi_register pm_timer;
	struct acpi_register pm1a_cnt;
	struct acpi_register pm1b_cnt;
	struct acpi_register reset;

	hpa_t hpet; /* 0: none */

	bool has_s5;
	uint8_t s5_typ_a; /* SLP_TYP for PM1a and PM1b */
	uint8_t s5_typ_b;
};

/*
 * Finds and reads the tables; logs what is broken. Once, on the boot CPU, after paging. A machine
 * without usable tables leaves defaults (found is false, ISA interrupts one to one).
 */
void acpi_init(const struct boot_info *info);
/* The result; constant after acpi_init. */
const struct acpi_info *acpi(void);

/* Both return whether they could be tried; on success the machine ends before they return. */
bool acpi_reset(void);
bool acpi_poweroff(void);

#endif
