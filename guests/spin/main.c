/* SPDX-License-Identifier: BSD-2-Clause */
/* One line, then a jump to itself with interrupts off, for ever. */
/* Never gives the CPU back. */
#include "guests/lib/guest.h"
#include "guests/lib/print.h"

void guest_main(void)
{
	print("spin\n");
	__asm__ volatile("cli; 1: jmp 1b");
}
