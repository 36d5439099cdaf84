/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest program is: a function that is called in 64-bit mode and returns. */
/* Interrupts are off, the console and the IDT are ready. */
#ifndef GUESTS_LIB_START_H
#define GUESTS_LIB_START_H

/* Written by each guest. Its return ends the guest: power-off. */
void guest_main(const char *cmdline);

#endif
