/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches the machine off or resets it. */
/* Reads no ACPI table: the ports are those of Insula's virtual PC. */
#ifndef GUESTS_LIB_POWER_H
#define GUESTS_LIB_POWER_H

/* By PM1a_CNT; halts if nothing happens. */
void power_off(void) __attribute__((noreturn));
/* By the reset register at CF9h. */
void power_reset(void) __attribute__((noreturn));

#endif
