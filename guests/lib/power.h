/* SPDX-License-Identifier: BSD-2-Clause */
/* The ends of a machine. */
/* Nothing returns. */
#ifndef GUESTS_LIB_POWER_H
#define GUESTS_LIB_POWER_H

/* ACPI S5 by the PIIX4's PM1a control register, after COM1 has drained. */
_Noreturn void power_off(void);

/* Reset by port CF9h, after COM1 has drained. */
_Noreturn void power_reset(void);

/* Waits for ever with interrupts off. */
_Noreturn void power_hang(void);

#endif
