/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU's local APIC, as xAPIC (memory) or x2APIC (MSRs): EOI, IPIs, timer, NMI pins. */
/* Guests' local APICs are arch/x86/hvm/vlapic. */
#ifndef ARCH_X86_IRQ_LAPIC_H
#define ARCH_X86_IRQ_LAPIC_H

#include "hv/lib/types.h"

/* Chooses the mode (x2APIC where the CPU has it). Once, on the boot CPU, after acpi_init. -ENOMEM */
int lapic_init(void);
/* Enables the executing CPU's, all its sources masked but NMI pins of the MADT. */
void lapic_init_cpu(void);
bool lapic_is_x2apic(void);

/* APIC id of the executing CPU. */
uint32_t lapic_id(void);
void lapic_eoi(void);

/* Each sends one IPI to the CPU with that APIC id and returns when it has left. Any context. */
void lapic_send_fixed(uint32_t apic_id, uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
void lapic_send_init(uint32_t apic_id);
/* The CPU starts in real mode at page * 4096. */
void lapic_send_startup(uint32_t apic_id, uint8_t page);

/* Does the timer take a TSC value (IA32_TSC_DEADLINE)? */
bool lapic_has_tsc_deadline(void);
/* Sets the executing CPU's timer to that mode, or to one-shot; it is stopped. */
void lapic_timer_init_cpu(uint8_t vector, bool tsc_deadline);
/* One-shot: counts down from count (0 stops it) at lapic's timer rate, then interrupts. */
void lapic_timer_set(uint32_t count);
uint32_t lapic_timer_count(void);

#endif
